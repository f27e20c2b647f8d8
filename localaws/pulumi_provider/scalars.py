"""One value against the API model's own rules: type, enumeration, limits and pattern."""

from __future__ import annotations

import datetime
import difflib
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.model import Shape, StringShape

_JAVA_TO_PYTHON = {
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{L}": r"\w",
    r"\p{M}": r"\w",
    r"\p{N}": r"\d",
    r"\p{P}": r"\W",
    r"\p{S}": r"\W",
    r"\p{Print}": "[ -~]",
    r"\p{Z}": r"\s",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",  # surrogate pairs
}
ANY_CASE = "(?i)"
SHOWN_CHOICES = 8  # of an enumeration that may have hundreds
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One thing wrong with the inputs: property path and what to do about it."""

    path: str
    reason: str


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the closest known name, or with all names if none is close."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    shown = ", ".join(choices[:SHOWN_CHOICES]) + (", ..." if len(choices) > SHOWN_CHOICES else "")
    return f"did you mean {close[0]!r}?" if close else f"known are {shown}"


def scalar(shape: Shape, value: Any, path: str) -> Iterator[Failure]:
    """What is wrong with a value that is to be one number, text, truth value or time."""
    kind = shape.type_name
    if value is None or isinstance(value, dict | list):
        yield Failure(path=path, reason=f"expected one {kind}, got {value!r}")
    elif kind in ("integer", "long", "float", "double"):
        yield from _number(shape, kind, value, path)
    elif kind == "boolean":
        if not isinstance(value, bool) and value not in ("true", "false"):
            yield Failure(path=path, reason=f"expected true or false, got {value!r}")
    elif kind == "string":
        yield from text(shape, value if isinstance(value, str) else str(value), path)
    elif kind == "timestamp":
        yield from _time(value, path)


def _number(shape: Shape, kind: str, value: Any, path: str) -> Iterator[Failure]:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or number != number or (kind in ("integer", "long") and not number.is_integer()):
        yield Failure(path=path, reason=f"expected a number ({kind}), got {value!r}")
        return
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and number < low) or (high is not None and number > high):
        yield Failure(path=path, reason=f"{value} is out of range; allowed: {_range(low, high)}")


def _time(value: Any, path: str) -> Iterator[Failure]:
    try:
        datetime.datetime.strptime(str(value), TIME_FORMAT)
    except ValueError:
        yield Failure(path=path, reason=f"expected a time such as 2026-11-21T14:00:00Z, got {value!r}")


def text(shape: Shape, value: str, path: str) -> Iterator[Failure]:
    """What is wrong with a text."""
    choices = shape.enum if isinstance(shape, StringShape) else []
    if choices and value not in choices:
        yield Failure(path=path, reason=f"{value!r} is not allowed; {nearest(value, choices)}")
        return
    yield from size(shape, len(value), "characters", path)
    pattern = shape.metadata.get("pattern")
    if pattern and not compiled(pattern).fullmatch(value):
        yield Failure(path=path, reason=f"{value!r} does not match the API's pattern {pattern}")


def size(shape: Shape, count: int, unit: str, path: str) -> Iterator[Failure]:
    """Whether there are too few or too many characters, items or entries."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and count < low) or (high is not None and count > high):
        yield Failure(path=path, reason=f"has {count} {unit}; allowed: {_range(low, high)}")


def _range(low: float | None, high: float | None) -> str:
    return f"{'any' if low is None else low} to {'any' if high is None else high}"


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """An API pattern, which is in Java's dialect: its Unicode classes are widened to what Python has."""
    for java, python in _JAVA_TO_PYTHON.items():
        pattern = pattern.replace(java, python)
    flags = re.DOTALL | (re.IGNORECASE if ANY_CASE in pattern else 0)  # Java takes it anywhere, Python at the start
    return re.compile(pattern.replace(ANY_CASE, ""), flags)
