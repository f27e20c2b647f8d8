"""The cost of a plan that a stage has: a part of its report, a limit, and a record for `slipway bill`."""

import sys
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from slipway.ci.events import Plan
from slipway.cost.amounts import show
from slipway.cost.document import changes_of, document
from slipway.cost.estimate import estimate
from slipway.cost.gate import Case, refusal
from slipway.cost.lines import CURRENCY, Estimate
from slipway.cost.markdown import markdown
from slipway.cost.past import past_runs
from slipway.cost.planned import Change
from slipway.cost.records import cloud_now, fingerprint, keep
from slipway.cost.usage import Usage
from slipway.errors import SlipwayError
from slipway.prices.book import load
from slipway.project import Stack
from slipway.state.files import state_files


@dataclass(frozen=True, kw_only=True)
class Limit:
    """USD a month, and the case that it limits."""

    usd: Decimal
    case: Case = "worst"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a plan costs: a section of markdown, a line, and why it is refused (empty when it is not)."""

    section: str
    line: str
    refused: str
    estimate: Estimate
    change: Change


def cost_of(stack: Stack, plan: Plan, limit: Limit | None, today: date) -> Cost | None:
    """The cost of a plan; None for one that the engine could not make."""
    if plan.error or plan.stack is None:
        return None
    book, past = load(), past_runs(stack)
    found = estimate(plan.stack.after, book, Usage(), today, past)
    before = estimate(plan.stack.before, book, Usage(), today, past)
    refused = refusal(found, limit.usd, limit.case) if limit else ""
    facts = document(found, changes_of(before, found))
    whole = found.whole
    return Cost(
        section=markdown(facts, whole=False, level="###").rstrip(),
        line=f"{show(whole.expected)} {CURRENCY}/month expected, {show(whole.worst)} at worst",
        refused=refused,
        estimate=found,
        change=plan.stack,
    )


def keep_cost(stack: Stack, cost: Cost) -> None:
    """Beside the state, for `slipway bill`; a backend that keeps no files is no reason to stop."""
    try:
        mark = fingerprint(cost.change.after, load())
        keep(state_files(stack), stack, cost.estimate, mark, cloud_now(stack))
    except (SlipwayError, OSError) as error:
        print(f"slipway: the estimate was not kept for slipway bill: {error}", file=sys.stderr)
