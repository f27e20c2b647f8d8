"""application/x-npy: numpy's own file format, versions 1 to 3, without its object arrays.

Read by hand rather than by numpy.load: that warns, guesses at Python 2 headers and accepts every dtype. The header is
parsed once per distinct header: a client sends the same one with every request.
"""

import ast
import functools
import math
import re

import numpy as np
from numpy.typing import NDArray

from inference.decode_json import finite
from inference.errors import bad_request
from inference.schema import InputSchema

MAX_HEADER_BYTES = 4096  # a plain array's header is 128 bytes, or 192 for long shapes
PREFIX_BYTES = {(1, 0): 10, (2, 0): 12, (3, 0): 12}  # magic, version, length of the header
NUMBER_DTYPE = re.compile(r"[<>|=]?([iu][1248]|f[248])")
MAGIC = b"\x93NUMPY"


def decode_npy(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """As `decode_npy_array`, and every number is finite."""
    return finite(decode_npy_array(body, schema))


def decode_npy_array(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """One instance (*shape) or a batch (N, *shape) of any integer or float dtype -> float32 (N, *shape)."""
    one = ", ".join(map(str, schema.shape))
    wanted = f"expected a .npy array of integers or floats with shape [{one}] or [N, {one}]"
    prefix = PREFIX_BYTES.get((body[6], body[7])) if body[:6] == MAGIC and len(body) > 12 else None
    if prefix is None:
        raise bad_request(f"the body is not a .npy file of version 1, 2 or 3 (it begins {body[:8]!r}); {wanted}")
    header_bytes = int.from_bytes(body[8:prefix], "little")
    start = prefix + header_bytes
    if header_bytes > MAX_HEADER_BYTES or start > len(body):
        raise bad_request(f"the .npy header claims {header_bytes} bytes, allowed are {MAX_HEADER_BYTES}; {wanted}")
    try:
        shape, fortran, dtype_name = _parse_header(body[prefix:start])
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:  # literal_eval's own list
        raise bad_request(f"the .npy header cannot be read ({str(error)[:100]}); {wanted}") from None
    if not NUMBER_DTYPE.fullmatch(dtype_name):
        raise bad_request(f"the array has dtype {dtype_name[:50]!r}; {wanted}")
    dtype = np.dtype(dtype_name)
    if shape != schema.shape and (shape[1:] != schema.shape or shape[0] < 1):
        raise bad_request(f"the array has shape {str(list(shape))[:100]}; {wanted}")
    expected = math.prod(shape) * dtype.itemsize
    if len(body) - start != expected:
        raise bad_request(f"{len(body) - start} bytes follow the header, its shape and dtype need {expected}; {wanted}")
    flat = np.frombuffer(body, dtype=dtype, offset=start)
    array = flat.reshape(shape, order="F" if fortran else "C")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32).reshape(-1, *schema.shape)


@functools.lru_cache(maxsize=256)
def _parse_header(text: bytes) -> tuple[tuple[int, ...], bool, str]:
    """(shape, Fortran order, dtype's name) out of the header's literal dictionary; ValueError where it is none."""
    if b"\\" in text:  # no dtype or shape has one, and Python warns of unknown escapes
        raise ValueError("it holds a backslash")
    header = ast.literal_eval(text.decode("latin-1").strip())
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise ValueError("it has other keys than descr, fortran_order and shape")
    shape, fortran = header["shape"], header["fortran_order"]
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"shape is {shape!r}")
    if not isinstance(fortran, bool):
        raise ValueError(f"fortran_order is {fortran!r}")
    return shape, fortran, str(header["descr"])
