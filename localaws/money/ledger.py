"""The ledger: who has used how much of what, and when, by localaws's clock. Money comes later (bill.py).

A line is one thing of one resource, for example the hours of an instance type of an endpoint. What runs is a `Usage`
with a begin and an end; it is never added up while it runs, so it cannot drift: a jump of the clock by a month is a
month. What happens at a moment (requests, bytes) is counted by the hour of the clock. A deleted resource's lines stay.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from localaws.cloud import GLOBAL, Cloud, Store
from localaws.money import units

HOUR_SECONDS = 3600
ZERO = Decimal(0)

Tags = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Item:
    """What a line counts. `key` as in the price book, `resource` an ARN or a name.

    `kind` tells bill lines apart that have one price: "spot", "warm pool", "async". `part` is a variant of an endpoint.
    """

    region: str
    key: str
    resource: str
    kind: str = ""
    part: str = ""


@dataclass(kw_only=True, eq=False)
class Usage:
    """Something that is used from `begin` to `end` (epoch seconds, None while it goes on).

    It is `rate` a second, or the `total` that a function tells of a time, spread evenly over it. `until` tells, of a
    time, when it has ended or that very time: for what ends by itself.
    """

    begin: float
    end: float | None = None
    rate: Decimal = Decimal(1)
    total: Callable[[float], Decimal] | None = None
    until: Callable[[float], float] | None = None

    def stop(self, now: float) -> None:
        """End it, once: later calls change nothing."""
        if self.end is None:
            if self.total is not None:
                final = self.total(now)
                self.total = lambda at: final
            self.end = now

    def within(self, begin: float, end: float, now: float) -> Decimal:
        """The amount between two times, as far as it is known now."""
        last = self._last(now)
        overlap = _seconds(max(begin, self.begin), min(end, last))
        if self.total is None:
            return self.rate * overlap
        whole, total = _seconds(self.begin, last), self.total(last)
        if not whole:  # all of it at one moment, under a stepped clock
            return total if begin <= self.begin < end else ZERO
        return total if overlap == whole else total * overlap / whole

    def _last(self, now: float) -> float:
        if self.until is not None:
            return self.until(now)
        return now if self.end is None else min(self.end, now)


def _seconds(begin: float, end: float) -> Decimal:
    """To the microsecond, each time by itself: the seconds of parts add up, and those of a stepped clock are whole."""
    return max(round(Decimal(end), 6) - round(Decimal(begin), 6), ZERO)


@dataclass(kw_only=True, eq=False)
class Line:
    """All usage of one item. `counts` are amounts by the hour (its begin, epoch seconds)."""

    item: Item
    usages: list[Usage] = field(default_factory=list)
    counts: dict[int, Decimal] = field(default_factory=dict)
    tags: Tags = field(default_factory=dict)

    def within(self, begin: float, end: float, now: float) -> Decimal:
        """The amount between two times; begin and end of counted things are taken at whole hours."""
        used = sum((usage.within(begin, end, now) for usage in list(self.usages)), ZERO)
        return used + sum((amount for hour, amount in list(self.counts.items()) if begin <= hour < end), ZERO)


class Ledger(Store):
    """The whole account's, kept in the region GLOBAL."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Item, Line] = {}
        self.sampled: dict[Item, Usage] = {}
        self.sampling = threading.Lock()

    def lines(self) -> list[Line]:
        with self._lock:
            return list(self._lines.values())

    def line(self, item: Item, tags: Tags | None = None) -> Line:
        """The item's line, made on first use. The tags, if given, are kept as they are, alive or not."""
        with self._lock:
            found = self._lines.get(item)
            if found is None:
                found = self._lines[item] = Line(item=item)
            if tags is not None:
                found.tags = tags
            return found

    def start(self, item: Item, usage: Usage, tags: Tags | None = None) -> Usage:
        """Put a usage on the item's line."""
        self.line(item, tags).usages.append(usage)
        return usage

    def add(self, item: Item, amount: Decimal | int, now: float, tags: Tags | None = None) -> None:
        """Count an amount at this moment."""
        hour = int(now // HOUR_SECONDS) * HOUR_SECONDS
        with self._lock:
            line = self._lines.get(item)
            if line is None:
                line = self._lines[item] = Line(item=item)
            line.counts[hour] = line.counts.get(hour, ZERO) + amount
            if tags is not None:
                line.tags = tags

    def spans(self) -> Iterator[tuple[float, float | None]]:
        """(begin, end) of everything, end None for what goes on."""
        for line in self.lines():
            yield from ((usage.begin, usage.end) for usage in list(line.usages))
            yield from ((float(hour), float(hour + HOUR_SECONDS)) for hour in list(line.counts))


def of(cloud: Cloud) -> Ledger:
    return cloud.store(GLOBAL, Ledger)


def count(
    cloud: Cloud,
    region: str,
    key: str,
    resource: str,
    quantity: Decimal | float | int,
    tags: Tags | None = None,
) -> None:
    """Count so many units of a key of the price book now, for example one Lambda:Request of a function's ARN.

    Raises ValueError for a key of no known kind.
    """
    item = Item(region=region, key=key, resource=resource)
    of(cloud).add(item, units.amount(key, quantity), cloud.clock.now(), tags)
