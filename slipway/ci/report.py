"""What a stage found, as markdown for a pull request, a job's summary or a terminal.

Names and messages come from programs and from AWS: they are put where markdown cannot be broken out of.
"""

import re
from collections import Counter
from collections.abc import Iterable

from slipway.ci.events import Change, Plan, Violation

SHOWN_CHANGES = 200
SHOWN_REASONS = 6
ENDPOINT = "aws:sagemaker/endpoint:Endpoint"
# In the order of how much they deserve a look.
ORDER = ("delete", "replace", "update", "create", "import")
ENDPOINT_STORY = {
    "": "No endpoint changes: what is served goes on being served.",
    "create": "A new endpoint is made.",
    "update": "The endpoint moves to a new configuration; the old one serves until the new one is healthy.",
    "replace": "**The endpoint is replaced: it does not answer from its deletion to the end of its creation.**",
    "delete": "**The endpoint is removed: nothing answers after this.**",
}


def preview_report(stack: str, plan: Plan, cost: str = "") -> str:
    """The whole of a preview: counts, endpoint, policy, cost (a section of its own), resources, errors."""
    parts = [f"## Preview of stack {code(stack)}", _summary(plan)]
    if not plan.error or plan.refused:
        parts += ["### Endpoint", _endpoint(plan.changes)]
    parts += ["### Policy", _policy(plan)]
    if cost:
        parts.append(cost)
    if plan.changes:
        parts += ["### Resources", table(plan.changes)]
    if plan.warnings:
        parts += ["### Warnings", *(fenced(warning) for warning in plan.warnings)]
    if plan.error and not plan.refused:
        parts += ["### Error", fenced(plan.error)]
    return "\n\n".join(parts) + "\n"


def _summary(plan: Plan) -> str:
    if plan.refused:
        verdict = "**Refused by the policy.**"
    elif plan.error:
        return "**Failed.** What follows is what was known before the error."
    else:
        verdict = "**Allowed.**"
    return f"{verdict} {counts(plan)}."


def counts(plan: Plan) -> str:
    """How many resources change, by operation: "1 to replace, 2 to create, 30 unchanged"."""
    counted = Counter(change.change for change in plan.changes)
    words = [f"{counted[change]} to {change}" for change in _ordered(counted)]
    return ", ".join([*words, f"{plan.unchanged} unchanged"])


def _ordered(changes: Iterable[str]) -> list[str]:
    return sorted(changes, key=lambda change: (ORDER.index(change) if change in ORDER else len(ORDER), change))


def _endpoint(changes: Iterable[Change]) -> str:
    change = next((change.change for change in changes if change.type == ENDPOINT), "")
    return ENDPOINT_STORY.get(change, f"The endpoint: {change}.")


def _policy(plan: Plan) -> str:
    if plan.violations:
        return "\n".join(_violation(violation) for violation in plan.violations)
    return "Not judged: the preview failed first." if plan.error else "No objections."


def _violation(violation: Violation) -> str:
    level = "refused" if violation.mandatory else "advice"
    return f"- **{level}** {code(violation.rule)} on {code(violation.name)}: {prose(violation.message)}"


def table(changes: tuple[Change, ...]) -> str:
    """The changes, those that deserve a look first."""
    lines = ["| operation | resource | type | because of |", "| --- | --- | --- | --- |"]
    by_look = sorted(changes, key=lambda change: _ordered({c.change for c in changes}).index(change.change))
    for change in by_look[:SHOWN_CHANGES]:
        more = f" and {len(change.why) - SHOWN_REASONS} more" if len(change.why) > SHOWN_REASONS else ""
        why = ", ".join(code(path) for path in change.why[:SHOWN_REASONS]) + more
        lines.append(f"| {change.change} | {code(change.name)} | {code(change.type)} | {why} |")
    if len(changes) > SHOWN_CHANGES:
        lines.append(f"\n... and {len(changes) - SHOWN_CHANGES} more.")
    return "\n".join(lines)


def code(text: str) -> str:
    """A name as inline code that ends where it should, also in a table."""
    return "`" + re.sub(r"[`|\r\n]", " ", text) + "`"


def prose(text: str) -> str:
    """A message as plain text: no markup, no links, nobody mentioned."""
    return re.sub(r"([\\`*_{}\[\]<>#|~@])", r"\\\1", " ".join(text.split())).replace("\\@", "@\u200b")


def fenced(text: str) -> str:
    """Output as a block of code whose fence is longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.strip()}\n{fence}"
