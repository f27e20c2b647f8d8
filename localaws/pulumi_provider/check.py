"""Checks of a program's inputs before anything is called: names, required members, and the API model's own rules."""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import Shape, StringShape

from localaws.pulumi_provider import documents
from localaws.pulumi_provider.bind import Bound, Node, bind
from localaws.pulumi_provider.schema import Form, Properties, ResourceType
from localaws.pulumi_provider.values import UNKNOWN, is_asset

_JAVA_TO_PYTHON = {
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{L}": r"\w",
    r"\p{M}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Print}": "[ -~]",
    r"\p{Z}": r"\s",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",  # surrogate pairs
}
SHOWN_CHOICES = 8  # of an enumeration that may have hundreds


class UnknownTokenError(Exception):
    """A resource type or function that this provider does not have."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One thing wrong with the inputs: property path and what to do about it."""

    path: str
    reason: str


def check(row: ResourceType, properties: Properties) -> list[Failure]:
    """Everything wrong with inputs whose defaults and names are filled in."""
    return [*_names(row, properties), *_required(row, properties), *_values(row, properties)]


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the closest known name, or with all names if none is close."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    shown = ", ".join(choices[:SHOWN_CHOICES]) + (", ..." if len(choices) > SHOWN_CHOICES else "")
    return f"did you mean {close[0]!r}?" if close else f"known are {shown}"


def _names(row: ResourceType, properties: Properties) -> Iterator[Failure]:
    known = row.names()
    for name in properties:
        if name.startswith("__") or name in known:
            continue
        if name in row.refused:
            reason = f"{row.token} has {name!r} in pulumi-aws, but the embedded AWS does not support it; leave it out"
        else:
            reason = f"{row.token} has no property {name!r}; {nearest(name, known)}"
        yield Failure(path=name, reason=reason)


def _required(row: ResourceType, properties: Properties) -> Iterator[Failure]:
    for name, spec in row.inputs.items():
        if spec.required and properties.get(name) is None:
            yield Failure(path=name, reason=f"{row.token} requires {name!r}; set it")


def _values(row: ResourceType, properties: Properties) -> Iterator[Failure]:
    for name, bound in bind(row).items():
        if properties.get(name) is not None:
            yield from _value(row, bound.node, properties[name], name)
    for name, spec in row.inputs.items():
        value = properties.get(name)
        if spec.pattern and isinstance(value, str) and not re.fullmatch(spec.pattern, value):
            yield Failure(path=name, reason=f"{value!r} does not match {spec.pattern}")
    tags = properties.get("tags")
    if row.tags and isinstance(tags, Mapping):
        for key, value in tags.items():
            if not isinstance(value, str) and value is not UNKNOWN:
                yield Failure(path=f"tags.{key}", reason=f"{value!r} is not a string; tag values are strings")


def _value(row: ResourceType, node: Node, value: Any, path: str) -> Iterator[Failure]:
    if value is UNKNOWN:
        return
    if node.form is Form.JSON:
        yield from _json(node, value, path)
    elif node.form is Form.LIST_OF_ONE:
        yield from _list_of_one(row, node, value, path)
    elif node.form is Form.ONE_OF_LIST and node.element:
        yield from _value(row, node.element, value, path)
    elif node.form is Form.PAIRS:
        yield from _expect(value, dict, "a map of strings", path)
    elif node.shape.type_name == "structure":
        yield from _structure(row, node, value, path)
    elif node.shape.type_name == "map" and node.element:
        yield from _map(row, node.element, node.shape, value, path)
    elif node.shape.type_name == "list" and node.element:
        yield from _list(row, node.element, node.shape, value, path)
    else:
        yield from _scalar(node.shape, value, path)


def _json(node: Node, value: Any, path: str) -> Iterator[Failure]:
    if not isinstance(value, str):
        yield Failure(path=path, reason=f"expected a JSON document as text or a map, got {json.dumps(value)[:60]}")
    elif problem := documents.problem(value):
        yield Failure(path=path, reason=problem)
    else:
        yield from _scalar(node.shape, value, path)


