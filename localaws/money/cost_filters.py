"""A budget's choice of charges: CostFilters, the older form, or a FilterExpression. Only one of them can be given."""

from collections.abc import Mapping, Sequence
from typing import Any

from localaws.cloud import Cloud
from localaws.errors import AwsError
from localaws.money import filters
from localaws.money.filters import Test

TAG = "TagKeyValue"
USER = "user:"  # the prefix of tags that AWS did not make itself
_NAMES = {
    "AZ": "AZ",
    "InstanceType": "INSTANCE_TYPE",
    "LinkedAccount": "LINKED_ACCOUNT",
    "Operation": "OPERATION",
    "PurchaseType": "PURCHASE_TYPE",
    "Region": "REGION",
    "Service": "SERVICE",
    "UsageType": "USAGE_TYPE",
}


def test(cloud: Cloud, budget: Mapping[str, Any]) -> Test:
    """Which charges count. Raises AwsError InvalidParameterException."""
    try:
        if budget.get("FilterExpression"):
            return filters.test(cloud, budget["FilterExpression"])
        parts = [_part(cloud, name, values) for name, values in budget.get("CostFilters", {}).items()]
    except AwsError as error:
        raise AwsError("InvalidParameterException", error.message) from error
    return lambda charge: all(part(charge) for part in parts)


def _part(cloud: Cloud, name: str, values: Sequence[str]) -> Test:
    if name == TAG:
        # One value of each key, as the console's filters of several tags read; not documented for this form.
        keys = dict.fromkeys(value.partition("$")[0] for value in values)
        of_key = [_any([_tag(cloud, value) for value in values if value.partition("$")[0] == key]) for key in keys]
        return lambda charge: all(one(charge) for one in of_key)
    if name not in _NAMES:
        allowed = ", ".join([*_NAMES, TAG])
        raise AwsError("InvalidParameterException", f"CostFilters has {name}; localaws knows {allowed}")
    return filters.values(filters.dimension(_NAMES[name]), values)


def _tag(cloud: Cloud, text: str) -> Test:
    """`user:team$red`: charges whose tag `team` is `red`."""
    key, dollar, value = text.removeprefix(USER).partition("$")
    if not text.startswith(USER) or not dollar:
        raise AwsError("InvalidParameterException", f"{TAG} is {text!r}; it must be {USER}<key>$<value>")
    return lambda charge: filters.tag(cloud, charge, key) == value


def _any(tests: Sequence[Test]) -> Test:
    return lambda charge: any(one(charge) for one in tests)
