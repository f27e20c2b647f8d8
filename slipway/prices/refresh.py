"""The book's prices replaced by those that AWS lists now; and what that changes.

A key that AWS lists becomes a read price, also where the book had derived one. An instance type that it lists no
more goes: what is not sold has no price, which is better known than a wrong one. What is listed under another name than
expected, or with two prices, stays as it was and is said.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from slipway.prices.api import Found
from slipway.prices.usage_types import COMPONENTS

SOURCE = "api"
SOURCE_WORDS = "AWS Price List API (GetProducts)"
Row = dict[str, str]


class PricesUnreadableError(Exception):
    """AWS lists nothing that could be a price book of the region."""


@dataclass
class Diff:
    """What a refresh changes, by (region, key)."""

    changed: dict[tuple[str, str], tuple[Decimal, Decimal]] = field(default_factory=dict)
    new: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    gone: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    kept: dict[tuple[str, str], str] = field(default_factory=dict)
    """Not read, with the reason: as they were."""
    same: int = 0

    def lines(self) -> list[str]:
        """For people: each on a line, the largest changes first."""
        shown = [
            f"changed  {region} {key}  {text(old)} -> {text(now)} USD ({percent(old, now)})"
            for (region, key), (old, now) in sorted(self.changed.items(), key=_by_size)
        ]
        shown += [f"new      {region} {key}  {text(usd)} USD" for (region, key), usd in sorted(self.new.items())]
        shown += [f"gone     {region} {key}  was {text(usd)} USD" for (region, key), usd in sorted(self.gone.items())]
        return shown + [f"kept     {region} {key}  {why}" for (region, key), why in sorted(self.kept.items())]

    def counts(self) -> dict[str, int]:
        counted = {name: len(getattr(self, name)) for name in ("changed", "new", "gone", "kept")}
        return {**counted, "same": self.same}


def refreshed(
    raw: Mapping[str, Any], regions: Iterable[str], read: Callable[[str], Found], today: date
) -> tuple[dict[str, Any], Diff]:
    """The book's document with the regions read anew, and what that changes. Raises PricesUnreadableError.

    `raw` stays as it is.
    """
    diff = Diff()
    prices = dict(raw["prices"])
    for region in regions:
        found = read(region)
        if not any(key.split(":")[0] in COMPONENTS.values() for key in found.prices):
            raise PricesUnreadableError(
                f"AWS lists no SageMaker instance in {region!r}; is that a region? Nothing was changed"
            )
        prices[region] = _merged(region, prices.get(region, {}), found, today, diff)
    book = {**raw, "as_of": today.isoformat(), "prices": prices, "sources": {**raw["sources"], SOURCE: SOURCE_WORDS}}
    return book, diff


def _merged(region: str, old: Mapping[str, Row], found: Found, today: date, diff: Diff) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for key, (usd, unit) in found.prices.items():
        rows[key] = {"usd": text(usd), "unit": unit, "as_of": today.isoformat(), "source": SOURCE}
        if key not in old:
            diff.new[region, key] = usd
        elif (before := Decimal(old[key]["usd"])) != usd:
            diff.changed[region, key] = before, usd
        else:
            diff.same += 1
    for key, row in old.items():
        if key in rows:
            continue
        if key in found.doubtful:
            rows[key] = row
            diff.kept[region, key] = f"AWS lists {' and '.join(map(text, found.doubtful[key]))} USD"
        elif key.split(":")[0] not in COMPONENTS.values():
            rows[key] = row
            diff.kept[region, key] = "no row of AWS's list is known as this"
        else:
            diff.gone[region, key] = Decimal(row["usd"])
    return rows


def text(usd: Decimal) -> str:
    """All digits, no exponent, no zeros at the end."""
    return f"{usd.normalize():f}"


def percent(old: Decimal, now: Decimal) -> str:
    """The change in percent of the old price."""
    return f"{100 * (now - old) / old:+.1f}%" if old else "was 0"


def _by_size(entry: tuple[tuple[str, str], tuple[Decimal, Decimal]]) -> tuple[Decimal, tuple[str, str]]:
    where, (old, now) = entry
    return -abs((now - old) / old if old else Decimal(1)), where
