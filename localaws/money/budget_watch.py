"""Budgets look at the bill every eight hours of the clock and send what their notifications ask for, once a period.

A jump of the clock is looked at in all its eights of hours, each with the bill of its own time. A topic gets a message
only if its policy lets budgets.amazonaws.com publish, as in AWS, where a missing statement is silence too.
"""

import json
import operator
import sys
from collections.abc import Callable
from decimal import Decimal

from localaws.alarms.actions import publish
from localaws.cloud import ACCOUNT, Cloud, backend
from localaws.iam.evaluator import Policies, evaluate
from localaws.iam.patterns import PolicyError
from localaws.iam.principals import Principal
from localaws.iam.statements import Ask, policy
from localaws.money import budget_message, cost_filters, forecast, samples
from localaws.money.budget_records import REFRESH_SECONDS, Budget, Notification, budget_arn, store
from localaws.money.filters import Test
from localaws.signature import DEFAULT_REGION

SERVICE = "budgets.amazonaws.com"
PERCENT = 100
_COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "GREATER_THAN": operator.gt,
    "LESS_THAN": operator.lt,
    "EQUAL_TO": operator.eq,
}


def look(cloud: Cloud) -> None:
    """Bring all budgets up to the clock."""
    found = list(store(cloud).budgets.values())
    due = [budget for budget in found if cloud.clock.now() >= budget.looked + REFRESH_SECONDS]
    if due:
        samples.take(cloud)
    bills = forecast.Bills(cloud)
    for budget in due:
        chosen = cost_filters.test(cloud, budget.record)
        while cloud.clock.now() >= budget.looked + REFRESH_SECONDS:
            budget.looked += REFRESH_SECONDS
            _judge(bills, budget, chosen, budget.looked)


def _judge(bills: forecast.Bills, budget: Budget, chosen: Test, at: float) -> None:
    begin, end = budget.period(at)
    if not begin <= at < end:
        return  # before the budget's time or after it
    budget.actual = bills.spent(chosen, begin, at)
    rate = bills.rate(chosen, at)
    budget.forecast = None if rate is None else budget.actual + rate * Decimal(end - at)
    values = {"ACTUAL": budget.actual, "FORECASTED": budget.forecast}
    for notification in budget.notifications:
        value = values[notification.type]
        if value is None:
            continue
        threshold = bound(budget, notification, at)
        is_over = _COMPARISONS[notification.operator](value, threshold)
        notification.state = "ALARM" if is_over else "OK"
        if is_over and notification.fired != begin:
            notification.fired = begin
            _send(budget, notification, budget_message.body(budget, notification, threshold, value, at))


def bound(budget: Budget, notification: Notification, at: float) -> Decimal:
    """The threshold in USD."""
    threshold = Decimal(str(notification.threshold))
    return threshold * budget.limit(at) / PERCENT if notification.threshold_type == "PERCENTAGE" else threshold


def _send(budget: Budget, notification: Notification, body: str) -> None:
    for subscriber in notification.subscribers:
        topic = subscriber["Address"]
        if subscriber["SubscriptionType"] != "SNS":
            continue  # nobody here reads mail
        if _may_publish(topic, budget):
            publish(DEFAULT_REGION, topic, budget_message.subject(budget), body)
        else:
            text = f"{topic} does not let {SERVICE} publish (sns:Publish in its policy)"
            print(f"localaws: budget {budget.name} sends nothing: {text}", file=sys.stderr)


def _may_publish(topic: str, budget: Budget) -> bool:
    parts = topic.split(":")
    found = backend("sns", parts[3]).topics.get(topic) if len(parts) > 3 and parts[2] == "sns" else None
    if found is None:
        return False
    context = {
        "aws:sourceaccount": (ACCOUNT,),
        "aws:sourcearn": (budget_arn(budget.name),),
        "aws:principalisawsservice": ("true",),
        "aws:securetransport": ("true",),
    }
    try:
        given = policy(f"{topic}:policy", json.loads(found.policy))
        ask = Ask(action="sns:Publish", resource=topic, context=context)
        who = Principal(arn=SERVICE, kind="Service", account="")
        return evaluate(ask, who, Policies(resource=given, resource_owns=True)).allowed
    except (PolicyError, ValueError, TypeError):
        return False
