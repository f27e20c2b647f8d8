"""The Budgets API: cost budgets, their notifications and subscribers. What they do by themselves is budget_watch.py.

Budget actions and the budgets for reservations and savings plans are not here.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from localaws.cloud import Call, Handler
from localaws.errors import AwsError
from localaws.money import budget_notices, budget_records, cost_filters, minutes, prices
from localaws.money.bill import text
from localaws.money.budget_notices import add, all_budgets, invalid, named, page
from localaws.money.budget_records import CUSTOM, FAR_END, Budget
from localaws.money.periods import AROUND

COST_TYPES = {
    **dict.fromkeys(("IncludeTax", "IncludeSubscription", "IncludeRefund", "IncludeCredit", "IncludeUpfront"), True),
    **dict.fromkeys(("IncludeRecurring", "IncludeOtherSubscription", "IncludeSupport", "IncludeDiscount"), True),
    **dict.fromkeys(("UseBlended", "UseAmortized"), False),
}
LIMITS = ("BudgetLimit", "PlannedBudgetLimits")


def _record(call: Call, given: Mapping[str, Any], start: float | None = None) -> dict[str, Any]:
    """A checked budget with AWS's defaults; `start` is the begin of the one that it replaces. Raises AwsError."""
    now = call.cloud.clock.now()
    _check(call, given)
    period = given.get("TimePeriod", {})
    if given["TimeUnit"] == CUSTOM and set(period) != {"Start", "End"}:
        raise invalid("TimePeriod needs a Start and an End where TimeUnit is CUSTOM.")
    begin = start if start is not None else 0.0 if given["TimeUnit"] == CUSTOM else AROUND[given["TimeUnit"]](now)[0]
    period = {"Start": period.get("Start", begin), "End": period.get("End", FAR_END)}
    if period["Start"] >= period["End"]:
        raise invalid("TimePeriod: End must be after Start.")
    kept = {name: value for name, value in given.items() if name not in ("CalculatedSpend", "HealthStatus")}
    types = {} if "FilterExpression" in given else {"CostTypes": {**COST_TYPES, **given.get("CostTypes", {})}}
    return {**kept, **types, "TimePeriod": period, "LastUpdatedTime": now}


def _check(call: Call, given: Mapping[str, Any]) -> None:
    if given["BudgetType"] != "COST":
        raise invalid(f"BudgetType is {given['BudgetType']}; localaws emulates COST.")
    if "AutoAdjustData" in given:
        raise invalid("AutoAdjustData is not emulated; give a BudgetLimit.")
    if len([name for name in LIMITS if name in given]) != 1:
        raise invalid(f"Exactly one of {' and '.join(LIMITS)} must be given.")
    spends = [given["BudgetLimit"]] if "BudgetLimit" in given else given["PlannedBudgetLimits"].values()
    units = {spend["Unit"] for spend in spends}
    if units - {prices.CURRENCY}:
        raise invalid(f"Unit is {', '.join(sorted(units))}; a cost budget has {prices.CURRENCY}.")
    older = [name for name in ("CostFilters", "CostTypes") if given.get(name)]
    if "FilterExpression" in given and older:
        raise invalid(f"FilterExpression and {older[0]} exclude each other.")
    cost_filters.test(call.cloud, given)


def create_budget(call: Call) -> None:
    """type COST; spending is looked at every 8 hours of the clock, each notification goes out once a period"""
    budgets, given = all_budgets(call), call.request["Budget"]
    name = given["BudgetName"]
    if name in budgets:
        raise AwsError("DuplicateRecordException", f"Error creating budget: {name} - the budget already exists.")
    tags = {tag["Key"]: tag["Value"] for tag in call.request.get("ResourceTags", [])}
    budget = Budget(record=_record(call, given), looked=call.cloud.clock.now(), tags=tags)
    for item in call.request.get("NotificationsWithSubscribers", []):
        add(budget, item["Notification"], item["Subscribers"])
    budgets[name] = budget
    minutes.watch(call.cloud)


def update_budget(call: Call) -> None:
    """what was spent is unknown again until the next look"""
    given = call.request["NewBudget"]
    budget = all_budgets(call).get(given["BudgetName"])
    if budget is None:
        name = given["BudgetName"]
        raise AwsError("NotFoundException", f"Unable to update budget: {name} - the budget doesn't exist.")
    budget.record = _record(call, given, budget.record["TimePeriod"]["Start"])
    budget.actual, budget.forecast = Decimal(0), None
    for notification in budget.notifications:
        notification.fired, notification.state = None, "OK"


def delete_budget(call: Call) -> None:
    budget = named(call)
    del all_budgets(call)[budget.name]


def _described(budget: Budget, *, expression: bool) -> dict[str, Any]:
    spend = {"ActualSpend": {"Amount": text(budget.actual), "Unit": prices.CURRENCY}}
    if budget.forecast is not None:
        spend["ForecastedSpend"] = {"Amount": text(budget.forecast), "Unit": prices.CURRENCY}
    hidden = () if expression else ("FilterExpression",)
    shown = {name: value for name, value in budget.record.items() if name not in hidden}
    return {**shown, "CalculatedSpend": spend, "HealthStatus": {"Status": "HEALTHY"}}


def describe_budget(call: Call) -> Mapping[str, Any]:
    """CalculatedSpend as of the last look; FilterExpression only with ShowFilterExpression"""
    return {"Budget": _described(named(call), expression=call.request.get("ShowFilterExpression", False))}


def describe_budgets(call: Call) -> Mapping[str, Any]:
    expression = call.request.get("ShowFilterExpression", False)
    found = [_described(budget, expression=expression) for budget in list(all_budgets(call).values())]
    shown, token = page(found, call.request)
    return {"Budgets": shown, "NextToken": token}


def _tagged(call: Call) -> Budget:
    where, budgets = call.request["ResourceARN"], budget_records.store(call.cloud).budgets
    found = next((budget for name, budget in budgets.items() if budget_records.budget_arn(name) == where), None)
    if found is None:
        raise AwsError("NotFoundException", f"There is no budget {where}.")
    return found


def list_tags_for_resource(call: Call) -> Mapping[str, Any]:
    return {"ResourceTags": [{"Key": key, "Value": value} for key, value in _tagged(call).tags.items()]}


def tag_resource(call: Call) -> None:
    _tagged(call).tags.update({tag["Key"]: tag["Value"] for tag in call.request["ResourceTags"]})


def untag_resource(call: Call) -> None:
    tags = _tagged(call).tags
    for key in call.request["ResourceTagKeys"]:
        tags.pop(key, None)


OPERATIONS: dict[str, Handler] = {
    **budget_notices.OPERATIONS,
    "CreateBudget": create_budget,
    "DeleteBudget": delete_budget,
    "DescribeBudget": describe_budget,
    "DescribeBudgets": describe_budgets,
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "UpdateBudget": update_budget,
}
