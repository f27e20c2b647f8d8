"""The budgets of the account: what was asked for, what each notification has said, what was spent at the last look."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from localaws.cloud import ACCOUNT, GLOBAL, Cloud, Store
from localaws.money import periods

REFRESH_SECONDS = 8 * 3600  # AWS: up to three times a day, each 8 to 12 hours after the one before
FAR_END = 3706473600  # 2087-06-15, AWS's own end of a budget without one
CUSTOM = "CUSTOM"

Identity = tuple[str, str, float, str]


@dataclass(kw_only=True)
class Notification:
    """`fired` is the begin of the period in which it has been sent last."""

    type: str
    operator: str
    threshold: float
    threshold_type: str
    subscribers: list[dict[str, str]]
    state: str = "OK"
    fired: float | None = None

    @property
    def identity(self) -> Identity:
        return self.type, self.operator, self.threshold, self.threshold_type

    def described(self) -> dict[str, Any]:
        return {
            "NotificationType": self.type,
            "ComparisonOperator": self.operator,
            "Threshold": self.threshold,
            "ThresholdType": self.threshold_type,
            "NotificationState": self.state,
        }


def identity(given: Mapping[str, Any]) -> Identity:
    """What tells a notification from the budget's others."""
    kind = given.get("ThresholdType", "PERCENTAGE")
    return given["NotificationType"], given["ComparisonOperator"], float(given["Threshold"]), kind


@dataclass(kw_only=True)
class Budget:
    """`record` is what DescribeBudget shows but for what was spent; `looked` is when that was found out last."""

    record: dict[str, Any]
    looked: float
    notifications: list[Notification] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    actual: Decimal = Decimal(0)
    forecast: Decimal | None = None

    @property
    def name(self) -> str:
        return str(self.record["BudgetName"])

    def period(self, at: float) -> tuple[float, float]:
        """(begin, end) of the period that a time is in, within the budget's own time."""
        own: tuple[float, float] = self.record["TimePeriod"]["Start"], self.record["TimePeriod"]["End"]
        begin, end = own if self.record["TimeUnit"] == CUSTOM else periods.AROUND[self.record["TimeUnit"]](at)
        return max(begin, own[0]), min(end, own[1])

    def limit(self, at: float) -> Decimal:
        """USD of the period that a time is in."""
        planned = {int(begin): spend for begin, spend in self.record.get("PlannedBudgetLimits", {}).items()}
        begun = [begin for begin in planned if begin <= at]
        found = planned[max(begun)] if begun else self.record.get("BudgetLimit", {"Amount": "0"})
        return Decimal(found["Amount"])


class Budgets(Store):
    """By name; the account has them in no region."""

    def __init__(self) -> None:
        self.budgets: dict[str, Budget] = {}


def store(cloud: Cloud) -> Budgets:
    return cloud.store(GLOBAL, Budgets)


def budget_arn(name: str) -> str:
    return f"arn:aws:budgets::{ACCOUNT}:budget/{name}"
