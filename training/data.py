"""The digits: read and check the channel's one CSV file, and split it.

The file is scikit-learn's bundled `digits.csv.gz`: 1,797 rows of 64 pixels (0 to 16, row by row) and the label.
"""

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.errors import DataError

IMAGE_SHAPE = (8, 8)
PIXELS = 64
PIXEL_MINIMUM, PIXEL_MAXIMUM = 0.0, 16.0
LABELS = tuple(str(digit) for digit in range(10))
TEST_FRACTION = 0.2
SUFFIXES = (".csv", ".csv.gz")
MAX_BYTES = 2**30
_WANTED = (
    f"expected {PIXELS} pixels from {PIXEL_MINIMUM:g} to {PIXEL_MAXIMUM:g} and a label from 0 to {len(LABELS) - 1}"
)


@dataclass(frozen=True, kw_only=True)
class Digits:
    """Images float32 (N, 8, 8) as the file holds them, targets int64 (N,), for both parts of the split."""

    train_images: Tensor
    train_targets: Tensor
    test_images: Tensor
    test_targets: Tensor
    sha256: str


def load_digits(channel: Path) -> Digits:
    """Read the one file in `channel`; raises DataError that names the file, and the row and column where it can."""
    path = _only_file(channel)
    text = _read_text(path)
    table = _parse(text, path)
    targets = table[:, PIXELS].astype(np.int64)
    train, test = stratified_split(targets)
    images = torch.from_numpy(np.ascontiguousarray(table[:, :PIXELS])).view(-1, *IMAGE_SHAPE)
    labels = torch.from_numpy(targets)
    return Digits(
        train_images=images[train],
        train_targets=labels[train],
        test_images=images[test],
        test_targets=labels[test],
        sha256=hashlib.sha256(text).hexdigest(),
    )


def stratified_split(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the training and the test part, int64, for class numbers `targets` (N,).

    Gives exactly what scikit-learn's train_test_split(test_size=0.2, random_state=0, stratify=targets) gives, by the
    same draws in the same order; importing scikit-learn for it would cost a second at every start.
    """
    random = np.random.RandomState(0)
    counts = np.bincount(targets)
    present = np.flatnonzero(counts)
    counts = counts[present]
    test_size = int(np.ceil(TEST_FRACTION * len(targets)))
    if counts.min() < 2 or test_size < len(counts) or len(targets) - test_size < len(counts):
        raise DataError(
            f"{len(targets)} rows with {counts.min()} of the rarest label cannot be split; "
            "every label needs 2 or more rows"
        )
    train_counts = _shares(counts, len(targets) - test_size, random)
    test_counts = _shares(counts - train_counts, test_size, random)
    train, test = [], []
    for label, in_train, in_test in zip(present, train_counts, test_counts, strict=True):
        rows = random.permutation(np.flatnonzero(targets == label))
        train.append(rows[:in_train])
        test.append(rows[in_train : in_train + in_test])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))


def _shares(counts: np.ndarray, total: int, random: np.random.RandomState) -> np.ndarray:
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


def _only_file(channel: Path) -> Path:
    found = sorted(path for path in channel.rglob("*") if path.is_file()) if channel.is_dir() else []
    if len(found) != 1 or not found[0].name.endswith(SUFFIXES):
        names = [str(path.relative_to(channel)) for path in found[:5]] or "nothing"
        raise DataError(
            f"{channel} holds {names} ({len(found)} files); expected exactly one file ending in "
            f"{' or '.join(SUFFIXES)}; check the S3 prefix of the channel"
        )
    return found[0]


def _read_text(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read: {error}; upload the file again") from error
    if len(text) > MAX_BYTES:
        raise DataError(f"{path.name} holds more than {MAX_BYTES} bytes of text; the digits have under 1 MiB")
    if not text.strip():
        raise DataError(f"{path.name} is empty; {_WANTED}")
    return text


def _parse(text: bytes, path: Path) -> np.ndarray:
    """float32 (N, 65), every value checked."""
    try:
        table = np.loadtxt(text.splitlines(), delimiter=",", dtype=np.float32, ndmin=2, comments=None, encoding="utf-8")
    except ValueError as error:
        raise DataError(_first_fault(text, path)) from error
    labels = table[:, -1]
    pixels_good = np.all((table[:, :-1] >= PIXEL_MINIMUM) & (table[:, :-1] <= PIXEL_MAXIMUM))
    labels_good = np.all((labels >= 0) & (labels < len(LABELS)) & (labels == np.floor(labels)))
    if table.shape[1] != PIXELS + 1 or not pixels_good or not labels_good:
        raise DataError(_first_fault(text, path))
    return table


def _first_fault(text: bytes, path: Path) -> str:
    """Where the file first breaks a rule; only called once it is known that it does."""
    for row, line in enumerate(text.decode("utf-8", "replace").splitlines(), start=1):
        cells = line.split(",")
        if line and len(cells) != PIXELS + 1:
            return f"{path.name} row {row} has {len(cells)} columns; {_WANTED}"
        for column, cell in enumerate(cells if line else [], start=1):
            if not _allowed(cell, is_label=column == PIXELS + 1):
                return f"{path.name} row {row} column {column} is {cell[:40]!r}; {_WANTED}"
    return f"{path.name} is not a table of numbers; {_WANTED}"


def _allowed(cell: str, *, is_label: bool) -> bool:
    try:
        value = float(cell)
    except ValueError:
        return False
    if is_label:
        return value in range(len(LABELS))
    return PIXEL_MINIMUM <= value <= PIXEL_MAXIMUM
