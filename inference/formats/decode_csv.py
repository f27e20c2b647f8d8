"""text/csv of images: one instance a row, its values flattened row by row, no header line."""

from array import array

import numpy as np
import orjson
from numpy.typing import NDArray

from inference.formats.decode_numbers import MIXED, finite, pack
from inference.http.errors import bad_request
from inference.manifests.schema import InputSchema


def decode_csv(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """float32 (N, *shape); raises RequestError with the row and column of the first fault."""
    batch = _quick(body, schema.size)
    if batch is None:
        batch = _careful(body, schema)
    return finite(batch.reshape(-1, *schema.shape))


def _quick(body: bytes, size: int) -> NDArray[np.float32] | None:
    """float32 (N, size) by the JSON parser, ten times as fast; None where that would not do.

    Rows of numbers as JSON writes them become lists. What would be read as something else than a cell is excluded:
    brackets, and the letters of true and false.
    """
    if body.endswith(b"\n"):
        body = body[:-1]
    if b"[" in body or b"u" in body or b"s" in body or body.count(b",") != (size - 1) * (body.count(b"\n") + 1):
        return None
    try:
        return pack(orjson.loads(b"[[%b]]" % body.replace(b"\n", b"],[")), (size,), truths=False)
    except (orjson.JSONDecodeError, *MIXED):
        return None


def _careful(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    wanted = (
        f"expected {schema.size} numbers a row (shape {list(schema.shape)} flattened), one row an instance, no header"
    )
    if not body.isascii():
        place = next(place for place, byte in enumerate(body) if byte > 127)
        raise bad_request(f"the CSV has a byte that is not ASCII at position {place}; {wanted}")
    rows = body.splitlines()
    if not rows:
        raise bad_request(f"the CSV is empty; {wanted}")
    values = array("d")
    for number, row in enumerate(rows):
        if (columns := row.count(b",") + 1) != schema.size:
            raise bad_request(f"CSV row {number + 1} has {columns} columns; {wanted}")
        cells = row.decode("ascii").split(",")
        values.extend(_number(cell, number + 1, column + 1, wanted) for column, cell in enumerate(cells))
    with np.errstate(over="ignore"):  # an overflow becomes infinity, which is refused
        return np.array(values, dtype=np.float64).astype(np.float32)


def _number(cell: str, row: int, column: int, wanted: str) -> float:
    try:
        if "_" in cell:  # Python's spelling of digits, nobody's CSV
            raise ValueError(cell)
        return float(cell)
    except ValueError:
        raise bad_request(f"CSV row {row} column {column} is {cell!r:.40}, not a number; {wanted}") from None
