"""Values between Pulumi's form and the API's, guided by the bound tree of `bind.py`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from botocore.model import Shape, StructureShape

from localaws.pulumi_provider import documents
from localaws.pulumi_provider.bind import Node, bind
from localaws.pulumi_provider.schema import Form, Properties, ResourceType


def request(row: ResourceType, properties: Properties) -> dict[str, Any]:
    """The create operation's parameters for these inputs (tags, region and hooks are not its business)."""
    params: dict[str, Any] = {}
    for name, bound in bind(row).items():
        if bound.creates and properties.get(name) is not None:
            put(params, bound.api, to_api(bound.node, properties[name]))
    return params


def put(params: dict[str, Any], path: str, value: Any) -> None:
    """Sets a value at a dotted path, making the structures on the way."""
    *parents, last = path.split(".")
    for parent in parents:
        params = params.setdefault(parent, {})
    params[last] = value


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
        value = value[0] if value else {}
    if node.form is Form.ONE_OF_LIST:
        value = [value]
    if node.form is Form.PAIRS:
        return [{"Key": key, "Value": item} for key, item in value.items()]
    if node.members:
        given = {name: value.get(name, bound.default) for name, bound in node.members.items()}
        present = ((node.members[name], item) for name, item in given.items() if item is not None)
        return {bound.api: to_api(bound.node, item) for bound, item in present}
    if node.element is not None:
        if isinstance(value, Mapping):
            return {key: to_api(node.element, item) for key, item in value.items()}
        return [to_api(node.element, item) for item in value]
    return _scalar(node.shape.type_name, value)


def _scalar(kind: str, value: Any) -> Any:
    """A scalar in the type that the API wants; Pulumi sends some numbers as text and takes numbers for text."""
    if kind in ("integer", "long"):
        return int(value)
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
        return {item["Key"]: item["Value"] for item in value}
    if node.members:
        return _structure(node, value)
    if node.element is not None:
        if isinstance(value, Mapping):
            return {key: from_api(node.element, item) for key, item in value.items()}
        return [from_api(node.element, item) for item in value]
    return value.isoformat() if isinstance(value, datetime.datetime) else value


def _structure(node: Node, value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: from_api(bound.node, value[bound.api])
        for name, bound in node.members.items()
        if value.get(bound.api) is not None
    }
