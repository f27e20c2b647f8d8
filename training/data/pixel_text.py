"""The text of a CSV of pixels -> a table of numbers, every cell checked; refusals name rows and columns."""

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

MAX_BYTES = 2 * 2**30  # of text: 1 GiB of numbers; more belongs into a prepared data set
SMALL_BYTES = 8 * 2**20  # below it numpy's reader is done before pyarrow is imported
PIXEL_MAXIMUM = 255.0
MINIMUM_PIXELS = 4
SHOWN_FAULTS = 5


def read_text(path: Path) -> bytes:
    """The whole file, unpacked; raises DataError where it cannot be read, is empty or too large."""
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read: {error}; upload the file again") from error
    if len(text) > MAX_BYTES:
        raise DataError(
            f"{path.name} holds more than {MAX_BYTES} bytes of text; write a prepared data set of images instead"
        )
    if not text.strip():
        raise DataError(f"{path.name} is empty; {_wanted(None)}")
    return text


def parse(text: bytes, name: str, *, labelled: bool) -> NDArray[np.float32]:
    """float32 (rows, pixels), and with `labelled` one column more: the label, a whole number.

    Raises DataError that names the first faults with their rows and columns.
    """
    try:
        table = _numbers(text) if len(text) <= SMALL_BYTES else _many_numbers(text)
    except ValueError as error:
        raise DataError(_faults(text, name, labelled=labelled)) from error
    pixels, labels = (table[:, :-1], table[:, -1]) if labelled else (table, np.zeros(1))
    good = np.all((pixels >= 0) & (pixels <= PIXEL_MAXIMUM)) and np.all((labels >= 0) & (labels == np.floor(labels)))
    if not good or not is_square(pixels.shape[1]):
        raise DataError(_faults(text, name, labelled=labelled))
    return table


def is_square(pixels: int) -> bool:
    """So many pixels make a square image that is worth the name."""
    return pixels >= MINIMUM_PIXELS and math.isqrt(pixels) ** 2 == pixels


def first_width(text: bytes) -> int:
    """Columns of the first row that is not empty."""
    return text.lstrip().split(b"\n", 1)[0].count(b",") + 1


def _numbers(text: bytes) -> NDArray[np.float32]:
    return np.loadtxt(text.splitlines(), delimiter=",", dtype=np.float32, ndmin=2, comments=None, encoding="utf-8")


def _many_numbers(text: bytes) -> NDArray[np.float32]:
    """The same, about 20 times as fast; an empty cell is refused too (pyarrow's ArrowInvalid is a ValueError)."""
    import pyarrow as pa
    from pyarrow import csv

    from training.data.cells import to_numpy

    names = [str(number) for number in range(first_width(text))]
    table = csv.read_csv(
        io.BytesIO(text),
        csv.ReadOptions(column_names=names),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float32()), null_values=[]),
    )
    batches = [[to_numpy(column.cast(pa.float64())) for column in batch.columns] for batch in table.to_batches()]
    return np.concatenate([np.stack(columns, axis=1, dtype=np.float32) for columns in batches])


def _wanted(pixels: int | None) -> str:
    count = f"{pixels}" if pixels else "a square number of"
    return f"expected {count} pixels from 0 to {PIXEL_MAXIMUM:g} and a whole number, the label, in each row; no header"


def _faults(text: bytes, name: str, *, labelled: bool) -> str:
    """Where the file breaks a rule; only called once it is known that it does."""
    pixels = first_width(text) - labelled
    if not is_square(pixels):
        return f"{name} row 1 has {pixels + labelled} columns; {_wanted(None)}"
    found: list[str] = []
    for row, line in enumerate(text.decode("utf-8", "replace").splitlines(), start=1):
        found += _row_faults(line, row, pixels, labelled=labelled)
        if len(found) >= SHOWN_FAULTS:
            break
    return f"{name} {', '.join(found[:SHOWN_FAULTS]) or 'is not a table of numbers'}; {_wanted(pixels)}"


def _row_faults(line: str, row: int, pixels: int, *, labelled: bool) -> list[str]:
    cells = line.split(",") if line else []
    if cells and len(cells) != pixels + labelled:
        return [f"row {row} has {len(cells)} columns"]
    return [
        f"row {row} column {column} is {cell[:40]!r}"
        for column, cell in enumerate(cells, start=1)
        if not _allowed(cell, is_label=column > pixels)
    ]


def _allowed(cell: str, *, is_label: bool) -> bool:
    try:
        value = float(cell)
    except ValueError:
        return False
    return value >= 0 and (value.is_integer() if is_label else value <= PIXEL_MAXIMUM)
