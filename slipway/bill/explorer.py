"""The Cost Explorer, asked for one stack by its tags: USD and quantity by day and usage type.

It counts whole days, lags by up to one, and knows a tag only since the account's owner has activated it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from slipway.errors import SlipwayError
from slipway.prices.usage_types import billed_key
from slipway.project import Stack
from slipway.searches import own_tags

RESOURCE_DAYS = 14  # of history by resource that the Cost Explorer keeps
REFUSED = ("AccessDeniedException", "AccessDenied", "UnauthorizedException")
NO_DATA = "DataUnavailableException"
NOT_YET = "Cost Explorer has nothing of it yet: it lags by up to a day, and by two in a new account. Try again tomorrow"


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One usage type on one day. `key` is the price book's; empty where the book has none. `resource` where asked."""

    day: date
    service: str
    usage_type: str
    key: str
    quantity: Decimal
    usd: Decimal
    resource: str = ""


def charges(stack: Stack, since: date, until: date) -> list[Charge]:
    """What the stack was charged from `since` to `until` (not included).

    Raises SlipwayError in words when that cannot be told: no permission, no data yet, tags that are not active.
    """
    explorer = stack.client("ce")
    request = _request(stack, since, until, ("SERVICE", "USAGE_TYPE"))
    try:
        found = [_charge(*one) for one in _groups(explorer.get_cost_and_usage, request)]
    except ClientError as error:
        raise _explained(error, "ce:GetCostAndUsage") from None
    if not any(charge.usd or charge.quantity for charge in found):
        raise SlipwayError(_why_nothing(stack, explorer, since, until))
    return found


def by_resource(stack: Stack, until: date) -> list[Charge] | str:
    """The last two weeks by resource; why not, in words, where the account has not opted in or it is not allowed."""
    request = _request(stack, until - timedelta(days=RESOURCE_DAYS), until, ("RESOURCE_ID", "USAGE_TYPE"))
    try:
        groups = list(_groups(stack.client("ce").get_cost_and_usage_with_resources, request))
    except ClientError as error:
        code, said = error.response["Error"]["Code"], error.response["Error"]["Message"]
        return f"not by resource: {code} {said}; opt in under Cost Explorer's settings, resource-level data"
    return [_resource(*one) for one in groups]


def _request(stack: Stack, since: date, until: date, by: tuple[str, str]) -> dict[str, Any]:
    tags = [{"Tags": {"Key": key, "Values": [value]}} for key, value in own_tags(stack).items()]
    return {
        "TimePeriod": {"Start": since.isoformat(), "End": until.isoformat()},
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost", "UsageQuantity"],
        "Filter": {"And": tags},
        "GroupBy": [{"Type": "DIMENSION", "Key": key} for key in by],
    }


def _groups(operation: Any, request: dict[str, Any]) -> Iterator[tuple[date, Mapping[str, Any]]]:
    token: dict[str, str] = {}
    while True:
        answer = operation(**request, **token)
        for result in answer["ResultsByTime"]:
            for group in result["Groups"]:
                yield date.fromisoformat(result["TimePeriod"]["Start"][:10]), group
        if not answer.get("NextPageToken"):
            return
        token = {"NextPageToken": answer["NextPageToken"]}


def _charge(day: date, group: Mapping[str, Any]) -> Charge:
    service, usage_type = group["Keys"]
    usd, quantity = _amounts(group)
    key = billed_key(service, usage_type) or ""
    return Charge(day=day, service=service, usage_type=usage_type, key=key, quantity=quantity, usd=usd)


def _resource(day: date, group: Mapping[str, Any]) -> Charge:
    resource, usage_type = group["Keys"]
    usd, quantity = _amounts(group)
    return Charge(day=day, service="", usage_type=usage_type, key="", resource=resource, quantity=quantity, usd=usd)


def _amounts(group: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    metrics = group["Metrics"]
    usd, quantity = metrics["UnblendedCost"]["Amount"], metrics.get("UsageQuantity", {}).get("Amount", "0")
    return Decimal(usd), Decimal(quantity)


def _explained(error: ClientError, action: str) -> SlipwayError:
    code, said = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code == NO_DATA:
        return SlipwayError(NOT_YET)
    if code in REFUSED:
        return SlipwayError(
            f"not allowed to read the bill ({said}); it needs {action} on *, and in a member account the management "
            "account must allow access to the Cost Explorer"
        )
    return SlipwayError(f"Cost Explorer: {code} {said}")


def _why_nothing(stack: Stack, explorer: Any, since: date, until: date) -> str:
    """Inactive tags are the usual reason; they can be activated a day after the first resource carries them."""
    where = f"nothing was charged to stack {stack.name} from {since} to {until}"
    keys = list(own_tags(stack))
    try:
        listed = explorer.list_cost_allocation_tags(TagKeys=keys)["CostAllocationTags"]
    except ClientError:
        return f"{where}. {NOT_YET}; or its cost allocation tags may not be active: {_activate(keys)}"
    active = {tag["TagKey"] for tag in listed if tag["Status"] == "Active"}
    if missing := [key for key in keys if key not in active]:
        return f"{where}: {' and '.join(missing)} not active as cost allocation tag(s). Activate: {_activate(missing)}"
    return f"{where}. {NOT_YET}"


def _activate(keys: list[str]) -> str:
    words = " ".join(f"TagKey={key},Status=Active" for key in keys)
    return f"aws ce update-cost-allocation-tags-status --cost-allocation-tags-status {words} (counts from then on)"
