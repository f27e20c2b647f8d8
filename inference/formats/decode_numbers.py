"""Nested lists of numbers -> float32 at half the cost of numpy.array, and the place of the first fault if there is one.

The lists are flattened level by level and packed by `struct`, which takes numbers only and refuses what overflows
float32; numpy.array would take strings and null, and would have to be asked for its dtype afterwards.
"""

import functools
import math
import reprlib
import struct
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.http.errors import bad_request

MIXED = (ValueError, TypeError, struct.error, OverflowError)
SMALL = 8192
SHOWN_CHARACTERS = 60
_shorten = reprlib.Repr()
_shorten.maxlevel, _shorten.maxlist, _shorten.maxdict = 2, 3, 2
_shorten.maxstring = _shorten.maxlong = _shorten.maxother = 40


def numbers(
    items: list[Any], shape: tuple[int, ...], wanted: str, *, place: str = "instances", truths: bool = True
) -> NDArray[np.float32]:
    """Finite float32 (N, *shape) from a list of nested lists of finite numbers, which `place` names.

    `truths` is False where it is known that no true or false is among them. Raises RequestError with the place of the
    first fault, ended by `wanted`.
    """
    try:
        return pack(items, shape, truths=truths)
    except MIXED:
        pass
    first = 0
    while len(items) > 1:
        half = len(items) // 2
        fits = _fits(items[:half], shape)
        first, items = (first + half, items[half:]) if fits else (first, items[:half])
    raise bad_request(f"{_fault(items[0], shape, f'{place}[{first}]')}; {wanted}")


def array_of(
    value: Any, shape: tuple[int, ...], wanted: str, *, place: str, truths: bool = True
) -> NDArray[np.float32]:
    """float32 (*shape) from nested lists of numbers, as `numbers` has it; NaN goes through."""
    try:
        return pack([value], shape, truths=truths)[0]
    except MIXED:
        raise bad_request(f"{_fault(value, shape, place)}; {wanted}") from None


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """A copy row by row; what is too large becomes infinity."""
    if values.dtype == np.float32:
        return values.astype(np.float32, order="C")
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32, order="C")


def finite(batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """`batch` itself; a RequestError names the first instance with NaN or infinity."""
    # A finite sum of squares tells it in a third of the time; of more numbers BLAS would start its threads.
    if batch.size <= SMALL and math.isfinite(np.vdot(batch, batch)):
        return batch
    if not np.isfinite(batch).all():
        row = int(np.argmin(np.isfinite(batch).reshape(len(batch), -1).all(axis=1)))
        raise bad_request(
            f"instance {row} holds NaN, infinity or a number too large for float32; expected finite numbers"
        )
    return batch


def shown(value: object) -> str:
    """`value` for a message: short, whatever its length and depth."""
    return _shorten.repr(value)[:SHOWN_CHARACTERS]


def pack(items: list[Any], shape: tuple[int, ...], *, truths: bool) -> NDArray[np.float32]:
    """Raises one of MIXED where a list has another length than `shape` says, or a leaf is no number of float32."""
    rows = items
    for size in shape:
        if set(map(len, rows)) != {size}:
            raise ValueError(f"a list has not {size} items")
        rows = list(chain.from_iterable(rows))
    if truths and bool in set(map(type, rows)):
        raise TypeError("true or false")
    batch = np.empty((len(items), *shape), dtype=np.float32)
    _packer(len(rows)).pack_into(batch.data, 0, *rows)
    return batch


@functools.lru_cache(maxsize=256)
def _packer(count: int) -> struct.Struct:
    return struct.Struct(f"={count}f")  # "=": unlike the default it refuses what becomes infinite


def _fits(items: list[Any], shape: tuple[int, ...]) -> bool:
    try:
        pack(items, shape, truths=True)
    except MIXED:
        return False
    return True


def _fault(value: object, shape: tuple[int, ...], place: str) -> str:
    """What is wrong with `value`; an empty string where nothing is."""
    if not shape:
        if type(value) is not int and type(value) is not float:
            return f"{place} is {shown(value)}, not a number"
        return "" if _fits([value], ()) else f"{place} is {shown(value)}, a number too large for float32"
    if not isinstance(value, list):
        return f"{place} is {shown(value)}, not a list of {shape[0]}"
    if len(value) != shape[0]:
        return f"{place} is a list of {len(value)}, not of {shape[0]}"
    faults = (_fault(item, shape[1:], f"{place}[{number}]") for number, item in enumerate(value))
    return next(filter(None, faults), "")
