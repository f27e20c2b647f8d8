"""Checks of a program's inputs before anything is called: names, required members, and the API model's own rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from localaws.pulumi_provider import documents
from localaws.pulumi_provider.bind import Bound, Node, bind, operation_input, own_node
from localaws.pulumi_provider.convert import pair_members
from localaws.pulumi_provider.scalars import Failure, nearest, scalar, size, text
from localaws.pulumi_provider.schema import Form, Properties, ResourceType, TagStyle
from localaws.pulumi_provider.values import UNKNOWN, is_asset

TEXT_KINDS = {Form.NUMBER_TEXT: "integer", Form.BOOLEAN_TEXT: "boolean"}


class UnknownTokenError(Exception):
    """A resource type or function that this provider does not have."""


def check(row: ResourceType, properties: Properties) -> list[Failure]:
    """Everything wrong with inputs whose defaults and names are filled in."""
    return [*_names(row, properties), *_required(row, properties), *_values(row, properties)]


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
    """Inputs that pulumi-aws requires, and those that only the API's create operation does."""
    required = {name for name, spec in row.inputs.items() if spec.required}
    named = row.auto_name.property if row.auto_name else None  # generated; what hinders that is reported there
    for api in operation_input(row, row.create).required_members:
        senders = [name for name, bound in bind(row).items() if bound.api.partition(".")[0] == api and name != named]
        if senders and not any(properties.get(name) is not None for name in senders):
            required.add(senders[0])
    for name in row.inputs:
        if name in required and properties.get(name) is None:
            yield Failure(path=name, reason=f"{row.token} requires {name!r}; set it")


def _values(row: ResourceType, properties: Properties) -> Iterator[Failure]:
    for name, bound in bind(row).items():
        if properties.get(name) is not None:
            yield from _value(row, bound.node, properties[name], name)
    for name, spec in row.inputs.items():
        value = properties.get(name)
        if spec.local and spec.kind and value is not None:
            yield from _value(row, own_node(name, spec), value, name)
        if spec.pattern and isinstance(value, str) and not re.fullmatch(spec.pattern, value):
            yield Failure(path=name, reason=f"{value!r} does not match {spec.pattern}")
    if row.tags and properties.get("tags") is not None:
        yield from _tags(row, row.tags, properties["tags"])


def _tags(row: ResourceType, style: TagStyle, tags: Any) -> Iterator[Failure]:
    """Tags by the rules of the operation that adds them."""
    if tags is UNKNOWN:
        return
    yield from (wrong := list(_expect(tags, dict, "a map of strings", "tags")))
    if wrong:
        return
    shape = _tag_shape(row, style)
    yield from size(shape, len(tags), "tags", "tags")
    key_shape, value_shape = _pair_shapes(shape)
    for key, value in tags.items():
        yield from text(key_shape, key, f"tags.{key}")
        if isinstance(value, str):
            yield from text(value_shape, value, f"tags.{key}")
        elif value is not UNKNOWN:
            yield Failure(path=f"tags.{key}", reason=f"{value!r} is not a string; tag values are strings")


def _tag_shape(row: ResourceType, style: TagStyle) -> Shape:
    """The map, or list of pairs, that the service's tag operation takes."""
    shape: Shape = operation_input(row, style.add)
    for part in style.add_member.split("."):
        assert isinstance(shape, StructureShape)
        shape = shape.members[part]
    return shape


def _pair_shapes(shape: Shape) -> tuple[Shape, Shape]:
    """The shapes of key and value, of a map or of a list of pairs."""
    if isinstance(shape, MapShape):
        return shape.key, shape.value
    assert isinstance(shape, ListShape) and isinstance(shape.member, StructureShape)
    key, value = pair_members(shape)
    return shape.member.members[key], shape.member.members[value]


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
        yield from _map(row, node.shape, value, path)
    elif node.form in TEXT_KINDS:
        yield from scalar(Shape(path, {"type": TEXT_KINDS[node.form]}), value, path)
    elif node.shape.type_name == "structure":
        yield from _structure(row, node, value, path)
    elif node.shape.type_name == "map":
        yield from _map(row, node.shape, value, path)
    elif node.shape.type_name == "list" and node.element:
        yield from _list(row, node.element, node.shape, value, path)
    else:
        yield from scalar(node.shape, value, path)


def _json(node: Node, value: Any, path: str) -> Iterator[Failure]:
    if not isinstance(value, str):
        yield Failure(path=path, reason=f"expected a JSON document as text or a map, got {json.dumps(value)[:60]}")
    elif problem := documents.problem(value):
        yield Failure(path=path, reason=problem)
    else:
        yield from scalar(node.shape, value, path)


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
            yield from _value(row, node.members[name].node, item, here)
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


def _map(row: ResourceType, shape: Shape, value: Any, path: str) -> Iterator[Failure]:
    """A map, whether the API has one or a list of pairs."""
    yield from (wrong := list(_expect(value, dict, "a map", path)))
    if wrong:
        return
    yield from size(shape, len(value), "entries", path)
    key_shape, value_shape = _pair_shapes(shape)
    for key, item in value.items():
        here = f'{path}["{key}"]'
        yield from text(key_shape, key, here)
        yield from _value(row, Node(shape=value_shape), item, here)


def _list(row: ResourceType, element: Node, shape: Shape, value: Any, path: str) -> Iterator[Failure]:
    yield from (wrong := list(_expect(value, list, "a list", path)))
    if wrong:
        return
    yield from size(shape, len(value), "items", path)
    for index, item in enumerate(value):
        yield from _value(row, element, item, f"{path}[{index}]")


def _expect(value: Any, kind: type, description: str, path: str) -> Iterator[Failure]:
    if not isinstance(value, kind) or is_asset(value):
        yield Failure(path=path, reason=f"expected {description}, got {value!r}")
