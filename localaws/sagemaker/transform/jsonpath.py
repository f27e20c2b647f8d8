"""The JSONPath subset of batch transform's filters: `$`, `$.a.b`, `$['a','b']`, `$[0,-1]`, `$[1:3]`, `*`.

    select(parse("$['id','SageMakerOutput']"), record)

A row of CSV is a list. As AWS's guide says ("Associate Prediction Results with Input Records"), the end of a range is
included: `$[1:3]` is the second to the fourth column. Only one range may stand in brackets.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"\.?\[([^\]]*)\]|\.(\*|[^.\[\]'\"\s]+)")
_NAMES = re.compile(r"\s*'([^']*)'\s*|\s*\"([^\"]*)\"\s*")
_INDEX = re.compile(r"-?\d+")
_RANGE = re.compile(r"(-?\d*):(-?\d*)")


class PathError(ValueError):
    """A path that is none, or that the data do not have."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One part of a path; exactly one of the first three is set, or `everything`.

    `ranges`: (first, last) with last included, None for an open end; an index is a range of one. `many`: the result is
    a collection even if it holds one item.
    """

    names: tuple[str, ...] = ()
    ranges: tuple[tuple[int | None, int | None], ...] = ()
    everything: bool = False
    many: bool = False


Path = tuple[Step, ...]


def parse(text: str) -> Path:
    """The steps of a path. Raises PathError."""
    if not text.startswith("$"):
        raise PathError(f"Invalid JsonPath: {text}: it must begin with $")
    steps, at = [], 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise PathError(f"Invalid JsonPath: {text}: cannot read {text[at:]!r}")
        steps.append(_bracket(text, found[1]) if found[1] is not None else _dotted(found[2]))
        at = found.end()
    if any(len(step.names) > 1 for step in steps[:-1]):
        raise PathError(f"Invalid JsonPath: {text}: nothing may follow a list of names")
    return tuple(steps)


def _dotted(name: str) -> Step:
    return Step(everything=True, many=True) if name == "*" else Step(names=(name,))


def _bracket(text: str, inside: str) -> Step:
    if inside.strip() == "*":
        return Step(everything=True, many=True)
    parts = inside.split(",")
    if "'" in inside or '"' in inside:
        found = [_NAMES.fullmatch(part) for part in parts]
        names = tuple(match[1] if match[1] is not None else match[2] for match in found if match is not None)
        if len(names) == len(parts):
            return Step(names=names, many=len(names) > 1)
    elif sum(":" in part for part in parts) > 1:
        raise PathError(
            f"Invalid JsonPath: {text}: only single range filters of format (eg: [1:5]) are supported. "
            f"Format [{inside}] is not supported"
        )
    else:
        ranges = [_range(part.strip()) for part in parts]
        if all(ranges):
            return Step(ranges=tuple(item for item in ranges if item), many=len(parts) > 1 or ":" in inside)
    raise PathError(f"Invalid JsonPath: {text}: cannot read [{inside}]")


def _range(part: str) -> tuple[int | None, int | None] | None:
    if _INDEX.fullmatch(part):
        return int(part), int(part)
    found = _RANGE.fullmatch(part)
    if found is None or "-" in (found[1], found[2]):
        return None
    return (int(found[1]) if found[1] else None), (int(found[2]) if found[2] else None)


def select(path: Path, value: Any) -> Any:
    """What the path picks: a value, a list for several items, an object for several names. Raises PathError."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if step.names:
        return select(rest, _members(step, value))
    items = _items(step, value)
    return [select(rest, item) for item in items] if step.many else select(rest, items[0])


def _members(step: Step, value: Any) -> Any:
    if not isinstance(value, dict):
        raise PathError(f"a record of type {type(value).__name__} has no attribute {', '.join(step.names)}")
    missing = [name for name in step.names if name not in value]
    if missing:
        raise PathError(f"the record has no attribute {', '.join(missing)}; it has {', '.join(value)}")
    return {name: value[name] for name in step.names} if step.many else value[step.names[0]]


def _items(step: Step, value: Any) -> Sequence[Any]:
    if step.everything and isinstance(value, dict):
        return list(value.values())
    if not isinstance(value, list):
        raise PathError(f"a record of type {type(value).__name__} has no items to choose by index")
    if step.everything:
        return value
    return [value[number] for item in step.ranges for number in _numbers(item, len(value))]


def _numbers(item: tuple[int | None, int | None], size: int) -> range:
    """The positions that a range means in a list. Raises PathError for an index that the list does not have."""
    first, last = (0 if item[0] is None else item[0]), (size - 1 if item[1] is None else item[1])
    if item[0] is not None and item[0] == item[1] and not -size <= first < size:
        raise PathError(f"index {first} is outside of a record of {size} columns")
    begin = max(first + size, 0) if first < 0 else first
    end = last + size if last < 0 else min(last, size - 1)
    return range(begin, end + 1)
