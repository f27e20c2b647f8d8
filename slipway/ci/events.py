"""What the engine's events say about a change that has not been made: steps, refusals by the policy, errors.

`pulumi preview --json` leaves the policy's verdict out; the event log has everything, so the stages read that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.cost import planned as cost
from slipway.engine import Engine
from slipway.errors import DONE, FAILED, SlipwayError
from slipway.project import Stack

# The engine reports a replacement as these and as a logical `replace`, which is the one that people mean.
PARTS_OF_REPLACEMENT = ("create-replacement", "delete-replaced", "discard-replaced", "read-replacement")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One resource that would change. `change` is create, update, replace, delete ...; `why` names properties."""

    change: str
    type: str
    name: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Violation:
    """What a rule of the policy pack said about a resource. A mandatory one refuses the change."""

    rule: str
    mandatory: bool
    name: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A change as the engine would make it. `error` is empty unless the engine could not tell."""

    changes: tuple[Change, ...]
    unchanged: int
    violations: tuple[Violation, ...]
    warnings: tuple[str, ...]
    error: str
    exit_code: int
    stack: cost.Change | None = None
    """The resources as they are and as they would be; None where the events are those of another verb."""

    @property
    def refused(self) -> bool:
        return any(violation.mandatory for violation in self.violations)


def preview(stack: Stack, policy_pack: str) -> Plan:
    """What `pulumi up` would do. A program or engine that fails is part of the answer, not an exception."""
    return _plan(stack, "resourcePreEvent", "preview", "--policy-pack", policy_pack)


def drift(stack: Stack) -> Plan:
    """What differs in AWS from what the state says."""
    return _plan(stack, "resOutputsEvent", "refresh", "--preview-only")


def _plan(stack: Stack, kind: str, verb: str, *options: str) -> Plan:
    raws: list[dict[str, Any]] = []
    error, exit_code = "", DONE
    try:
        for raw in Engine(stack).raw_events(verb, *options):
            if raw:
                raws.append(raw)
    except SlipwayError as failure:
        error, exit_code = str(failure), failure.exit_code
    return read_plan(raws, kind, error, exit_code)


def read_plan(raws: Iterable[Mapping[str, Any]], kind: str, error: str, exit_code: int = FAILED) -> Plan:
    """The events of a preview as a Plan; `kind` names those events that hold the operation."""
    raws = list(raws)
    changes, violations, warnings, unchanged = [], [], [], 0
    for raw in raws:
        if kind in raw and _in_aws(facts := raw[kind]["metadata"]):
            if facts["op"] in ("same", "refresh"):
                unchanged += 1
            elif facts["op"] not in PARTS_OF_REPLACEMENT and facts["op"] != "read":
                changes.append(_change(facts))
        elif "policyEvent" in raw:
            violations.append(_violation(raw["policyEvent"]))
        elif raw.get("diagnosticEvent", {}).get("severity") == "warning":
            warnings.append(raw["diagnosticEvent"]["message"].strip())
    return Plan(
        changes=tuple(sorted(changes, key=lambda change: (change.change, change.type, change.name))),
        unchanged=unchanged,
        violations=tuple(violations),
        warnings=tuple(warnings),
        error=error,
        exit_code=exit_code,
        stack=cost.read_events(raws) if kind == "resourcePreEvent" else None,
    )


def _in_aws(facts: Mapping[str, Any]) -> bool:
    """Whether this is a resource, and not a component or a provider, which only group and reach resources."""
    return bool((facts.get("new") or facts.get("old") or {}).get("custom")) and not facts["type"].startswith("pulumi:")


def _change(facts: Mapping[str, Any]) -> Change:
    detailed = facts.get("detailedDiff") or {}
    replacing = [path for path, diff in detailed.items() if diff["diffKind"].endswith("-replace")]
    why = facts.get("keys") or replacing or list(detailed) or facts.get("diffs") or []
    return Change(change=facts["op"], type=facts["type"], name=facts["urn"].rsplit("::", 1)[1], why=tuple(sorted(why)))


def _violation(facts: Mapping[str, Any]) -> Violation:
    return Violation(
        rule=facts["policyName"],
        mandatory=facts["enforcementLevel"] == "mandatory",
        name=facts.get("resourceUrn", "").rsplit("::", 1)[-1],
        message=" ".join(facts["message"].split()),
    )
