"""Tables: rows as JSON objects or lists, as CSV with or without a header line, or as a .npy array.

A missing value (null, an empty cell, NaN in .npy) and an unknown category become NaN for the program to impute.
"""

import csv
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.decode_json import document, listed
from inference.decode_npy import decode_npy_array
from inference.errors import bad_request
from inference.schema import InputSchema
from inference.table import Column, RowError, check_names, known, read_row


def decode_table_json(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """float32 (N, columns) from {"instances": [...]}, each an object {"column": value} or a list in column order."""
    wanted = (
        f'expected {{"instances": [...]}}, each an object with the keys {known(schema.columns)}, or a list of those '
        "values; null where one is missing"
    )
    rows = []
    for number, instance in enumerate(listed(document(body, ("instances",), wanted), "instances", wanted)):
        try:
            rows.append(read_row(instance, schema.columns))
        except RowError as error:
            raise bad_request(f"instance {number}: {error}") from None
    return _batch(rows)


def decode_table_csv(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """float32 (N, columns); a first line of column names may put them in any order. Raises with row and column."""
    wanted = f"expected one row an instance with {len(schema.columns)} columns: {known(schema.columns)}"
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_request(f"the CSV has a byte that is not UTF-8 at position {error.start}; {wanted}") from None
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise bad_request(f"the CSV cannot be read ({error}); {wanted}") from None
    columns, first = schema.columns, 1
    if lines and _is_header(lines[0], columns):
        columns, first, lines = _ordered(lines[0], columns), 2, lines[1:]
    if not lines:
        raise bad_request(f"the CSV has no row; {wanted}")
    rows = [_cells(line, columns, number, wanted) for number, line in enumerate(lines, start=first)]
    places = [columns.index(column) for column in schema.columns]
    return _batch([[row[place] for place in places] for row in rows])


def decode_table_npy(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """float32 (N, columns) as the program takes it: a category is its index among the column's, NaN is missing."""
    batch = decode_npy_array(body, schema)
    _refuse_infinity(batch)
    for place, column in enumerate(schema.columns):
        if column.categories:
            values = batch[:, place]
            known_or_missing = np.isnan(values) | np.isin(values, np.arange(len(column.categories)))
            if not known_or_missing.all():
                row = int(known_or_missing.argmin())
                raise bad_request(
                    f"instance {row}: column {column.name!r} is {values[row]:g}; expected the index of a category, "
                    f"0 to {len(column.categories) - 1}, or NaN where it is missing"
                )
    return batch


def rows_to_batch(instances: list[Any], schema: InputSchema) -> NDArray[np.float32]:
    """float32 (N, columns) of JSON rows that are known to be right."""
    return _batch([read_row(instance, schema.columns) for instance in instances])


def _batch(rows: list[list[float]]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # an overflow becomes infinity, which is refused
        batch = np.array(rows, dtype=np.float64).astype(np.float32)
    _refuse_infinity(batch)
    return batch


def _refuse_infinity(batch: NDArray[np.float32]) -> None:
    infinite = np.isinf(batch)
    if infinite.any():
        row = int(infinite.any(axis=1).argmax())
        raise bad_request(f"instance {row} holds infinity or a number too large for float32; send finite numbers")


def _is_header(line: list[str], columns: tuple[Column, ...]) -> bool:
    """Whether the line names columns: a cell that is a column's name, and no category of the column in its place."""
    names = {column.name for column in columns}
    places = [column.places for column in columns] + [{}] * len(line)
    return any(cell.strip() in names and cell.strip() not in known for cell, known in zip(line, places, strict=False))


def _ordered(line: list[str], columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns in the order of the header line."""
    names = [cell.strip() for cell in line]
    try:
        check_names(names, columns)
    except RowError as error:
        raise bad_request(f"CSV row 1: {error}") from None
    by_name = {column.name: column for column in columns}
    return tuple(by_name[name] for name in names)


def _cells(line: list[str], columns: tuple[Column, ...], number: int, wanted: str) -> list[float]:
    if len(line) != len(columns):
        raise bad_request(f"CSV row {number} has {len(line)} columns; {wanted}")
    return [_cell(cell, column, number, wanted) for cell, column in zip(line, columns, strict=True)]


def _cell(cell: str, column: Column, number: int, wanted: str) -> float:
    if not cell.strip():
        return math.nan
    if column.categories:
        return column.places.get(cell.strip(), math.nan)
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if math.isnan(value) or "_" in cell:  # Python's spelling of digits, nobody's CSV
        raise bad_request(
            f"CSV row {number}: column {column.name!r} is {cell!r:.40}, not a number; leave the cell empty where the "
            f"value is missing; {wanted}"
        )
    return value
