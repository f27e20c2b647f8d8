"""Cost Explorer's lists: the tags and dimension values that there are costs of, and which tags can be asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

from localaws.cloud import Call, Handler
from localaws.errors import AwsError
from localaws.money import bill, filters, ledger, periods, samples
from localaws.money.bill import Charge
from localaws.money.cost_explorer import interval

DEFAULT_RESULTS = 1000
DEFAULT_TAGS = 100


def _charges(call: Call) -> list[Charge]:
    samples.take(call.cloud)
    chosen = filters.test(call.cloud, call.request.get("Filter"))
    return [charge for charge in bill.charges(call.cloud, *interval(call.request)) if chosen(charge)]


def _page(
    values: Sequence[Any], request: Mapping[str, Any], token_name: str, size: int
) -> tuple[list[Any], str | None]:
    token, size = request.get(token_name), request.get("MaxResults", size)
    if token is not None and not (token.isdigit() and int(token) < len(values)):
        raise AwsError("InvalidNextTokenException", f"{token_name} is {token!r}; give that of the previous answer.")
    begin = int(token or 0)
    following = str(begin + size) if begin + size < len(values) else None
    return list(values[begin : begin + size]), following


def get_tags(call: Call) -> Mapping[str, Any]:
    """keys of the tags, or values of one; "" stands for charges without it"""
    request, found, active = call.request, _charges(call), filters.allocation_tags(call.cloud)
    if "TagKey" in request:
        names = {filters.tag(call.cloud, charge, request["TagKey"]) for charge in found}
    else:
        names = {key for charge in found for key in charge.tags if active.is_active(key)}
    values = sorted(name for name in names if request.get("SearchString", "") in name)
    shown, following = _page(values, request, "NextPageToken", DEFAULT_RESULTS)
    return {"Tags": shown, "ReturnSize": len(shown), "TotalSize": len(values), "NextPageToken": following}


def get_dimension_values(call: Call) -> Mapping[str, Any]:
    """of the dimensions that a charge of localaws has"""
    request, read = call.request, filters.dimension(call.request["Dimension"])
    names = {read(charge) for charge in _charges(call)}
    values = sorted(name for name in names if request.get("SearchString", "") in name)
    shown, following = _page(values, request, "NextPageToken", DEFAULT_RESULTS)
    return {
        "DimensionValues": [{"Value": value, "Attributes": {}} for value in shown],
        "ReturnSize": len(shown),
        "TotalSize": len(values),
        "NextPageToken": following,
    }


def list_cost_allocation_tags(call: Call) -> Mapping[str, Any]:
    """every tag of a billed resource, Active until it is switched off: in AWS each starts Inactive"""
    request, tags = call.request, filters.allocation_tags(call.cloud)
    samples.take(call.cloud)
    known = {key for line in ledger.of(call.cloud).lines() for key in dict(line.tags)} | set(tags.status)
    found = []
    for key in sorted(known):
        status = "Active" if tags.is_active(key) else "Inactive"
        wanted = request.get("Status", status) == status and key in request.get("TagKeys", [key])
        if wanted and request.get("Type", "UserDefined") == "UserDefined":
            updated = {"LastUpdatedDate": periods.time_text(tags.status[key][1])} if key in tags.status else {}
            found.append({"TagKey": key, "Type": "UserDefined", "Status": status, **updated})
    shown, following = _page(found, request, "NextToken", DEFAULT_TAGS)
    return {"CostAllocationTags": shown, "NextToken": following}


def update_cost_allocation_tags_status(call: Call) -> Mapping[str, Any]:
    """acts at once, where AWS takes up to a day; a tag that no billed resource has yet is taken too"""
    tags, now = filters.allocation_tags(call.cloud), call.cloud.clock.now()
    for item in call.request["CostAllocationTagsStatus"]:
        tags.status[item["TagKey"]] = (item["Status"], now)
    return {"Errors": []}


OPERATIONS: dict[str, Handler] = {
    "GetDimensionValues": get_dimension_values,
    "GetTags": get_tags,
    "ListCostAllocationTags": list_cost_allocation_tags,
    "UpdateCostAllocationTagsStatus": update_cost_allocation_tags_status,
}
