"""The ledger in money: each line's quantity between two times and what it costs by the price book."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import inf
from typing import Any

from localaws.cloud import Cloud
from localaws.money import ledger, prices, samples, units, usage_types
from localaws.money.ledger import Item, Tags

DIFFERENCES = (
    ("when costs are seen", "Cost Explorer at once, Budgets every 8 hours of the clock; in AWS up to a day later"),
    ("cost allocation tags", "Active until switched off; in AWS each is activated by hand, and seen a day later"),
    ("a FORECASTED notification", "the last week's spending goes on, from the first hours; AWS wants some five weeks"),
    ("a budget's SNS topic", "gets a message only if its policy lets budgets.amazonaws.com publish, as in AWS"),
    ("an endpoint's volume", "30 GB an instance where VolumeSizeInGB is not given; AWS names no figure"),
    ("serverless inference", "milliseconds of this machine, whatever the clock"),
    ("S3 requests", "those that came over HTTP; what jobs and servers copy by themselves is not counted"),
    (
        "not on the bill",
        "custom metrics, composite alarms, CloudTrail events, SNS messages, KMS requests, transfer to the internet; "
        "free tiers and taxes are never subtracted or added",
    ),
)
DIGITS = 12  # of a quantity or an amount as text: far below a cent, and without the noise of a division


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One line's part of a bill. `quantity` is in the price book's unit, `usd` None where the book has no price."""

    item: Item
    tags: Tags
    quantity: Decimal
    usd: Decimal | None

    @property
    def unit(self) -> str:
        return units.unit(self.item.key)

    @property
    def usage_type(self) -> str:
        return usage_types.billed_usage_type(self.item.region, self.item.key, self.item.kind)


def charges(cloud: Cloud, begin: float = -inf, end: float = inf) -> Iterator[Charge]:
    """What was used between two times (epoch seconds), up to now. `samples.take` before it makes it up to date."""
    now = cloud.clock.now()
    for line in ledger.of(cloud).lines():
        amount = line.within(begin, min(end, now + 1), now)
        if amount:
            item = line.item
            quantity, price = amount / units.divisor(item.key), prices.price(cloud, item.region, item.key)
            usd = None if price is None else quantity * price
            yield Charge(item=item, tags=dict(line.tags), quantity=quantity, usd=usd)


def text(value: Decimal) -> str:
    """A number in plain digits, without zeros at its end."""
    shown = f"{value:.{DIGITS}f}"
    return shown.rstrip("0").rstrip(".")


def meter(cloud: Cloud) -> dict[str, Any]:
    """GET /_localaws/meter: every billed quantity so far, what runs up to now."""
    samples.take(cloud)
    return {
        "currency": prices.CURRENCY,
        "now": cloud.clock.now(),
        "lines": [_shown(charge) for charge in charges(cloud)],
        "unpriced": "" if cloud.prices else "no price book: start localaws with --prices FILE",
    }


def _shown(charge: Charge) -> dict[str, Any]:
    item = charge.item
    return {
        "region": item.region,
        "key": item.key,
        "resource": item.resource,
        "variant": item.part,
        "kind": item.kind,
        "usage_type": charge.usage_type,
        "quantity": text(charge.quantity),
        "unit": charge.unit,
        "usd": None if charge.usd is None else text(charge.usd),
        "tags": charge.tags,
    }
