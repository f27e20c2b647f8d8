"""The inputs that a refreshed or imported resource would have been made with.

On refresh only what the program set is compared with AWS: members that it left to AWS cannot drift. On import nothing
is known of a program, so every non-empty value that AWS reports becomes an input.
"""

from __future__ import annotations

from typing import Any

from localaws.pulumi_provider.bind import Node, bind
from localaws.pulumi_provider.diff import SAME, equal
from localaws.pulumi_provider.schema import Form, Properties, ResourceType


def refreshed_inputs(row: ResourceType, inputs: Properties, actual: Properties) -> Properties:
    """Old inputs with the values that AWS has now. Local inputs, and defaults' bookkeeping, stay."""
    bound = bind(row)
    result = dict(inputs)
    for name in inputs:
        if name in bound:
            result[name] = _project(bound[name].node, inputs[name], actual.get(name))
    if row.tags:
        result["tags"] = actual.get("tags") or None
    return {name: value for name, value in result.items() if value is not None}


def imported_inputs(row: ResourceType, actual: Properties) -> Properties:
    """Inputs of a resource that Pulumi did not make: everything that is set and settable."""
    names = [*(name for name, spec in row.inputs.items() if not spec.local), *(["tags"] if row.tags else [])]
    found = {name: _without_empty(actual.get(name)) for name in names}
    local = {name: spec.default for name, spec in row.inputs.items() if spec.local}
    return {name: value for name, value in {**local, **found}.items() if value is not None}


def _project(node: Node, old: Any, actual: Any) -> Any:
    """`actual`, cut down to the members that `old` has."""
    if actual is None:
        return old if old in (False, 0, "", [], {}) else None  # AWS leaves out what is off or empty
    if node.form in SAME:
        return old if SAME[node.form](old, actual) else actual
    if equal(old, actual):
        return old
    if isinstance(old, dict) and isinstance(actual, dict) and node.members:
        projected = {
            name: _project(node.members[name].node, old[name], actual.get(name)) if name in node.members else old[name]
            for name in old
        }
        return {name: value for name, value in projected.items() if value is not None}
    if isinstance(old, dict) and isinstance(actual, dict) and node.form is Form.ONE_OF_LIST and node.element:
        return _project(node.element, old, actual)
    if isinstance(old, list) and isinstance(actual, list):
        return _project_list(node, old, actual)
    return actual


def _project_list(node: Node, old: list[Any], actual: list[Any]) -> list[Any]:
    """Items by position; an order that AWS changed is no drift."""
    if len(old) == len(actual) and all(any(equal(item, other) for other in actual) for item in old):
        return old
    one_structure = Node(shape=node.shape, members=node.members)
    item_node = one_structure if node.form is Form.LIST_OF_ONE else node.element
    if item_node is None:
        return actual
    kept = [_project(item_node, one, other) for one, other in zip(old, actual, strict=False)]
    return kept + actual[len(old) :]


def _without_empty(value: Any) -> Any:
    """The value without empty members; None if nothing is left."""
    if isinstance(value, dict):
        value = {key: _without_empty(item) for key, item in value.items()}
        value = {key: item for key, item in value.items() if item is not None}
    return None if value in ("", [], {}) else value
