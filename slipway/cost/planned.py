"""The resources of a stack, planned or deployed, as their estimators see them.

Read from `pulumi preview --json`, from the engine's event log (the same states in another envelope) or from
`pulumi stack export`. A value that the preview does not know yet, or that is secret, is absent here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.errors import USAGE, SlipwayError

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # the engine's mark for a string that is known after `up` only
SECRETS = ("[secret]", "1b47061264138c4ac30d75fd1eb44270")
SIGNATURE = "4dabf18193072939515e22adb298388d"  # of an object that is no plain value: a secret, a file
PROVIDER = "pulumi:providers:aws"
GONE = ("delete", "delete-replaced", "discard", "discard-replaced", "remove-pending-replace")
MADE = ("create", "create-replacement", "import", "import-replacement")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource: its type and name in the program, and its inputs as far as they are known."""

    type: str
    name: str
    inputs: Mapping[str, Any]

    def get(self, *path: str | int, default: Any = None) -> Any:
        """The input at this path; `default` where it is not there or not known."""
        found: Any = self.inputs
        for part in path:
            if isinstance(part, int):
                found = found[part] if isinstance(found, list) and len(found) > part else None
            else:
                found = found.get(part) if isinstance(found, Mapping) else None
        return default if found is None else found


@dataclass(frozen=True, kw_only=True)
class Planned:
    """All resources of a stack at one moment, in one region."""

    region: str
    resources: tuple[Resource, ...]

    def of(self, kind: str) -> list[Resource]:
        """The resources of a type."""
        return [resource for resource in self.resources if resource.type == kind]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A stack as it is deployed, and as it will be."""

    before: Planned
    after: Planned


def read(document: Mapping[str, Any]) -> Change:
    """Of the JSON of `pulumi preview --json` or `pulumi stack export`. Raises SlipwayError when it is neither."""
    if "steps" in document:
        steps = document["steps"]
        return _change((step["op"], step["urn"], step.get("oldState"), step.get("newState")) for step in steps)
    if "deployment" in document:
        return deployed(document)
    said = "; ".join(one["message"].strip() for one in document.get("diagnostics", []) if one.get("message"))
    raise SlipwayError(
        "this JSON is no plan; give the output of `pulumi preview --json` or of `pulumi stack export`"
        + (f". It says: {said}" if said else ""),
        USAGE,
    )


def read_events(raws: Iterable[Mapping[str, Any]]) -> Change:
    """Of the engine's events of a preview."""
    events = (raw["resourcePreEvent"]["metadata"] for raw in raws if "resourcePreEvent" in raw)
    return _change((event["op"], event["urn"], event.get("old"), event.get("new")) for event in events)


def deployed(document: Mapping[str, Any]) -> Change:
    """Of a stack's state: nothing changes."""
    states = (document.get("deployment") or {}).get("resources") or []
    return _change(("same", state["urn"], state, state) for state in states if not state.get("delete"))


def _change(steps: Iterable[tuple[str, str, Any, Any]]) -> Change:
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for operation, urn, old, new in steps:
        if old and operation not in MADE:
            before[urn] = old
        if new and operation not in GONE:
            after[urn] = new
    region = _region({**before, **after})
    return Change(before=_planned(before, region), after=_planned(after, region))


def _planned(states: Mapping[str, Any], region: str) -> Planned:
    found = [
        Resource(type=_kind(urn), name=urn.rsplit("::", 1)[1], inputs=known(state.get("inputs") or {}))
        for urn, state in states.items()
        if state.get("custom") and not _kind(urn).startswith("pulumi:")
    ]
    return Planned(region=region, resources=tuple(sorted(found, key=lambda one: (one.type, one.name))))


def _kind(urn: str) -> str:
    """The type in a URN: the last of its parents' and its own."""
    return urn.split("::")[2].rsplit("$", 1)[-1]


def _region(states: Mapping[str, Mapping[str, Any]]) -> str:
    for urn, state in states.items():
        if _kind(urn) == PROVIDER and (region := (state.get("inputs") or {}).get("region")):
            return str(region)
    for state in states.values():  # an older state may lack the provider's region, but an ARN has it
        if found := re.search(r"arn:aws[\w-]*:\w+:([a-z]{2}-[a-z-]+-\d):", str(state.get("id", ""))):
            return found[1]
    return ""


def known(value: Any) -> Any:
    """The value without what is unknown, secret or a file."""
    if isinstance(value, Mapping):
        if SIGNATURE in value:
            return None
        return {key: kept for key, one in value.items() if (kept := known(one)) is not None}
    if isinstance(value, list):
        return [known(one) for one in value]
    return None if value == UNKNOWN or value in SECRETS else value
