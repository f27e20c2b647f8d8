"""Rows of a table as numbers, batch by batch: the same in a job and in the data step. Needs no torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.data.cells import as_indexes, as_numbers
from training.data.rows import RowFile
from training.data.table_schema import TableSchema
from training.errors import DataError

NO_CLASS = -1


@dataclass(frozen=True, kw_only=True)
class EncodedRows:
    """Some rows as numbers."""

    inputs: NDArray[np.float32]
    """(n, columns)"""
    targets: NDArray[Any]
    """int64 class numbers, NO_CLASS where missing; float32 for regression, NaN where missing. (n,)"""

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Rows without a target."""
        return np.isnan(self.targets) if self.targets.dtype == np.float32 else self.targets == NO_CLASS


def encode(schema: TableSchema, files: Sequence[RowFile]) -> Iterator[EncodedRows]:
    """The rows of the files, batch by batch."""
    names = [column.name for column in schema.columns]
    for file in files:
        for batch in file.batches([*names, schema.target]):
            *inputs, answers = batch.columns
            columns = [
                as_indexes(array, column.categories) if column.categories else _numbers(array, column.name)
                for array, column in zip(inputs, schema.columns, strict=True)
            ]
            rows = np.stack(columns, axis=1).astype(np.float32) + np.float32(0.0)  # makes zero of minus zero
            rows[np.isnan(rows)] = np.nan  # one of its many bit patterns, so equal rows are equal bytes
            yield EncodedRows(inputs=rows, targets=_targets(answers, schema))


def _targets(answers: pa.Array, schema: TableSchema) -> NDArray[Any]:
    if not schema.labels:
        return _numbers(answers, schema.target).astype(np.float32)
    numbers = as_indexes(answers, schema.values)
    return np.where(np.isnan(numbers), NO_CLASS, numbers).astype(np.int64)


def _numbers(array: pa.Array, name: str) -> NDArray[np.float64]:
    numbers = as_numbers(array)
    if numbers is None:
        raise DataError(f"column {name!r} changed while it was read: it held only numbers before")
    return numbers