def _list_of_one(row: ResourceType, node: Node, value: Any, path: str) -> Iterator[Failure]:
    yield from (wrong := list(_expect(value, list, "a list of one", path)))
    if wrong:
        return
    if len(value) > 1:
        yield Failure(path=path, reason=f"has {len(value)} items; the API takes one")
    for index, item in enumerate(value):
        yield from _structure(row, node, item, f"{path}[{index}]")


def _structure(row: ResourceType, node: Node, value: Any, path: str) -> Iterator[Failure]:
    if value is UNKNOWN:
        return
    yield from (wrong := list(_expect(value, dict, "an object", path)))
    if wrong:
        return
    plain_path = re.sub(r"\[\d+\]", "", path)
    for name, item in value.items():
        here = f"{path}.{name}"
        if name in node.members:
            yield from _value(row, node.members[name].node, item, here) if item is not None else ()
        elif f"{plain_path}.{name}" in row.refused:
            yield Failure(
                path=here, reason=f"{row.token}: the embedded AWS does not support {name!r} here; leave it out"
            )
        else:
            yield Failure(
                path=here, reason=f"{row.token} has no property {name!r} in {path!r}; {nearest(name, node.members)}"
            )
    yield from _missing_members(node.members, value, path)


def _missing_members(members: Mapping[str, Bound], value: Mapping[str, Any], path: str) -> Iterator[Failure]:
    for name, bound in members.items():
        if bound.required and value.get(name) is None:
            yield Failure(path=f"{path}.{name}", reason=f"{path!r} requires {name!r}; set it")


def _map(row: ResourceType, element: Node, shape: Shape, value: Any, path: str) -> Iterator[Failure]:
    yield from (wrong := list(_expect(value, dict, "a map", path)))
    if wrong:
        return
    yield from _size(shape, len(value), "entries", path)
    for key, item in value.items():
        yield from _value(row, element, item, f'{path}["{key}"]')


def _list(row: ResourceType, element: Node, shape: Shape, value: Any, path: str) -> Iterator[Failure]:
    yield from (wrong := list(_expect(value, list, "a list", path)))
    if wrong:
        return
    yield from _size(shape, len(value), "items", path)
    for index, item in enumerate(value):
        yield from _value(row, element, item, f"{path}[{index}]")


def _expect(value: Any, kind: type, description: str, path: str) -> Iterator[Failure]:
    if not isinstance(value, kind) or is_asset(value):
        yield Failure(path=path, reason=f"expected {description}, got {value!r}")


def _scalar(shape: Shape, value: Any, path: str) -> Iterator[Failure]:
    kind = shape.type_name
    if isinstance(value, dict | list):
        yield Failure(path=path, reason=f"expected one {kind}, got {value!r}")
    elif kind in ("integer", "long", "float", "double"):
        yield from _number(shape, kind, value, path)
    elif kind == "boolean":
        if not isinstance(value, bool) and value not in ("true", "false"):
            yield Failure(path=path, reason=f"expected true or false, got {value!r}")
    elif kind == "string":
        yield from _text(shape, value if isinstance(value, str) else str(value), path)


def _number(shape: Shape, kind: str, value: Any, path: str) -> Iterator[Failure]:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if isinstance(value, bool) or number != number or (kind in ("integer", "long") and not number.is_integer()):
        yield Failure(path=path, reason=f"expected a number ({kind}), got {value!r}")
        return
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and number < low) or (high is not None and number > high):
        yield Failure(path=path, reason=f"{value} is out of range; allowed: {_range(low, high)}")


def _text(shape: Shape, value: str, path: str) -> Iterator[Failure]:
    choices = shape.enum if isinstance(shape, StringShape) else []
    if choices and value not in choices:
        yield Failure(path=path, reason=f"{value!r} is not allowed; {nearest(value, choices)}")
        return
    yield from _size(shape, len(value), "characters", path)
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield Failure(path=path, reason=f"{value!r} does not match the API's pattern {pattern}")


def _size(shape: Shape, size: int, unit: str, path: str) -> Iterator[Failure]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        yield Failure(path=path, reason=f"has {size} {unit}; allowed: {_range(low, high)}")


def _range(low: float | None, high: float | None) -> str:
    return f"{'any' if low is None else low} to {'any' if high is None else high}"


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """An API pattern, which is in Java's dialect: its Unicode classes are widened to what Python has."""
    for java, python in _JAVA_TO_PYTHON.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern, re.DOTALL)
