"""Names of classes and their numbers, and the refusals of sets that no classifier can learn from or be tested on."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

MAX_CLASSES = 1000  # more different labels are taken for a mistake: a number to predict, or an id
SHOWN_CLASSES = 10


def sort_labels(names: Iterable[str]) -> tuple[str, ...]:
    """Whole numbers by their value, anything else as text."""
    found = set(names)
    numeric = all(name.isascii() and name.isdigit() for name in found)
    return tuple(sorted(found, key=lambda name: (int(name), name) if numeric else (0, name)))


def check_labels(labels: tuple[str, ...], where: str) -> None:
    """Raise DataError unless there are 2 to MAX_CLASSES classes; `where` says what holds them."""
    if len(labels) < 2:
        raise DataError(
            f"{where} holds {len(labels)} class{'es' if not labels else ''} ({', '.join(labels) or 'no label'}); "
            "a classifier needs two or more"
        )
    if len(labels) > MAX_CLASSES:
        raise DataError(
            f"{where} holds {len(labels)} different labels ({', '.join(labels[:3])}, ...), at most {MAX_CLASSES} are "
            "classes; name the column of the label with `target`, or set task to tabular-regression for numbers"
        )


def count_classes(targets: NDArray[np.int64], labels: tuple[str, ...]) -> dict[str, int]:
    """Rows of each class, in the order of `labels`."""
    return dict(zip(labels, np.bincount(targets, minlength=len(labels)).tolist(), strict=True))


def check_parts(counts: Mapping[str, Mapping[str, int]]) -> None:
    """Part -> class -> rows; raise DataError that names every class which is missing from train or test."""
    missing = [
        f"{name!r} (" + ", ".join(f"{other} {counts[other][name]}" for other in counts) + ")"
        for name in counts["train"]
        if not counts["train"][name] or not counts["test"][name]
    ]
    if missing:
        more = f" and {len(missing) - SHOWN_CLASSES} more" if len(missing) > SHOWN_CLASSES else ""
        raise DataError(
            f"classes without a row in the training or the test part: {', '.join(missing[:SHOWN_CLASSES])}{more}; "
            "add rows of them, raise test_fraction, or take them out of the data"
        )
