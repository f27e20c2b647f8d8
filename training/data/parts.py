"""Rows that are all in memory -> the parts of a DataSet."""

from collections.abc import Mapping
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.data.labels import check_parts, count_classes
from training.data.memory import MemoryPart
from training.data.split import Rows, plain_split, stratified_split
from training.data.types import Part
from training.options import DataOptions


class Parts(TypedDict):
    """The parts, by the names that DataSet gives them."""

    train: Part
    validation: Part | None
    test: Part


def split_rows(
    targets: NDArray[np.int64] | None, rows: int, options: DataOptions, given: Mapping[str, Rows] | None = None
) -> dict[str, Rows]:
    """Row numbers of each part, stratified by the class numbers `targets`, plain with None.

    Parts that the channel itself has are `given`; only what is missing is taken out of its training part.
    Raises DataError where there are too few rows.
    """
    parts = dict(given or {"train": np.arange(rows)})
    wanted = {"test": options.test_fraction, "validation": options.validation_fraction}
    for part, fraction in wanted.items():
        if part not in parts and fraction > 0:
            whole = parts["train"]
            kept, held_out = (
                plain_split(len(whole), fraction) if targets is None else stratified_split(targets[whole], fraction)
            )
            parts["train"], parts[part] = whole[kept], whole[held_out]
    return parts


def check_classes(targets: NDArray[np.int64], labels: tuple[str, ...], parts: Mapping[str, Rows]) -> None:
    """Raise DataError that names every class which is missing from the training or the test part."""
    check_parts({part: count_classes(targets[rows], labels) for part, rows in parts.items()})


def in_memory(inputs: Tensor, targets: Tensor, parts: Mapping[str, Rows]) -> Parts:
    """A MemoryPart of each part's rows."""
    held = {part: MemoryPart(inputs=inputs[rows], targets=targets[rows]) for part, rows in parts.items()}
    return {"train": held["train"], "validation": held.get("validation"), "test": held["test"]}
