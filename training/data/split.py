"""Which rows are held out: stratified by class, or plain, bit for bit as scikit-learn splits them.

    train, test = stratified_split(targets, 0.2)     # train_test_split(test_size=0.2, random_state=0, stratify=targets)

The same draws in the same order as scikit-learn's train_test_split with random_state=0; importing scikit-learn for it
would cost a second at every start.
"""

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

Rows = NDArray[np.int64]
SEED = 0


def stratified_split(targets: Rows, fraction: float) -> tuple[Rows, Rows]:
    """Row numbers of the kept and of the held-out part, int64, for class numbers `targets` (n,).

    Raises DataError where a class has one row only, or a part would have fewer rows than there are classes.
    """
    random = np.random.RandomState(SEED)
    counts = np.bincount(targets)
    present = np.flatnonzero(counts)
    counts = counts[present]
    held_out = int(np.ceil(fraction * len(targets)))
    _check(counts, len(targets), held_out)
    kept_counts = _shares(counts, len(targets) - held_out, random)
    held_out_counts = _shares(counts - kept_counts, held_out, random)
    kept, other = [], []
    for number, in_kept, in_held_out in zip(present, kept_counts, held_out_counts, strict=True):
        rows = random.permutation(np.flatnonzero(targets == number))
        kept.append(rows[:in_kept])
        other.append(rows[in_kept : in_kept + in_held_out])
    return random.permutation(np.concatenate(kept)), random.permutation(np.concatenate(other))


def plain_split(rows: int, fraction: float) -> tuple[Rows, Rows]:
    """As train_test_split without `stratify`, of `rows` rows; raises DataError where a part would be empty."""
    held_out = int(np.ceil(fraction * rows))
    if not 0 < held_out < rows:
        raise DataError(f"{rows} rows cannot be split into two parts, one with a share of {fraction:g}; add rows")
    order = np.random.RandomState(SEED).permutation(rows)
    return order[held_out:], order[:held_out]


def _check(counts: Rows, rows: int, held_out: int) -> None:
    if counts.min() >= 2 and held_out >= len(counts) and rows - held_out >= len(counts):
        return
    raise DataError(
        f"{rows} rows of {len(counts)} classes, the rarest with {counts.min()}, cannot be split into parts of "
        f"{rows - held_out} and {held_out}; every class needs 2 rows, and every part as many rows as there are classes"
    )


def _shares(counts: Rows, total: int, random: np.random.RandomState) -> Rows:
    """Whole numbers summing to `total`, in proportion to `counts`; largest remainders win, equal ones are drawn."""
    exact = counts / counts.sum() * total
    shares = np.floor(exact)
    missing = int(total - shares.sum())
    remainders = exact - shares
    for value in np.unique(remainders)[::-1]:
        if missing == 0:
            break
        tied = np.flatnonzero(remainders == value)
        chosen = random.choice(tied, size=min(len(tied), missing), replace=False)
        shares[chosen] += 1
        missing -= len(chosen)
    return shares.astype(np.int64)
