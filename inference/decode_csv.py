"""text/csv of images: one instance a row, its values flattened row by row, no header line."""

import numpy as np
from numpy.typing import NDArray

from inference.decode_json import finite
from inference.errors import bad_request
from inference.schema import InputSchema


def decode_csv(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """float32 (N, *shape); raises RequestError with the row and column of the first fault."""
    wanted = (
        f"expected {schema.size} numbers a row (shape {list(schema.shape)} flattened), one row an instance, no header"
    )
    try:
        rows = body.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise bad_request(f"the CSV has a byte that is not ASCII at position {error.start}; {wanted}") from None
    if not rows:
        raise bad_request(f"the CSV is empty; {wanted}")
    batch = np.empty((len(rows), schema.size), dtype=np.float32)
    for number, row in enumerate(rows):
        cells = row.split(",")
        if len(cells) != schema.size:
            raise bad_request(f"CSV row {number + 1} has {len(cells)} columns; {wanted}")
        for column, cell in enumerate(cells):
            batch[number, column] = _number(cell, number + 1, column + 1, wanted)
    return finite(batch.reshape(-1, *schema.shape))


def _number(cell: str, row: int, column: int, wanted: str) -> np.float32:
    try:
        if "_" in cell:  # Python's spelling of digits, nobody's CSV
            raise ValueError(cell)
        with np.errstate(over="ignore"):
            return np.float32(float(cell))
    except ValueError:
        raise bad_request(f"CSV row {row} column {column} is {cell!r:.40}, not a number; {wanted}") from None
