"""Values between Pulumi's form and the API's, guided by the bound tree of `bind.py`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from localaws.pulumi_provider import documents
from localaws.pulumi_provider.bind import Node, bind
from localaws.pulumi_provider.schema import Form, Properties, ResourceType


def request(row: ResourceType, properties: Properties) -> dict[str, Any]:
    """The create operation's parameters for these inputs (tags, region and hooks are not its business)."""
    params: dict[str, Any] = {}
    for name, bound in bind(row).items():
        if bound.creates and bound.api and is_set(bound.node, properties.get(name)):
            put(params, bound.api, to_api(bound.node, properties[name]))
    return params


def put(params: dict[str, Any], path: str, value: Any) -> None:
    """Sets a value at a dotted path, making the structures on the way."""
    *parents, last = path.split(".")
    for parent in parents:
        params = params.setdefault(parent, {})
    params[last] = value


def dig(value: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where a part of the way is missing."""
    found: Any = value
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def is_set(node: Node, value: Any) -> bool:
    """Whether there is something to send: a list of at most one may be empty."""
    return value is not None and not (node.form is Form.LIST_OF_ONE and value == [])


def prune(shape: Shape | None, value: Any) -> Any:
    """A value in the API's form without the members that this shape lacks: updates take less than creation."""
    if isinstance(shape, StructureShape):
        return {name: prune(shape.members[name], item) for name, item in value.items() if name in shape.members}
    return value


def to_api(node: Node, value: Any) -> Any:
    """One value in the API's form. The value has passed `check.py`, so it fits the shape."""
    if node.form is Form.JSON:
        return documents.to_text(value)
    if node.form is Form.LIST_OF_ONE:
        value = value[0]
    if node.form is Form.ONE_OF_LIST:
        value = [value]
    if node.form is Form.PAIRS:
        key_member, value_member = pair_members(node.shape)
        return [{key_member: key, value_member: _scalar("string", item)} for key, item in value.items()]
    if node.form in (Form.NUMBER_TEXT, Form.BOOLEAN_TEXT):
        return _scalar("string", int(value) if node.form is Form.NUMBER_TEXT else _scalar("boolean", value))
    if node.members:
        members: dict[str, Any] = {}
        for name, bound in node.members.items():
            if is_set(bound.node, item := value.get(name, bound.default)):
                put(members, bound.api, to_api(bound.node, item))
        return members
    if node.element is not None:
        if isinstance(value, Mapping):
            return {key: to_api(node.element, item) for key, item in value.items()}
        return [to_api(node.element, item) for item in value]
    return _scalar(node.shape.type_name, value)


def _scalar(kind: str, value: Any) -> Any:
    """A scalar in the type that the API wants; Pulumi sends some numbers as text and takes numbers for text."""
    if kind in ("integer", "long"):
        return int(float(value)) if isinstance(value, str) else int(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else value == "true"
    if kind == "string" and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value


def from_api(node: Node, value: Any) -> Any:
    """One value of an answer in Pulumi's form; API members without a Pulumi name are left out."""
    if value is None:
        return None
    if node.form is Form.JSON:
        return documents.to_text(value)
    if node.form is Form.LIST_OF_ONE:
        return [_structure(node, value)]
    if node.form is Form.ONE_OF_LIST and node.element is not None:
        return from_api(node.element, value[0]) if value else None
    if node.form is Form.PAIRS:
        key_member, value_member = pair_members(node.shape)
        return {item[key_member]: item[value_member] for item in value}
    if node.form is Form.NUMBER_TEXT:
        return int(value) if value else None
    if node.form is Form.BOOLEAN_TEXT:
        return value == "true"
    if node.members:
        return _structure(node, value)
    if node.element is not None:
        if isinstance(value, Mapping):
            return {key: from_api(node.element, item) for key, item in value.items()}
        return [from_api(node.element, item) for item in value]
    return _time(value) if isinstance(value, datetime.datetime) else value


def pair_members(shape: Shape) -> tuple[str, str]:
    """The two members of a list's structures: `Key` and `Value` of a tag, `Name` and `Value` of a dimension."""
    assert isinstance(shape, ListShape) and isinstance(shape.member, StructureShape)
    key, value = shape.member.members
    return key, value


def _time(value: datetime.datetime) -> str:
    """A time as programs write it: `2026-11-21T14:00:00Z`."""
    return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _structure(node: Node, value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: from_api(bound.node, found)
        for name, bound in node.members.items()
        if (found := dig(value, bound.api)) is not None
    }
