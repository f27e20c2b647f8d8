"""Tags: merged with the provider's default tags, written and read in each service's own form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jmespath  # type: ignore[import-untyped]

from localaws.pulumi_provider.aws import CallError, Context
from localaws.pulumi_provider.convert import put
from localaws.pulumi_provider.schema import Properties, ResourceType, TagStyle
from localaws.pulumi_provider.values import UNKNOWN

SYSTEM_PREFIX = "aws:"  # tags that AWS sets itself


def merged(defaults: Mapping[str, str], own: Any) -> Any:
    """Default tags overlaid by the resource's own. Unknown if the resource's are."""
    return UNKNOWN if own is UNKNOWN else {**defaults, **(own or {})}


def into_request(row: ResourceType, params: dict[str, Any], tags: Mapping[str, str]) -> None:
    """Adds the tags to a create request, where the service takes them there."""
    if row.tags and row.tags.create and tags:
        put(params, row.tags.create, _encode(row.tags, tags))


def change(context: Context, properties: Properties, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Makes the resource's tags `new`, knowing that they are `old`."""
    style = context.row.tags
    if style is None or dict(old) == dict(new):
        return
    key = _key(context.row, style.key, properties)
    removed = [name for name in old if name not in new]
    if style.remove and (removed if style.remove_member else not new):
        names = [{"Key": name} for name in removed] if style.remove_pairs else removed
        context.call(style.remove, key | ({style.remove_member: names} if style.remove_member else {}))
    added = new if style.whole else {name: value for name, value in new.items() if old.get(name) != value}
    if added or (style.whole and not style.remove):
        params: dict[str, Any] = dict(key)
        put(params, style.add_member, _pairs(style, added))
        context.call(style.add, params)


def read(context: Context, properties: Properties, result: Mapping[str, Any]) -> dict[str, str]:
    """The resource's tags without AWS' own."""
    style = context.row.tags
    if style is None:
        return {}
    if style.list:
        key = _key(context.row, style.key, properties)
        result = _listed(context, style, key)
    found = jmespath.search(style.result, result) or {}
    if style.pairs:
        found = {item[style.pairs[0]]: item[style.pairs[1]] for item in found}
    return {name: value for name, value in found.items() if not name.startswith(SYSTEM_PREFIX)}


def _listed(context: Context, style: TagStyle, key: Mapping[str, Any]) -> dict[str, Any]:
    assert style.list is not None
    try:
        return context.call(style.list, key)
    except CallError as error:
        if error.matches(style.none):
            return {}
        raise


def _key(row: ResourceType, key: Mapping[str, str], properties: Properties) -> dict[str, Any]:
    return {member: [properties[name]] if member in row.list_keys else properties[name] for member, name in key.items()}


def _encode(style: TagStyle, tags: Mapping[str, str]) -> Any:
    """Tags as a create operation takes them."""
    if style.resource_type:
        return [{"ResourceType": style.resource_type, "Tags": _pairs(style, tags)}]
    return _pairs(style, tags)


def _pairs(style: TagStyle, tags: Mapping[str, str]) -> Any:
    if style.pairs is None:
        return dict(tags)
    return [{style.pairs[0]: name, style.pairs[1]: value} for name, value in tags.items()]
