"""CSV, JSONL and Parquet files as batches of rows: columns of pyarrow arrays, never the whole file at once.

A CSV's cells come as text, whatever they look like: what a column is cannot be known before its last row. pyarrow is
imported here, so import this module only where there is such a file.
"""

import csv
import gzip
import itertools
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from training.data.cells import readable, text_array
from training.errors import DataError

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")  # cells of a CSV table that hold no value
BATCH_ROWS = 16_384
BLOCK_BYTES = 4 * 2**20  # of a CSV's text; a row must fit in it
SHOWN_ROWS = 5
UPLOAD_AGAIN = "check how it was written, and upload it again"


@dataclass(frozen=True, kw_only=True)
class RowFile:
    """An opened file: its format, its columns, and what a scikit-learn file says in its first line."""

    path: Path
    kind: str
    columns: tuple[str, ...]
    classes: tuple[str, ...] = ()
    """scikit-learn's files: names for the whole numbers of the last column."""

    def batches(self, columns: Sequence[str], missing: Sequence[str] = MISSING) -> Iterator[pa.RecordBatch]:
        """The `columns` of all rows, in order; raises DataError that names the file, and the row where it can."""
        absent = [name for name in columns if name not in self.columns]
        if absent:
            wanted = " and no column ".join(map(repr, absent))
            raise DataError(f"{self.path.name} has no column {wanted}; it has {', '.join(self.columns)}")
        try:
            yield from _READERS[self.kind](self, list(columns), list(missing))
        except (OSError, EOFError, zlib.error, ValueError, pa.ArrowException) as error:
            raise DataError(f"{self.path.name} cannot be read: {error}; {UPLOAD_AGAIN}") from error


def open_rows(path: Path) -> RowFile:
    """Find out the columns of the file; raises DataError where they are missing, empty or twice the same."""
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    try:
        file = _OPENERS[kind](path)
    except (OSError, EOFError, zlib.error, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path.name} cannot be read: {error}; {UPLOAD_AGAIN}") from error
    doubled = {name for name in file.columns if file.columns.count(name) > 1 or not name}
    if doubled or not file.columns:
        raise DataError(
            f"{path.name}: columns are {', '.join(map(repr, file.columns)) or 'none'}; "
            "every column needs a name of its own"
        )
    return file


def row_list(numbers: Sequence[int] | NDArray[np.int64]) -> str:
    """Numbers of rows for a message; row 1 is the first after a header."""
    listed = ", ".join(str(number) for number in numbers[:SHOWN_ROWS])
    more = ", ..." if len(numbers) > SHOWN_ROWS else ""
    return f"{len(numbers)} rows ({listed}{more}; row 1 is the first after the names)"


def _open_csv(path: Path) -> RowFile:
    with _text(path) as stream:
        first, second = itertools.islice(itertools.chain(csv.reader(stream), [[], []]), 2)
    if _is_scikit_learns(first, second):
        names = [f"feature_{number}" for number in range(1, len(second))]
        return RowFile(path=path, kind="csv", columns=(*names, "target"), classes=tuple(first[2:]))
    if first and all(_is_number(cell) for cell in first):
        raise DataError(
            f"{path.name}: the first row holds only numbers ({','.join(first)[:60]}); add a row with the columns' names"
        )
    return RowFile(path=path, kind="csv", columns=tuple(cell.strip() for cell in first))


def _is_scikit_learns(first: list[str], second: list[str]) -> bool:
    """The first line of scikit-learn's own files is rows,features,class,class,... instead of names."""
    return (
        len(first) >= 4
        and first[0].isdigit()
        and first[1].isdigit()
        and len(second) == int(first[1]) + 1
        and not any(_is_number(name) for name in first[2:])
        and all(_is_number(cell) for cell in second)
        and second[-1].isdigit()
        and int(second[-1]) < len(first) - 2
    )


def _read_csv(file: RowFile, columns: list[str], missing: list[str]) -> Iterator[pa.RecordBatch]:
    reader = arrow_csv.open_csv(
        str(file.path),
        arrow_csv.ReadOptions(column_names=list(file.columns), skip_rows=1, block_size=BLOCK_BYTES, use_threads=False),
        arrow_csv.ParseOptions(newlines_in_values=True),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(file.columns, pa.string()),
            include_columns=columns,
            null_values=missing,
            strings_can_be_null=True,
        ),
    )
    yield from reader


def _open_jsonl(path: Path) -> RowFile:
    with _text(path) as stream:
        first = next(stream, "")
    return RowFile(path=path, kind="jsonl", columns=tuple(_object(first, 1)))


def _read_jsonl(file: RowFile, columns: list[str], missing: list[str]) -> Iterator[pa.RecordBatch]:
    with _text(file.path) as stream:
        rows = (_object(line, number) for number, line in enumerate(stream, start=1) if line.strip())
        while batch := list(itertools.islice(rows, BATCH_ROWS)):
            yield pa.RecordBatch.from_arrays([_column([row.get(name) for row in batch]) for name in columns], columns)


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number} is not JSON ({error})") from error
    if not isinstance(row, dict):
        raise ValueError(f"line {number} holds a {type(row).__name__}, expected an object with the columns as keys")
    return row


def _column(values: list[Any]) -> pa.Array:
    """Texts; numbers and true or false as JSON writes them, so that a batch does not decide what a column is."""
    return text_array([value if value is None or isinstance(value, str) else json.dumps(value) for value in values])


def _open_parquet(path: Path) -> RowFile:
    return RowFile(path=path, kind="parquet", columns=tuple(parquet.read_schema(path).names))


def _read_parquet(file: RowFile, columns: list[str], missing: list[str]) -> Iterator[pa.RecordBatch]:
    with parquet.ParquetFile(file.path) as opened:
        fields = [opened.schema_arrow.field(name) for name in columns]
        odd = [f"{field.name} ({field.type})" for field in fields if not readable(field.type)]
        if odd:
            raise DataError(
                f"{file.path.name}: neither numbers nor text in {', '.join(odd)}; convert these or leave them out"
            )
        yield from opened.iter_batches(batch_size=BATCH_ROWS, columns=columns, use_threads=False)


def _text(path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


_OPENERS = {"csv": _open_csv, "jsonl": _open_jsonl, "parquet": _open_parquet}
_READERS = {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": _read_parquet}
