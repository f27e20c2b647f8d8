"""Columns of pyarrow arrays as numbers or as names: what a cell means, whatever format the file had.

All of these take arrays of a type that is `readable`: text, numbers, true and false.
"""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def readable(kind: pa.DataType) -> bool:
    """Not dates, lists, bytes and the like."""
    return _is_text(kind) or _is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)


def text_array(texts: Sequence[str | None]) -> pa.Array:
    """As pa.array(texts, pa.string()), which imports pandas to see whether it was given some: two seconds."""
    encoded = [b"" if text is None else text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    there = np.packbits(np.array([text is not None for text in texts], bool), bitorder="little")
    buffers = (pa.py_buffer(part) for part in (ends, b"".join(encoded), there))
    return pa.StringArray.from_buffers(len(texts), *buffers)


def as_numbers(array: pa.Array) -> NDArray[np.float64] | None:
    """float64 with NaN for missing values; None where a cell is no number."""
    if pa.types.is_boolean(array.type):
        return None
    if _is_text(array.type):
        array = as_texts(array)
    try:
        return to_numpy(pc.cast(array, pa.float64(), safe=False))
    except pa.ArrowInvalid:
        return None


def as_texts(array: pa.Array) -> pa.Array:
    """Strings without blanks around them; null for a missing or blank cell. Whole numbers have no decimal point."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    elif pa.types.is_floating(array.type):
        array = text_array([_shortest(number) for number in to_numpy(pc.cast(array, pa.float64())).tolist()])
    blank, nothing = text_array(["", None])  # pa.scalar would import pandas too
    trimmed = pc.utf8_trim_whitespace(pc.cast(array, pa.string()))
    return pc.if_else(pc.equal(trimmed, blank), nothing, trimmed)


def as_indexes(array: pa.Array, values: tuple[str, ...]) -> NDArray[np.float64]:
    """Place of each cell in `values`, as float64; NaN for a missing cell and for one that is not among them."""
    return to_numpy(pc.cast(pc.index_in(as_texts(array), text_array(values)), pa.float64()))


def holds_numbers(array: pa.Array) -> bool:
    """By its type: a column of such arrays cannot turn out to be text."""
    return _is_number(array.type)


def _shortest(number: float) -> str | None:
    if math.isnan(number):
        return None
    return str(int(number)) if number.is_integer() else str(number)


def to_numpy(array: pa.Array) -> NDArray[np.float64]:
    """float64 with NaN for null. As Array.to_numpy(zero_copy_only=False), which imports pandas."""
    if not len(array):
        return np.empty(0)
    bits, data = array.buffers()
    rows = slice(array.offset, array.offset + len(array))
    numbers = np.frombuffer(data, np.float64)[rows].copy()
    if array.null_count:
        numbers[np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")[rows] == 0] = np.nan
    return numbers


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(value) or pa.types.is_large_string(value)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
