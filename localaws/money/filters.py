"""Which charges a filter of Cost Explorer or Budgets takes: And, Or, Not over dimensions and cost allocation tags."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from localaws.cloud import ACCOUNT, GLOBAL, Cloud, Store
from localaws.errors import AwsError
from localaws.money import usage_types
from localaws.money.bill import Charge
from localaws.money.usage_types import SERVICE_NAMES

Test = Callable[[Charge], bool]
NO_INSTANCE = "NoInstanceType"
_INSTANCE = re.compile(r"[^:]+:(ml\..+)")

DIMENSIONS: dict[str, Callable[[Charge], str]] = {
    "AZ": lambda charge: "NoAZ",
    "BILLING_ENTITY": lambda charge: "AWS",
    "INSTANCE_TYPE": lambda charge: found[1] if (found := _INSTANCE.fullmatch(charge.item.key)) else NO_INSTANCE,
    "LINKED_ACCOUNT": lambda charge: ACCOUNT,
    "OPERATION": lambda charge: usage_types.row(charge.item.key).operation or "NoOperation",
    "PURCHASE_TYPE": lambda charge: "Spot Instances" if charge.item.kind == "spot" else "On Demand Instances",
    "RECORD_TYPE": lambda charge: "Usage",
    "REGION": lambda charge: charge.item.region,
    "RESOURCE_ID": lambda charge: charge.item.resource,
    "SERVICE": lambda charge: SERVICE_NAMES[usage_types.row(charge.item.key).service],
    "SERVICE_CODE": lambda charge: usage_types.row(charge.item.key).service,
    "USAGE_TYPE": lambda charge: charge.usage_type,
}
_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "EQUALS": str.__eq__,
    "STARTS_WITH": str.startswith,
    "ENDS_WITH": str.endswith,
    "CONTAINS": str.__contains__,
}


class AllocationTags(Store):
    """Which tags can be asked for. All can until somebody switches one off: AWS wants each activated by hand first."""

    def __init__(self) -> None:
        self.status: dict[str, tuple[str, float]] = {}  # with the time of the change

    def is_active(self, key: str) -> bool:
        return self.status.get(key, ("Active", 0.0))[0] == "Active"


def allocation_tags(cloud: Cloud) -> AllocationTags:
    return cloud.store(GLOBAL, AllocationTags)


def tag(cloud: Cloud, charge: Charge, key: str) -> str:
    """The value of a cost allocation tag; "" where the charge has none or the tag is not active."""
    return charge.tags.get(key, "") if allocation_tags(cloud).is_active(key) else ""


def dimension(name: str) -> Callable[[Charge], str]:
    """A dimension's value of a charge. Raises AwsError for one that localaws cannot tell."""
    if name not in DIMENSIONS:
        raise AwsError("ValidationException", f"Dimension {name} is not emulated; known: {', '.join(DIMENSIONS)}")
    return DIMENSIONS[name]


def test(cloud: Cloud, expression: Mapping[str, Any] | None) -> Test:
    """The test of an Expression; everything passes where there is none. Raises AwsError."""
    if not expression:
        return lambda charge: True
    if len(expression) != 1:
        names = ", ".join(expression)
        text = f"Expression has {len(expression)} operators ({names}); give one, and join several by And, Or, Not."
        raise AwsError("ValidationException", text)
    [(name, value)] = expression.items()
    if name not in _OPERATORS:
        raise AwsError("ValidationException", f"{name} is not emulated; known: {', '.join(_OPERATORS)}")
    return _OPERATORS[name](cloud, value)


def _all(cloud: Cloud, parts: Sequence[Mapping[str, Any]]) -> Test:
    tests = [test(cloud, part) for part in parts]
    return lambda charge: all(one(charge) for one in tests)


def _any(cloud: Cloud, parts: Sequence[Mapping[str, Any]]) -> Test:
    tests = [test(cloud, part) for part in parts]
    return lambda charge: any(one(charge) for one in tests)


def _not(cloud: Cloud, part: Mapping[str, Any]) -> Test:
    one = test(cloud, part)
    return lambda charge: not one(charge)


def _dimensions(cloud: Cloud, part: Mapping[str, Any]) -> Test:
    return values(dimension(part["Key"]), part.get("Values", []), part.get("MatchOptions", []))


def _tags(cloud: Cloud, part: Mapping[str, Any]) -> Test:
    key = part["Key"]
    return values(lambda charge: tag(cloud, charge, key), part.get("Values", []), part.get("MatchOptions", []))


_OPERATORS: dict[str, Callable[[Cloud, Any], Test]] = {
    "And": _all,
    "Or": _any,
    "Not": _not,
    "Dimensions": _dimensions,
    "Tags": _tags,
}


def values(read: Callable[[Charge], str], wanted: Sequence[str], options: Sequence[str] = ()) -> Test:
    """Whether what `read` finds matches one of the values; ABSENT is for tags that are not there."""
    kind = next((option for option in options if option in _MATCHES), "EQUALS")
    fold = str.lower if "CASE_INSENSITIVE" in options else str
    folded = [fold(value) for value in wanted]

    def matches(charge: Charge) -> bool:
        value = fold(read(charge))
        if "ABSENT" in options:
            return not value
        return any(_MATCHES[kind](value, one) for one in folded)

    return matches
