"""Which part each kept row goes to, and its place there: drawn from the contents and the seed, so from nothing else.

The order of files, of folders and of a file's rows makes no difference. Each class is divided in the same shares, and
rows of one group stay together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.channel import PARTS
from training.errors import DataError
from training.prepare.index import OUT, Digests, Index
from training.prepare.options import PrepareOptions

TRAIN, VALIDATION, TEST = (PARTS.index(name) for name in ("train", "validation", "test"))
_PART_SALT, _ORDER_SALT = 0x5851F42D4C957F2D, 0x14057B7EF767814F  # two draws that know nothing of each other


@dataclass(frozen=True, kw_only=True)
class Division:
    """Of all rows of the index, by number."""

    part: NDArray[np.int8]
    """Number of the part in PARTS, or OUT."""
    place: NDArray[np.int64]
    """From 0 within the part, in random order."""

    def numbers(self, part: int) -> NDArray[np.int64]:
        """Of the part's rows, by their place."""
        numbers = np.flatnonzero(self.part == part)
        return numbers[np.argsort(self.place[numbers])]


def divide(index: Index, options: PrepareOptions) -> Division:
    """Keep the parts that the source gives; take those that it lacks out of its training part.

    Raises DataError where the source itself has rows of one group in two parts.
    """
    part = np.where(index.kept, np.maximum(index.given, TRAIN), OUT).astype(np.int8)
    for wanted, fraction in ((TEST, options.test_fraction), (VALIDATION, options.validation_fraction)):
        if fraction > 0 and not (part == wanted).any():
            _take(part, wanted, fraction, index, options.seed)
    if options.group:
        _check_groups(part, index)
    place = np.zeros(len(part), np.int64)
    for number in range(len(PARTS)):
        rows = np.flatnonzero(part == number)
        place[rows[_random_order(index.content[rows], _ORDER_SALT ^ options.seed)]] = np.arange(len(rows))
    return Division(part=part, place=place)


def _take(part: NDArray[np.int8], wanted: int, fraction: float, index: Index, seed: int) -> None:
    """Move `fraction` of each class from the training part to the part `wanted`.

    Groups come in random order; one is moved where more than half of its rows are still wanted of their classes.
    """
    rows = np.flatnonzero(part == TRAIN)
    rows = rows[_random_order(index.group[rows], _PART_SALT ^ seed)]
    counts = np.bincount(index.codes[rows], minlength=len(index.labels))
    left = np.where(counts > 0, np.maximum(1, np.round(fraction * counts)), 0).astype(int).tolist()
    codes = index.codes[rows].tolist()
    ends = [*(np.flatnonzero(_changes(index.group[rows])) + 1).tolist(), len(rows)]
    start = 0
    for end in ends:
        used = []
        for code in codes[start:end]:
            if left[code] > 0:
                left[code] -= 1
                used.append(code)
        if 2 * len(used) > end - start:
            part[rows[start:end]] = wanted
        else:
            for code in used:
                left[code] += 1
        start = end


def _check_groups(part: NDArray[np.int8], index: Index) -> None:
    rows = np.flatnonzero(part != OUT)
    rows = rows[np.argsort(index.group[rows], kind="stable")]
    together = ~_changes(index.group[rows])
    torn = int((together & (part[rows][1:] != part[rows][:-1])).sum())
    if torn:
        raise DataError(
            f"{torn} rows are in another part than rows of the same group, by the folders or files that they are in; "
            "move each group into one part, or leave out --group"
        )


def _changes(groups: Digests) -> NDArray[np.bool_]:
    """Where the next of the sorted groups is another one: one value fewer than groups."""
    changes: NDArray[np.bool_] = groups[1:] != groups[:-1]
    return changes


def _random_order(digests: Digests, salt: int) -> NDArray[np.int64]:
    """Indexes that sort the digests as if shuffled; equal ones come together. splitmix64 of their first half."""
    halves = np.ascontiguousarray(digests).view(np.uint64).reshape(-1, 2)
    mixed = halves[:, 0] ^ np.uint64(salt)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return np.lexsort((halves[:, 1], mixed))
