"""Completes a program's inputs: default tags, defaults, generated names, policies as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localaws.pulumi_provider import documents, naming, tags
from localaws.pulumi_provider.diff import DEFAULTS
from localaws.pulumi_provider.scalars import Failure
from localaws.pulumi_provider.schema import Form, Properties, ResourceType
from localaws.pulumi_provider.values import UNKNOWN, has_unknown


def complete(
    row: ResourceType,
    logical_name: str,
    old: Properties,
    new: Properties,
    default_tags: Mapping[str, str],
    seed: bytes,
) -> tuple[Properties, list[Failure]]:
    """New inputs with everything filled in that the program left out, and what could not be."""
    result = {name: value for name, value in new.items() if name != DEFAULTS}
    filled: list[str] = []
    failures: list[Failure] = []
    for name, spec in row.inputs.items():
        if spec.form is Form.JSON and name in result:
            result[name] = _document(result[name])
        if spec.default is not None and result.get(name) is None:
            result[name] = spec.default
            filled.append(name)
    if row.tags:
        result["tags"] = tags.merged(default_tags, result.get("tags")) or None
    if row.auto_name and result.get(row.auto_name.property) is None:
        try:
            result[row.auto_name.property] = _name(row, logical_name, old, result, seed)
            filled.append(row.auto_name.property)
        except ValueError as error:
            failures.append(Failure(path=row.auto_name.property, reason=f"{row.token}: {error}"))
    result[DEFAULTS] = filled
    return {name: value for name, value in result.items() if value is not None}, failures


def _name(row: ResourceType, logical_name: str, old: Properties, new: Properties, seed: bytes) -> Any:
    """The name that was generated before, else a new one (also if the prefix has changed)."""
    rule = row.auto_name
    assert rule is not None
    prefix = new.get(rule.prefix_property) if rule.prefix_property else None
    if prefix is UNKNOWN:
        return UNKNOWN
    same_prefix = not rule.prefix_property or old.get(rule.prefix_property) == prefix
    if rule.property in old.get(DEFAULTS, []) and old.get(rule.property) and same_prefix:
        return old[rule.property]
    return naming.generate(rule, logical_name, new, seed)


def _document(value: Any) -> Any:
    """A policy given as a map becomes text; with an unknown inside it is unknown as a whole."""
    if has_unknown(value):
        return UNKNOWN
    return value if isinstance(value, str) else documents.to_text(value)
