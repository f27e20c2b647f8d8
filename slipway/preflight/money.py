"""Whether there is money left for the plan, and whether AWS counts the stack's costs by its tags at all."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from slipway.cost.amounts import Span
from slipway.cost.estimate import estimate
from slipway.cost.usage import Usage
from slipway.preflight.finding import Finding, UnknownError, asking, unknown
from slipway.preflight.plan import Plan
from slipway.prices.book import load
from slipway.project import Stack

CHECK, TAGS_CHECK = "budget", "cost tags"
TAGS = ("slipway:project", "slipway:stack")
"""By which `slipway bill` and the stack's budget find its costs."""


def check(stack: Stack, plan: Plan) -> list[Finding]:
    return [*_budgets(stack, plan), *_tags(stack)]


def _budgets(stack: Stack, plan: Plan) -> Iterator[Finding]:
    planned = None if plan.error else month(plan)
    configured = plan.section("spending").get("budget_usd")
    try:
        budgets = _own_budgets(stack)
    except UnknownError as error:
        yield unknown(CHECK, error)
        return
    if not budgets and configured:
        yield _against(f"slipway:spending.budget_usd is {configured}", Decimal(str(configured)), planned)
    elif not budgets:
        yield Finding(check=CHECK, level="ok", found="none is set: nothing ends the spending but you", mend=_set(stack))
    for one in budgets:
        yield _judged(stack, one, planned)


def month(plan: Plan) -> Span:
    """What the plan costs a month, with the default assumptions of `slipway cost`."""
    return estimate(plan.planned, load(), Usage(), _today()).whole


def _today() -> date:
    return datetime.now(UTC).date()


def _own_budgets(stack: Stack) -> list[Mapping[str, Any]]:
    with asking("the stack's budget", "budgets:ViewBudget"):
        account = stack.client("sts").get_caller_identity()["Account"]
        pages = stack.client("budgets").get_paginator("describe_budgets").paginate(AccountId=account)
        found = [one for page in pages for one in page.get("Budgets", [])]
    return [one for one in found if one["BudgetName"].startswith(f"{stack.prefix}-budget")]


def _judged(stack: Stack, budget: Mapping[str, Any], planned: Span | None) -> Finding:
    limit = Decimal(budget.get("BudgetLimit", {}).get("Amount", "0"))
    spent = Decimal(budget.get("CalculatedSpend", {}).get("ActualSpend", {}).get("Amount", "0"))
    facts = f"{budget['BudgetName']}: USD {spent:.2f} of {limit:.2f} spent this month, as AWS has counted it so far"
    if spent >= limit:
        mend = f"slipway resume --stack {stack.name}, or raise slipway:spending.budget_usd"
        return Finding(check=CHECK, level="problem", found=facts, needed="money for what would start", mend=mend)
    return _against(facts, limit, planned)


def _against(facts: str, limit: Decimal, planned: Span | None) -> Finding:
    if planned is None:
        return Finding(check=CHECK, level="ok", found=facts)
    needed = f"USD {planned.expected:.2f} a month, {planned.worst:.2f} in the worst case"
    level = "warning" if planned.expected > limit else "ok"
    mend = "raise it, or plan less; which line costs what: slipway cost" if level == "warning" else ""
    return Finding(check=CHECK, level=level, found=facts, needed=needed, mend=mend)  # type: ignore[arg-type]


def _set(stack: Stack) -> str:
    return f"pulumi config set --path slipway:spending.budget_usd 100 --stack {stack.name}"


def _tags(stack: Stack) -> Iterator[Finding]:
    try:
        with asking("cost allocation tags", "ce:ListCostAllocationTags (in an organization: its management account)"):
            found = stack.client("ce").list_cost_allocation_tags(Status="Active", TagKeys=list(TAGS))
    except UnknownError as error:
        yield unknown(TAGS_CHECK, error)
        return
    active = {one["TagKey"] for one in found["CostAllocationTags"]}
    idle = [tag for tag in TAGS if tag not in active]
    if not idle:
        yield Finding(check=TAGS_CHECK, level="ok", found=f"active: {', '.join(TAGS)}")
        return
    wanted = " ".join(f"TagKey={tag},Status=Active" for tag in idle)
    yield Finding(
        check=TAGS_CHECK,
        level="warning",
        found=f"not active: {', '.join(idle)}; bills and budgets cannot tell the stack's costs",
        needed="active a day before costs are counted by them; AWS knows a tag a day after its first use",
        mend=f"aws ce update-cost-allocation-tags-status --cost-allocation-tags-status {wanted}",
    )
