"""`slipway ci nightly`: what has gone astray since yesterday, in every stack of the backend.

Drift: AWS differs from the state. Leaks: resources of stacks that do not exist any more. Expiry: stacks whose
`slipway:expires` has passed; with --remove they are taken down.
"""

import fnmatch
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date

from botocore.exceptions import ClientError

from slipway.ci.events import Plan, drift
from slipway.ci.pull_request import NAME, configuration_file, configure
from slipway.ci.report import code, counts, fenced, table
from slipway.ci.stacks import known, remove
from slipway.errors import DONE, FAILED, REFUSED, SlipwayError
from slipway.leaks import Leftover, find_leaks
from slipway.project import Stack, is_local, open_stack
from slipway.view import Steps

NEVER = "never"


@dataclass(kw_only=True)
class Findings:
    """What was found. Keys are names of stacks."""

    looked_at: list[str] = field(default_factory=list)
    drift: dict[str, Plan] = field(default_factory=dict)
    leaks: dict[str, list[Leftover]] = field(default_factory=dict)
    expired: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 when something could not be looked at, 3 when somebody must act, else 0."""
        if self.failures:
            return FAILED
        return REFUSED if self.drift or self.leaks or set(self.expired) - set(self.removed) else DONE


def nightly(base: Stack, steps: Steps, today: date, *, match: str, take_down: bool) -> Findings:
    """Look at every stack in the backend of stack `base` whose name matches (`pr-*`).

    A stack that cannot be looked at is a finding too.
    """
    findings = Findings()
    regions = {base.region}
    for name in fnmatch.filter(known(base), match):
        if is_local(name) != base.local:
            continue
        try:
            with configured(base, name, today) as stack:
                regions.add(stack.region)
                _look_at(stack, findings, steps, today, take_down=take_down)
        except (SlipwayError, ClientError) as error:
            findings.failures[name] = str(error)
    for region in sorted(regions):
        _ghosts(replace(base, region=region), match, findings, steps)
    return findings


@contextmanager
def configured(base: Stack, name: str, today: date) -> Iterator[Stack]:
    """The stack called `name`; the configuration of a pull request's one, which no checkout has, is made meanwhile."""
    file = configuration_file(base.root, name)
    made = NAME.fullmatch(name) is not None and not file.is_file()
    if made:
        configure(base.root, name, today)
    try:
        yield open_stack(name)
    finally:
        if made:
            file.unlink(missing_ok=True)


def _look_at(stack: Stack, findings: Findings, steps: Steps, today: date, *, take_down: bool) -> None:
    expires = expiry_of(stack)
    if expires != NEVER and expires < today.isoformat():
        findings.expired[stack.name] = expires
        if take_down:
            remove(stack, steps)
            findings.removed.append(stack.name)
            return
    with steps.step(stack.name) as step:
        plan = drift(stack)
        if plan.error:
            raise SlipwayError(plan.error)
        if not plan.changes and not plan.unchanged:
            step.result = "it has a state, and no resources in it"
            return
        findings.looked_at.append(stack.name)
        if plan.changes:
            findings.drift[stack.name] = plan
        step.result = counts(plan) if plan.changes else f"no drift in {plan.unchanged} resources"


def expiry_of(stack: Stack) -> str:
    """The date (ISO) that the stack's resources carry in AWS, or "never"; the earliest, when they differ."""
    dates = [tags.get("slipway:expires", NEVER) for tags in _tags(stack, {"slipway:stack": stack.name})]
    return min((found for found in dates if found != NEVER), default=NEVER)


def _ghosts(base: Stack, match: str, findings: Findings, steps: Steps) -> None:
    """Leaks of stacks that have nothing in the state, found by the tag that every resource carries."""
    with steps.step("leaks") as step:
        named = {tags.get("slipway:stack", "") for tags in _tags(base, {})}
        gone = named - {*findings.looked_at, *findings.failures, *findings.removed, ""}
        for name in sorted(fnmatch.filter(gone, match)):
            step.show(f"searching: {name}")
            if left := find_leaks(replace(base, name=name)):
                findings.leaks.setdefault(name, []).extend(left)
        step.result = f"{base.region}: {', '.join(sorted(findings.leaks)) or 'none of stacks that are gone'}"


def _tags(stack: Stack, more: dict[str, str]) -> Iterator[dict[str, str]]:
    wanted = {"slipway:project": stack.project, **more}
    filters = [{"Key": key, "Values": [value]} for key, value in wanted.items()]
    pages = stack.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=filters)
    for page in pages:
        for resource in page["ResourceTagMappingList"]:
            yield {tag["Key"]: tag["Value"] for tag in resource["Tags"]}


def nightly_report(findings: Findings) -> str:
    """The findings as markdown."""
    stacks = ", ".join(map(code, findings.looked_at)) or "none"
    parts = ["## Nightly check", f"Deployed stacks: {stacks}."]
    sections: tuple[tuple[str, Callable[[Findings], list[str]]], ...] = (
        ("Not looked at", _failure_lines),
        ("Drift", _drift_lines),
        ("Leaks", _leak_lines),
        ("Expired", _expiry_lines),
    )
    for title, lines in sections:
        if found := lines(findings):
            parts += [f"### {title}", *found]
    if len(parts) == 2:
        parts.append("No drift, no leaks, nothing expired.")
    return "\n\n".join(parts) + "\n"


def _failure_lines(findings: Findings) -> list[str]:
    return [f"{code(name)}:\n\n{fenced(error)}" for name, error in findings.failures.items()]


def _drift_lines(findings: Findings) -> list[str]:
    return [f"{code(name)}: {counts(plan)}.\n\n{table(plan.changes)}" for name, plan in findings.drift.items()]


def _leak_lines(findings: Findings) -> list[str]:
    lines = []
    for name, left in findings.leaks.items():
        listed = "\n".join(f"- {item.kind} {code(item.name)}" for item in left)
        lines.append(f"Stack {code(name)} has no state, but in AWS there are:\n\n{listed}")
    return lines


def _expiry_lines(findings: Findings) -> list[str]:
    return [
        f"{code(name)} expired on {expires}" + (" and was removed." if name in findings.removed else ".")
        for name, expires in findings.expired.items()
    ]
