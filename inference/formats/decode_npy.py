"""application/x-npy: numpy's own file format, versions 1 to 3, without its object arrays.

Read by hand rather than by numpy.load: that warns, guesses at Python 2 headers and accepts every dtype. The header is
parsed once per distinct header: a client sends the same one with every request.
"""

import functools
import math
import re
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from inference.formats.decode_numbers import as_float32, finite, shown
from inference.http.errors import bad_request
from inference.manifests.schema import InputSchema

MAX_HEADER_BYTES = 4096  # a plain array's header is 128 bytes, or 192 for long shapes
PREFIX_BYTES = {(1, 0): 10, (2, 0): 12, (3, 0): 12}  # magic, version, length of the header
MAGIC = b"\x93NUMPY"
NUMBERS, TEXTS = "iuf", "U"  # numpy's kinds of dtypes
_DTYPE = re.compile(r"[<>|=]?([iu][1248]|f[248]|U[1-9][0-9]{0,7})")
_AS_JSON = ((b"'", b'"'), (b"(", b"["), (b")", b"]"), (b"True", b"true"), (b"False", b"false"))
_LAST_COMMA = re.compile(rb",\s*([]}])")


class Header(NamedTuple):
    """What a header says of the array; `dtype` is None where `descr` is no number and no text."""

    shape: tuple[int, ...]
    fortran: bool
    descr: str
    dtype: "np.dtype[np.generic] | None"


def decode_npy(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """As `decode_npy_array`, and every number is finite."""
    return finite(decode_npy_array(body, schema))


def decode_npy_array(body: bytes, schema: InputSchema) -> NDArray[np.float32]:
    """One instance (*shape) or a batch (N, *shape) of any integer or float dtype -> float32 (N, *shape)."""
    wanted = _wanted(schema.shape)
    header, start = npy_header(body, NUMBERS, wanted)
    shape = header.shape
    if shape != schema.shape and (shape[1:] != schema.shape or shape[0] < 1):
        raise bad_request(f"the array has shape {str(list(shape))[:100]}; {wanted}")
    return as_float32(npy_values(body, header, start, wanted)).reshape(-1, *schema.shape)


def npy_header(body: bytes, kinds: str, wanted: str) -> tuple[Header, int]:
    """The file's header, of a dtype of one of `kinds`, and where the values begin."""
    prefix = PREFIX_BYTES.get((body[6], body[7])) if body[:6] == MAGIC and len(body) > 12 else None
    if prefix is None:
        raise bad_request(f"the body is not a .npy file of version 1, 2 or 3 (it begins {body[:8]!r}); {wanted}")
    header_bytes = int.from_bytes(body[8:prefix], "little")
    start = prefix + header_bytes
    if header_bytes > MAX_HEADER_BYTES or start > len(body):
        raise bad_request(f"the .npy header claims {header_bytes} bytes, allowed are {MAX_HEADER_BYTES}; {wanted}")
    try:
        header = _parse_header(body[prefix:start])
    except ValueError as error:
        raise bad_request(f"the .npy header cannot be read ({str(error)[:100]}); {wanted}") from None
    if header.dtype is None or header.dtype.kind not in kinds:
        raise bad_request(f"the array has dtype {header.descr[:50]!r}; {wanted}")
    return header, start


def npy_values(body: bytes, header: Header, start: int, wanted: str) -> NDArray[np.generic]:
    """The array as a view of the body, which has to hold it and nothing else."""
    assert header.dtype is not None, "npy_header has seen to it"
    expected, found = math.prod(header.shape) * header.dtype.itemsize, len(body) - start
    if found != expected:
        raise bad_request(f"{found} bytes follow the header, its shape and dtype need {expected}; {wanted}")
    flat = np.frombuffer(body, dtype=header.dtype, offset=start)
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


@functools.lru_cache(maxsize=256)
def _parse_header(text: bytes) -> Header:
    """The header's literal dictionary; ValueError where it is none.

    It is read as the JSON that it nearly is: Python's own reader writes its warnings of strange literals to the log.
    """
    for python, json in _AS_JSON:
        text = text.replace(python, json)
    found = orjson.loads(_LAST_COMMA.sub(rb"\1", text))
    if not isinstance(found, dict) or set(found) != {"descr", "fortran_order", "shape"}:
        raise ValueError("it has other keys than descr, fortran_order and shape")
    shape, fortran, descr = found["shape"], found["fortran_order"], found["descr"]
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"shape is {shown(shape)}")
    if not isinstance(fortran, bool):
        raise ValueError(f"fortran_order is {shown(fortran)}")
    name = descr if isinstance(descr, str) else shown(descr)
    return Header(tuple(shape), fortran, name, np.dtype(name) if _DTYPE.fullmatch(name) else None)


@functools.lru_cache(maxsize=64)
def _wanted(shape: tuple[int, ...]) -> str:
    one = ", ".join(map(str, shape))
    return f"expected a .npy array of integers or floats with shape [{one}] or [N, {one}]"
