"""Ties a row's properties to the shapes of botocore's service models.

The result is a tree that conversion, checks and refresh all walk: for each Pulumi property the request path, the API
shape and, for structures, their members under Pulumi's names. Pulumi's name of a member is its snake_case name in
camelCase (`VolumeSizeInGB` -> `volumeSizeInGb`), unless the row says otherwise.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from localaws.pulumi_provider.schema import Form, Input, Member, ResourceType


@dataclass(frozen=True, kw_only=True)
class Node:
    """One value: its API shape, and how Pulumi's form of it differs."""

    shape: Shape
    form: Form = Form.SAME
    members: Mapping[str, Bound] = field(default_factory=dict)  # of a structure, by Pulumi name
    element: Node | None = None  # of a list, or the values of a map


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A property bound to the API: request path (dotted) or member name, and its node."""

    api: str  # empty: a hook of the row places it
    node: Node
    required: bool = False
    default: Any = None  # sent when a structure leaves this member out
    creates: bool = True  # False: only an update step takes it


SESSION = botocore.session.Session()
"""One botocore session: its loader caches the service models, and reading one costs tens of milliseconds."""


SESSION_LOCK = threading.Lock()
"""For every use of the session: it builds its parts on first use and is not made for threads. Clients are."""


@functools.cache
def service_model(service: str) -> ServiceModel:
    """The service's model, from botocore's own data."""
    with SESSION_LOCK:
        return SESSION.get_service_model(service)


def pulumi_name(member: str) -> str:
    """Pulumi's name for an API member: `SSEAlgorithm` -> `sseAlgorithm`."""
    first, *rest = xform_name(member).split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


@functools.cache
def bind(row: ResourceType) -> Mapping[str, Bound]:
    """The row's inputs that go into requests, by name. Raises LookupError where the table contradicts the model."""
    return {name: _bind_input(row, name, spec) for name, spec in row.inputs.items() if not spec.local}


def operation_input(row: ResourceType, operation: str) -> StructureShape:
    """Input shape of one of the row's operations. Raises botocore's OperationNotFoundError for a wrong name."""
    shape = service_model(row.service).operation_model(operation).input_shape
    return shape if shape is not None else StructureShape(operation, {"type": "structure", "members": {}})


def own_node(name: str, spec: Input) -> Node:
    """The node of an input with a `kind`, for which the API has no shape."""
    limits = dict(zip(("min", "max"), spec.limits, strict=True)) if spec.limits else {}
    return Node(shape=Shape(name, {"type": spec.kind, **limits}), form=spec.form)


def _bind_input(row: ResourceType, name: str, spec: Input) -> Bound:
    if spec.kind is not None:
        late = any(step.on_create and name in step.properties for step in row.steps)
        return Bound(api="", node=own_node(name, spec), required=spec.required, creates=not late)
    for position, (shape, path) in enumerate(_candidates(row, name, spec)):
        found = _descend(shape, path.split(".")) if path else _find(shape, name)
        if found is not None:
            api, member = (path, found[1]) if path else found
            node = _node(row, member, name, spec.form)
            return Bound(api=api, node=node, required=spec.required, creates=position == 0)
    raise LookupError(f"{row.token}: no operation of the row has a member for the input {name!r}")


def _candidates(row: ResourceType, name: str, spec: Input) -> Iterator[tuple[Shape, str | None]]:
    """Where an input may be declared: the create operation, then the update steps that send it."""
    yield operation_input(row, row.create), spec.api
    for step in row.steps:
        if name in step.properties:
            yield operation_input(row, step.operation), step.params.get(name, spec.api)


def _find(shape: Shape, name: str) -> tuple[str, Shape] | None:
    """The member that Pulumi calls `name`."""
    members: Mapping[str, Shape] = getattr(shape, "members", {})
    return next(((api, member) for api, member in members.items() if pulumi_name(api) == name), None)


def _descend(shape: Shape, path: list[str]) -> tuple[str, Shape] | None:
    """The shape at a dotted path of API members."""
    for part in path:
        members: Mapping[str, Shape] = getattr(shape, "members", {})
        if isinstance(shape, MapShape):
            shape = shape.value
        elif part in members:
            shape = members[part]
        else:
            return None
    return path[-1], shape


def _node(row: ResourceType, shape: Shape, path: str, form: Form) -> Node:
    if form is Form.JSON:
        return Node(shape=shape, form=form)
    if form is Form.ONE_OF_LIST or (isinstance(shape, ListShape) and form is Form.SAME):
        assert isinstance(shape, ListShape), f"{row.token}: {path} is no list in the API"
        return Node(shape=shape, form=form, element=_node(row, shape.member, path, Form.SAME))
    if isinstance(shape, MapShape):
        return Node(shape=shape, form=form, element=_node(row, shape.value, path, Form.SAME))
    if isinstance(shape, StructureShape):
        return Node(shape=shape, form=form, members=_members(row, shape, path))
    return Node(shape=shape, form=form)


def _members(row: ResourceType, shape: StructureShape, path: str) -> dict[str, Bound]:
    renamed = {spec.api: name for name, spec in _nested(row, path).items() if spec.api}
    found: dict[str, Bound] = {}
    for api, member in shape.members.items():
        name = renamed.get(api, pulumi_name(api))
        here = f"{path}.{name}"
        if here in row.absent:
            continue
        special = row.nested.get(here, Member())
        if special.form is Form.LIFTED:
            assert isinstance(member, StructureShape), f"{row.token}: {here} is no structure in the API"
            lifted = _members(row, member, path)
            found |= {inner: replace(bound, api=f"{api}.{bound.api}") for inner, bound in lifted.items()}
            continue
        found[name] = Bound(
            api=api,
            node=_node(row, member, here, special.form),
            required=api in shape.required_members and special.default is None,
            default=special.default,
        )
    return found


def _nested(row: ResourceType, path: str) -> dict[str, Member]:
    """The row's special members directly below a path, by their own name."""
    pairs = ((full.rpartition("."), spec) for full, spec in row.nested.items())
    return {name: spec for (parent, _, name), spec in pairs if parent == path}
