"""The differences between a resource's recorded inputs and its new ones, by property path.

Values are compared by meaning: JSON documents parsed, files by content hash, 1 like 1.0. An unknown new value counts as
a change. A change below a replacing input makes a new resource, unless the row lists the member as updatable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from localaws.pulumi_provider import documents
from localaws.pulumi_provider.schema import Form, Input, Properties, ResourceType
from localaws.pulumi_provider.values import UNKNOWN, is_asset

DEFAULTS = "__defaults"
"""Input under which Check notes the names of the inputs that it filled in, as pulumi-aws does."""


class Kind(Enum):
    """What happened to a property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference; `path` is a Pulumi property path such as `tags["team:name"]` or `rules[0].id`."""

    path: str
    kind: Kind
    replaces: bool
    property: str  # the top-level input


def changes(row: ResourceType, old: Properties, new: Properties) -> list[Change]:
    """All differences between two sets of checked inputs."""
    found: list[Change] = []
    for name in row.names():
        spec = row.inputs.get(name, Input(replaces=name == "region"))
        pairs = _compare(name, old.get(name), new.get(name), SAME.get(spec.form, equal))
        found += [
            Change(path=path, kind=kind, replaces=spec.replaces and not _updatable(spec, path), property=name)
            for path, kind in pairs
        ]
    return found


def delete_before_replace(row: ResourceType, old: Properties, new: Properties) -> bool:
    """Whether the old resource must go first: the program fixed a name that is otherwise generated, and keeps it."""
    if row.auto_name is None or row.auto_name.property in new.get(DEFAULTS, []):
        return False
    name = row.auto_name.property
    return new.get(name) is not None and old.get(name) == new.get(name)


def equal(one: Any, other: Any) -> bool:
    """Whether two values mean the same; files are compared by content hash."""
    if is_asset(one) and is_asset(other):
        return bool(one == other if "hash" not in one else one["hash"] == other.get("hash"))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _updatable(spec: Input, path: str) -> bool:
    inner = re.sub(r"\[\d+\]", "", path).partition(".")[2]
    return inner in spec.updatable


SAME: Mapping[Form, Callable[[Any, Any], bool]] = {
    Form.JSON: documents.same,
    Form.KEY: documents.same_key,
    Form.URL: documents.same_address,
    Form.AMOUNT: documents.same_amount,
}
"""How values of these forms are compared; all others by `equal`."""


def _compare(path: str, old: Any, new: Any, same: Callable[[Any, Any], bool] = equal) -> Iterator[tuple[str, Kind]]:
    if old is None or new is None:
        if old is not new:
            yield path, Kind.ADD if old is None else Kind.DELETE
    elif new is UNKNOWN or is_asset(old) or is_asset(new):
        if not equal(old, new) or new is UNKNOWN:
            yield path, Kind.UPDATE
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _compare(_join(path, key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else None
            after = new[index] if index < len(new) else None
            yield from _compare(f"{path}[{index}]", before, after)
    elif not same(old, new):
        yield path, Kind.UPDATE


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else f'{path}["{key}"]'
