"""Single test examples as people see them, for the report: images in 8 bits, texts, rows of a table."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.data.types import DataSet, Part
from training.export.rows import Words
from training.quality import to_pixels


class Shower:
    """`shower(row)` gives the test example `row` as training.quality.Shown."""

    def __init__(self, data: DataSet) -> None:
        self._data = data
        self._reader = RowReader(data.test)
        self._words = Words(data.tokenizer) if data.tokenizer is not None else None

    def __call__(self, row: int) -> "NDArray[np.uint8] | str | Mapping[str, str]":
        """Image uint8 (H, W[, 3]), text, or column -> value."""
        instance = self._reader.read(row).numpy()
        schema = self._data.input
        if schema.kind == "image":
            return to_pixels(instance, *schema.value_range)
        if schema.kind == "text":
            return (self._words and self._words.text(instance)) or ""
        return {
            column.name: _cell(value, column.categories) for column, value in zip(schema.columns, instance, strict=True)
        }


class RowReader:
    """Rows of a part by their place in its stored order; the window that was read last is kept."""

    def __init__(self, part: Part) -> None:
        self._windows = part.plan(None)
        self._start = 0
        self._rows: Tensor | None = None

    def read(self, row: int) -> Tensor:
        """The input of one row."""
        start = 0
        for window in self._windows:
            if start <= row < start + window.rows:
                if self._rows is None or start != self._start:
                    self._start, self._rows = start, window.read()[0]
                return self._rows[row - start]
            start += window.rows
        raise IndexError(f"row {row} of a part with {start}")


def _cell(value: float, categories: tuple[str, ...]) -> str:
    if np.isnan(value):
        return ""
    return categories[int(value)] if categories else f"{value:.6g}"
