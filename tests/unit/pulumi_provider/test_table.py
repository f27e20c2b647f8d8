"""Every row against botocore's models and against pulumi-aws' own classes, so that a typo cannot hide."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from collections.abc import Iterator
from keyword import iskeyword

import pytest
from pulumi._types import input_type_py_to_pulumi_names

from localaws.pulumi_provider.bind import Node, bind, operation_input, service_model
from localaws.pulumi_provider.scalars import compiled
from localaws.pulumi_provider.schema import Form, ResourceType
from localaws.pulumi_provider.table import TABLE

ROWS = pytest.mark.parametrize("row", TABLE.values(), ids=[token.rpartition(":")[2] for token in TABLE])


def _classes(row: ResourceType) -> tuple[type, type, object]:
    """pulumi-aws' resource class, its input class and the module of its nested input classes."""
    service = row.token.removeprefix("aws:").partition("/")[0]
    module = importlib.import_module(f"pulumi_aws.{service + '_' if iskeyword(service) else service}")
    name = row.token.rpartition(":")[2]
    # The inputs of a resource that is called like a nested structure are `InitArgs`.
    arguments = getattr(module, f"{name}InitArgs", None) or getattr(module, f"{name}Args")
    return getattr(module, name), arguments, module


def _properties(arguments: type) -> dict[str, tuple[str, bool]]:
    """Annotation text and requiredness of each property, by Pulumi name."""
    names = input_type_py_to_pulumi_names(arguments)
    annotations = {key: repr(value) for key, value in arguments.__init__.__annotations__.items()}  # type: ignore[misc]
    defaults = arguments.__init__.__kwdefaults__ or {}  # type: ignore[misc]
    return {pulumi: (annotations[python], python not in defaults) for python, pulumi in names.items()}


def _nested_class(annotation: str, module: object) -> type | None:
    found = [name for name in re.findall(r"(\w+Args)\b", annotation) if hasattr(module, name)]
    return getattr(module, found[0]) if found else None


def _differences(row: ResourceType, node: Node, arguments: type, module: object, path: str) -> Iterator[str]:
    """Members that only one side has, at every depth."""
    if node.form is Form.ONE_OF_LIST or (node.element and not node.members):
        node = node.element or node
    theirs = _properties(arguments)
    for name in theirs.keys() - node.members.keys():
        if f"{path}.{name}" not in row.refused:
            yield f"{path}.{name} is missing in the table"
    for name in node.members.keys() - theirs.keys():
        yield f"{path}.{name} is not in pulumi-aws: add it to absent"
    for name in theirs.keys() & node.members.keys():
        nested = _nested_class(theirs[name][0], module)
        child = node.members[name].node
        is_list = "Sequence" in theirs[name][0].partition("Args")[0]
        ours_is_list = child.form is Form.LIST_OF_ONE or (child.shape.type_name == "list" and child.form is Form.SAME)
        if is_list != ours_is_list:
            yield f"{path}.{name}: list in pulumi-aws: {is_list}"
        if nested is not None and child.form is not Form.PAIRS:
            yield from _differences(row, child, nested, module, f"{path}.{name}")


@ROWS
def test_every_operation_exists(row: ResourceType) -> None:
    tag_operations = (row.tags.add, row.tags.remove, row.tags.list) if row.tags else ()
    named = [row.create, row.read.operation, row.delete, *tag_operations]
    named += [operation for step in row.steps for operation in (step.operation, step.remove)]
    assert {name for name in named if name} <= set(service_model(row.service).operation_names)


@ROWS
def test_every_request_member_exists(row: ResourceType) -> None:
    uses = [(row.read.operation, row.read.key or row.key)]
    uses += [(row.delete, row.key)] if row.delete else []
    uses += [(step.operation, step.key or row.key) for step in row.steps]
    if row.tags:
        uses += [(name, row.tags.key) for name in (row.tags.add, row.tags.remove, row.tags.list) if name]
        uses += [(row.tags.add, {row.tags.add_member.partition(".")[0]: ""})]
        uses += [(row.tags.remove, {row.tags.remove_member: ""})] if row.tags.remove and row.tags.remove_member else []
    for operation, members in uses:
        assert members.keys() <= operation_input(row, operation).members.keys(), operation


@ROWS
def test_inputs_are_those_of_pulumi_aws(row: ResourceType) -> None:
    _, arguments, _ = _classes(row)
    theirs = _properties(arguments)
    top_level_refused = {name for name in row.refused if "." not in name}
    assert set(row.names()) | top_level_refused == theirs.keys()
    assert not set(row.names()) & top_level_refused
    assert {name for name, spec in row.inputs.items() if spec.required} == {
        name for name, (_, required) in theirs.items() if required
    }


@ROWS
def test_nested_members_are_those_of_pulumi_aws(row: ResourceType) -> None:
    _, arguments, module = _classes(row)
    theirs = _properties(arguments)
    found = []
    for name, bound in bind(row).items():
        nested = _nested_class(theirs[name][0], module)
        if nested is not None and bound.node.form is not Form.JSON:
            found += list(_differences(row, bound.node, nested, module, name))
    assert found == []


@ROWS
def test_outputs_are_those_of_pulumi_aws(row: ResourceType) -> None:
    resource, _, _ = _classes(row)
    getters = {
        getattr(value.fget, "_pulumi_name", name)
        for name, value in vars(resource).items()
        if isinstance(value, property)
    }
    outputs = {*row.outputs, *row.derived, *(["tagsAll"] if row.tags else []), *(["region"] if row.regional else [])}
    assert outputs <= getters


@ROWS
def test_every_input_that_may_change_has_an_update(row: ResourceType) -> None:
    updated = set(bind(row)) if row.upsert else {name for step in row.steps for name in step.properties}
    changeable = {name for name in bind(row) if not row.inputs[name].replaces or row.inputs[name].updatable}
    assert changeable <= updated


@ROWS
def test_an_input_that_create_does_not_take_is_set_right_after(row: ResourceType) -> None:
    late = {name for name, bound in bind(row).items() if not bound.creates}
    assert late == {name for step in row.steps if step.on_create for name in step.properties}


@ROWS
def test_key_can_be_had_from_the_import_id(row: ResourceType) -> None:
    assert set(row.key.values()) == set(re.compile(row.import_id).groupindex)


@ROWS
def test_every_pattern_of_the_api_compiles(row: ResourceType) -> None:
    def patterns(node: Node) -> Iterator[str]:
        if "pattern" in node.shape.metadata:
            yield node.shape.metadata["pattern"]
        for child in [*(bound.node for bound in node.members.values()), *([node.element] if node.element else [])]:
            yield from patterns(child)

    for bound in bind(row).values():
        for pattern in patterns(bound.node):
            assert compiled(pattern).pattern


def test_the_table_is_written_for_the_installed_pulumi_aws() -> None:
    assert importlib.metadata.version("pulumi-aws") == "7.51.1"
    assert len(TABLE) == 49
