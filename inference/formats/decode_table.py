"""Tables: rows as JSON objects or lists, as CSV with or without a header line, or as a .npy array.

A missing value (null, an empty cell, NaN in .npy) and an unknown category become NaN for the program to impute.
"""

import csv
import io
import math
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.formats.decode_json import Reader
from inference.formats.decode_npy import decode_npy_array
from inference.formats.decode_numbers import MIXED, pack
from inference.http.errors import bad_request
from inference.manifests.schema import InputSchema
from inference.manifests.table import Column, RowError, check_names, known, read_row


def table_reader(schema: InputSchema) -> Reader:
    """Rows: objects {"column": value}, or lists of values in the order of the columns."""
    names = {column.name for column in schema.columns}
    wanted = (
        f'expected {{"instances": [...]}}, each an object with the keys {known(schema.columns)}, or a list of those '
        "values; null where one is missing"
    )

    def is_one(found: Any) -> bool:
        if isinstance(found, dict):
            return not names.isdisjoint(found)
        return isinstance(found, list) and bool(found) and not isinstance(found[0], (dict, list))

    quick = _quick_reader(schema)

    def read(rows: list[Any], truths: bool) -> NDArray[np.float32]:
        try:
            return quick(rows, truths)
        except (KeyError, *MIXED):  # a missing value, an unknown category, or a fault
            return rows_to_batch(rows, schema)

    return Reader(wanted=wanted, is_one=is_one, read=read)


def _quick_reader(schema: InputSchema) -> Callable[[list[Any], bool], NDArray[np.float32]]:
    """Rows that have each value, spelled as the schema has it -> float32 (N, columns); others raise."""
    size, names = len(schema.columns), [column.name for column in schema.columns]
    categories = [(place, column.places) for place, column in enumerate(schema.columns) if column.categories]

    def values(row: Any) -> list[Any]:
        if type(row) is dict and len(row) == size:
            row = [row[name] for name in names]
        elif type(row) is list and len(row) == size:
            row = row.copy() if categories else row
        else:
            raise ValueError("no row of the table")
        for place, places in categories:
            row[place] = places[row[place]]
        found: list[Any] = row
        return found

    return lambda rows, truths: pack([values(row) for row in rows], (size,), truths=truths)


def rows_to_batch(instances: list[Any], schema: InputSchema) -> NDArray[np.float32]:
    """float32 (N, columns) of JSON rows; raises RequestError with the instance and the column of the first fault."""

    def rows() -> Iterator[list[float]]:
        for number, instance in enumerate(instances):
            try:
                yield read_row(instance, schema.columns)
            except RowError as error:
                raise bad_request(f"instance {number}: {error}") from None
            except RecursionError:  # the message would have shown the value
                raise bad_request(
                    f"instance {number} holds lists in lists; expected values of {known(schema.columns)}"
                ) from None

    return _batch(rows(), schema)


def decode_table_csv(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """float32 (N, columns); a first line of column names may put them in any order. Raises with row and column."""
    wanted = f"expected one row an instance with {len(schema.columns)} columns: {known(schema.columns)}"
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_request(f"the CSV has a byte that is not UTF-8 at position {error.start}; {wanted}") from None
    try:
        return _batch(_csv_rows(csv.reader(io.StringIO(text, newline=""), strict=True), schema, wanted), schema)
    except csv.Error as error:
        raise bad_request(f"the CSV cannot be read ({error}); {wanted}") from None


def decode_table_npy(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """float32 (N, columns) as the program takes it: a category is its index among the column's, NaN is missing."""
    return checked(decode_npy_array(body, schema), schema)


def checked(batch: NDArray[np.float32], schema: InputSchema) -> NDArray[np.float32]:
    """`batch` itself; raises RequestError for infinity and for an index that no category has."""
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


def _batch(rows: Iterable[list[float]], schema: InputSchema) -> NDArray[np.float32]:
    values = array("d")  # eight bytes a value: lists of floats would take forty
    for row in rows:
        values.extend(row)
    with np.errstate(over="ignore"):  # an overflow becomes infinity, which is refused
        batch = np.array(values, dtype=np.float64).astype(np.float32).reshape(-1, len(schema.columns))
    _refuse_infinity(batch)
    return batch


def _refuse_infinity(batch: NDArray[np.float32]) -> None:
    infinite = np.isinf(batch)
    if infinite.any():
        row = int(infinite.any(axis=1).argmax())
        raise bad_request(f"instance {row} holds infinity or a number too large for float32; expected finite numbers")


def _csv_rows(lines: Iterator[list[str]], schema: InputSchema, wanted: str) -> Iterator[list[float]]:
    """The rows in the order of the schema's columns, line by line: a body may be a million wrong ones."""
    columns, line, number = schema.columns, next(lines, None), 1
    if line is not None and _is_header(line, columns):
        columns, line, number = _ordered(line, columns), next(lines, None), 2
    if line is None:
        raise bad_request(f"the CSV has no row; {wanted}")
    places = [columns.index(column) for column in schema.columns]
    while line is not None:
        row = _cells(line, columns, number, wanted)
        yield [row[place] for place in places]
        line, number = next(lines, None), number + 1


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
