"""What Budgets writes to an SNS topic: a letter in plain words, not JSON."""

from decimal import Decimal

from localaws.cloud import ACCOUNT
from localaws.money.budget_records import CUSTOM, Budget, Notification
from localaws.money.periods import moment

DASHBOARD = "https://console.aws.amazon.com/costmanagement/home#/budgets"
SUBJECT = "AWS Budgets: {name} has exceeded your alert threshold"
_WORDS = {"GREATER_THAN": ("greater than", ">"), "LESS_THAN": ("less than", "<"), "EQUAL_TO": ("equal to", "=")}
_PERIODS = {
    "DAILY": ("per day", "Yesterday, the"),
    "MONTHLY": ("for the current month", "The"),
    "QUARTERLY": ("for the current quarter", "The"),
    "ANNUALLY": ("for the current year", "The"),
    CUSTOM: ("for the current period", "The"),
}


def subject(budget: Budget) -> str:
    return SUBJECT.format(name=budget.name)


def body(budget: Budget, notification: Notification, threshold: Decimal, value: Decimal, at: float) -> str:
    """The letter, dated `at` (epoch seconds). Threshold and value in USD, also where the threshold is a percentage."""
    words, sign = _WORDS[notification.operator]
    period, begin = _PERIODS[budget.record["TimeUnit"]]
    kind, name = notification.type, budget.name
    limit, bound, amount = (f"${usd:,.2f}" for usd in (budget.limit(at), threshold, value))
    lines = (
        f"AWS Budget Notification {moment(at):%B %d, %Y}",
        f"AWS Account {ACCOUNT}",
        "",
        "Dear AWS Customer,",
        "",
        f"You requested that we alert you when the {kind} Cost associated with your {name} budget is {words} {bound} "
        f"{period}. {begin} {kind} Cost associated with this budget is {amount}. You can find additional details below "
        "and by accessing the AWS Budgets dashboard [1].",
        "",
        f"Budget Name: {name}",
        "Budget Type: Cost",
        f"Budgeted Amount: {limit}",
        f"Alert Type: {kind}",
        f"Alert Threshold: {sign} {bound}",
        f"{kind} Amount: {amount}",
        "",
        f"[1] {DASHBOARD}",
        "",
    )
    return "\n".join(lines)
