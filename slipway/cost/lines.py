"""A priced line, what is free and why, and the estimate that they make."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from slipway.cost.amounts import NOTHING, Span, total
from slipway.cost.usage import Usage
from slipway.prices.book import Price

Period = Literal["month", "run"]
CURRENCY = "USD"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that bills: how much of it at what price, under which assumption, and what would lower it.

    `price` is None where the book has none; `missing` says so then.
    """

    resource: str
    type: str
    what: str
    period: Period
    key: str
    unit: str
    quantity: Span
    price: Price | None
    missing: str
    assumption: str
    lower: str

    @property
    def usd(self) -> Span | None:
        """USD of the period; None without a price."""
        return None if self.price is None else self.quantity * self.price.usd


@dataclass(frozen=True, kw_only=True)
class Free:
    """A resource that costs nothing by itself, and why."""

    resource: str
    type: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a stack costs. `unknown` are resources of types that the table does not know: their cost is not in it."""

    region: str
    as_of: date
    today: date
    usage: Usage
    lines: tuple[Line, ...]
    free: tuple[Free, ...]
    unknown: tuple[Free, ...]

    @property
    def month(self) -> Span:
        """USD a month of what bills by the month."""
        return total(_priced(line for line in self.lines if line.period == "month"))

    @property
    def run(self) -> Span:
        """USD of one run."""
        return total(_priced(line for line in self.lines if line.period == "run"))

    @property
    def whole(self) -> Span:
        """USD of a month with its runs."""
        return self.month + self.run * self.usage.runs_a_month

    @property
    def trains(self) -> bool:
        return any(line.period == "run" for line in self.lines)

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is not in the totals, in words; with any, they are lower bounds."""
        prices = dict.fromkeys(line.missing for line in self.lines if line.price is None and line.quantity.worst)
        types = dict.fromkeys(f"no rule for {one.type} ({one.resource})" for one in self.unknown)
        return (*prices, *types)

    def by_resource(self) -> dict[tuple[str, str], Span]:
        """USD a month with its runs, by (type, name) of the resource."""
        found: dict[tuple[str, str], Span] = {}
        for line in self.lines:
            times = self.usage.runs_a_month if line.period == "run" else Span.of(1)
            usd = (line.usd or NOTHING) * times
            found[line.type, line.resource] = found.get((line.type, line.resource), NOTHING) + usd
        return found

    def by_key(self) -> dict[str, Span]:
        """USD a month with its runs, by the book's key."""
        found: dict[str, Span] = {}
        for line in self.lines:
            times = self.usage.runs_a_month if line.period == "run" else Span.of(1)
            found[line.key] = found.get(line.key, NOTHING) + (line.usd or NOTHING) * times
        return found


def _priced(lines: Iterable[Line]) -> list[Span]:
    return [usd for line in lines if (usd := line.usd) is not None]


def rate(price: Price) -> str:
    """The price of one unit, in full: "0.115 USD/hour"."""
    return f"{price.usd.normalize():f} {CURRENCY}/{price.unit}"


def ratio(part: Decimal, whole: Decimal) -> Decimal:
    """Part of whole; 0 of nothing."""
    return part / whole if whole else Decimal(0)
