"""Cost budgets with their notifications and subscribers.

Pulumi writes filters, notifications and times in forms of its own, so code of this row sends and reads them.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from localaws.pulumi_provider import convert
from localaws.pulumi_provider.aws import Context
from localaws.pulumi_provider.schema import (
    AutoName,
    Form,
    Hooks,
    Input,
    Properties,
    Read,
    ResourceType,
    Step,
    TagStyle,
    each,
)

ACCOUNT = "123456789012"  # the embedded AWS has this one; the real provider fills in its own
FOREVER = "2087-06-15_00:00"
TIME_FORMAT = "%Y-%m-%d_%H:%M"
_SUBSCRIBERS = {"EMAIL": "subscriberEmailAddresses", "SNS": "subscriberSnsTopicArns"}
_KINDS = {
    "NotificationType": "notificationType",
    "ComparisonOperator": "comparisonOperator",
    "Threshold": "threshold",
    "ThresholdType": "thresholdType",
}
_PERIOD = {"timePeriodStart": "Start", "timePeriodEnd": "End"}


def _key(properties: Properties) -> dict[str, str]:
    return {"AccountId": properties["accountId"], "BudgetName": properties["name"]}


def _filters_and_times(_context: Context, properties: Properties, request: dict[str, Any]) -> None:
    budget = request["Budget"]
    budget["CostFilters"] = {item["name"]: list(item["values"]) for item in properties.get("costFilters") or []}
    period = {api: _moment(properties[name]) for name, api in _PERIOD.items() if properties.get(name)}
    budget["TimePeriod"] = period


def _moment(text: str) -> datetime.datetime:
    """A time as `2026-05-30_14:20`. Raises ValueError."""
    try:
        return datetime.datetime.strptime(text, TIME_FORMAT).replace(tzinfo=datetime.UTC)
    except ValueError as error:
        raise ValueError(f"a time of a budget is written yyyy-mm-dd_hh:mm, such as {FOREVER}; got {text!r}") from error


def _update(context: Context, properties: Properties) -> None:
    request = convert.request(context.row, properties)
    _filters_and_times(context, properties, request)
    context.call("UpdateBudget", {"AccountId": properties["accountId"], "NewBudget": request["Budget"]})


Notice = tuple[Mapping[str, Any], list[dict[str, str]]]
"""A notification and its subscribers, in the API's form."""


def _wanted(properties: Properties) -> list[Notice]:
    return [
        (
            {api: float(item[name]) if api == "Threshold" else item[name] for api, name in _KINDS.items()},
            [
                {"SubscriptionType": kind, "Address": address}
                for kind, name in _SUBSCRIBERS.items()
                for address in item.get(name) or []
            ],
        )
        for item in properties.get("notifications") or []
    ]


def _existing(context: Context, key: Mapping[str, str]) -> list[Notice]:
    found: list[Notice] = []
    for item in context.call("DescribeNotificationsForBudget", key).get("Notifications", []):
        notification = {"ThresholdType": "PERCENTAGE", **{name: item[name] for name in _KINDS if name in item}}
        answer = context.call("DescribeSubscribersForNotification", {**key, "Notification": notification})
        found.append((notification, answer.get("Subscribers", [])))
    return found


def _notify(context: Context, properties: Properties) -> None:
    """Takes away the notifications that differ from the wanted ones, then adds those that are missing."""
    key, wanted = _key(properties), _wanted(properties)
    existing = _existing(context, key)
    same = [(notification, _addresses(subscribers)) for notification, subscribers in existing]
    aims = [(notification, _addresses(subscribers)) for notification, subscribers in wanted]
    for notice in same:
        if notice not in aims:
            context.call("DeleteNotification", {**key, "Notification": notice[0]})
    for (notification, subscribers), aim in zip(wanted, aims, strict=True):
        if aim not in same:
            context.call("CreateNotification", {**key, "Notification": notification, "Subscribers": subscribers})


def _addresses(subscribers: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(item["SubscriptionType"], item["Address"]) for item in subscribers}


def _read(context: Context, state: Properties, found: Mapping[str, Any]) -> None:
    state["arn"] = f"arn:aws:budgets::{state['accountId']}:budget/{state['name']}"
    state["costFilters"] = [
        {"name": name, "values": values} for name, values in sorted((found.get("CostFilters") or {}).items())
    ]
    for name, api in _PERIOD.items():
        state[name] = found["TimePeriod"][api].astimezone(datetime.UTC).strftime(TIME_FORMAT)
    state["notifications"] = [
        {
            **{name: notification[api] for api, name in _KINDS.items()},
            **{
                name: [item["Address"] for item in subscribers if item["SubscriptionType"] == kind]
                for kind, name in _SUBSCRIBERS.items()
            },
        }
        for notification, subscribers in _existing(context, _key(state))
    ]


BUDGET = ResourceType(
    token="aws:budgets/budget:Budget",
    service="budgets",
    create="CreateBudget",
    read=Read(operation="DescribeBudget", result="Budget"),
    delete="DeleteBudget",
    key={"AccountId": "accountId", "BudgetName": "name"},
    id="{accountId}:{name}",
    import_id=r"(?P<accountId>\d{12}):(?P<name>.+)",
    inputs={
        "accountId": Input(default=ACCOUNT, replaces=True),
        "name": Input(api="Budget.BudgetName", read="BudgetName", replaces=True),
        "budgetType": Input(api="Budget.BudgetType", read="BudgetType", required=True),
        "timeUnit": Input(api="Budget.TimeUnit", read="TimeUnit", required=True),
        "limitAmount": Input(api="Budget.BudgetLimit.Amount", read="BudgetLimit.Amount", form=Form.AMOUNT),
        "limitUnit": Input(api="Budget.BudgetLimit.Unit", read="BudgetLimit.Unit"),
        "costTypes": Input(api="Budget.CostTypes", read="CostTypes"),
        **each(Input(local=True, uploaded=True), "costFilters", "notifications"),
        "timePeriodEnd": Input(local=True, uploaded=True, kind="string", default=FOREVER),
        "timePeriodStart": Input(local=True, uploaded=True, kind="string"),
    },
    steps=(
        Step(
            operation="UpdateBudget",
            act=_update,
            key={"AccountId": "accountId"},
            properties=(
                *("budgetType", "costFilters", "costTypes", "limitAmount", "limitUnit"),
                *("timePeriodEnd", "timePeriodStart", "timeUnit"),
            ),
        ),
        Step(operation="CreateNotification", act=_notify, properties=("notifications",)),
    ),
    auto_name=AutoName(prefix_property="namePrefix", limit=100),
    tags=TagStyle(
        key={"ResourceARN": "arn"},
        create="ResourceTags",
        add="TagResource",
        add_member="ResourceTags",
        remove="UntagResource",
        remove_member="ResourceTagKeys",
        list="ListTagsForResource",
        result="ResourceTags",
    ),
    gone=("NotFoundException",),
    regional=False,
    hooks=Hooks(prepare=_filters_and_times, complete=_notify, after_read=_read),
    refused=("autoAdjustData", "billingViewArn", "filterExpression", "metrics", "plannedLimits"),
)

ROWS = (BUDGET,)
