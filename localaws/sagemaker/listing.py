"""The shared form of SageMaker's listings: filters, order, pages."""

from collections.abc import Iterable, Mapping
from typing import Any

from localaws.paging import page

DEFAULT_RESULTS = 10
_SORT_KEYS = {
    "Name": "name",
    "CreationTime": "CreationTime",
    "Status": "status",
    "LastModifiedTime": "LastModifiedTime",
}
_TIME_FILTERS = (("CreationTimeAfter", "CreationTime", 1), ("CreationTimeBefore", "CreationTime", -1)) + (
    ("LastModifiedTimeAfter", "LastModifiedTime", 1),
    ("LastModifiedTimeBefore", "LastModifiedTime", -1),
)


def listing(
    request: Mapping[str, Any], records: Iterable[Mapping[str, Any]], name: str, status: str = ""
) -> tuple[list[Mapping[str, Any]], str | None]:
    """Filter, sort and cut `records`; `name` and `status` are their fields of those meanings.

    Newest first unless the request says otherwise, as in AWS; ties keep the order of creation.
    """
    found = [record for record in records if _matches(request, record, name, status)]
    fields = {"name": name, "status": status}
    key = _SORT_KEYS.get(request.get("SortBy", "CreationTime"), "CreationTime")
    found.sort(key=lambda record: record[fields.get(key, key)])
    if request.get("SortOrder", "Descending") == "Descending":
        found.reverse()
    return page(found, request.get("NextToken"), request.get("MaxResults", DEFAULT_RESULTS))


def _matches(request: Mapping[str, Any], record: Mapping[str, Any], name: str, status: str) -> bool:
    if request.get("NameContains", "").lower() not in record[name].lower():
        return False
    if status and "StatusEquals" in request and record[status] != request["StatusEquals"]:
        return False
    return all((record[field] - request[limit]) * sign >= 0 for limit, field, sign in _TIME_FILTERS if limit in request)
