"""The price book: USD for one unit of a thing in a region, with where and when the figure was read.

`book.json` beside this file holds AWS's public list prices, on demand, without tax, free tier, savings plans and
private discounts. A key is a component and what it is counted for: `Training:ml.g5.xlarge` and `Hosting:ml.m5.large` by
the hour and instance (asynchronous endpoints pay `Hosting`), `BatchTransform:...`, `Serverless:2048` (MB) by second,
`Volume:Hosting` by the GB-month, `S3:Storage`, `Logs:Ingest`, `KMS:Key`. A month is 730 hours, as in AWS's calculator.
A figure that is not there is an error in words, never zero.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

FORMAT = 1
FILE = Path(__file__).with_name("book.json")
HOURS_PER_MONTH = 730
SECONDS_PER_HOUR = 3600
OLD_AFTER = timedelta(days=180)
INSTANCE_COMPONENTS = ("Training", "Hosting", "BatchTransform", "Processing")
REFRESH = "slipway prices refresh"


class PriceMissing(LookupError):  # noqa: N818
    """The book has no such price; the message says what is known and how to get it."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """`usd` for one `unit` of `key` in `region`, as `source` had it on `as_of`.

    `derived` says how the figure was got from others where no source had it itself; else it is empty.
    """

    region: str
    key: str
    usd: Decimal
    unit: str
    as_of: date
    source: str
    derived: str = ""

    def is_old(self, today: date) -> bool:
        """Whether it was read more than 180 days ago."""
        return today - self.as_of > OLD_AFTER

    def origin(self, today: date) -> str:
        """Where the figure comes from, in a line; that it is derived, and that it is old, are part of it."""
        words = f"{self.source}, {self.as_of.isoformat()}"
        words += f"; derived: {self.derived}" if self.derived else ""
        return words + (f"; OLD: {(today - self.as_of).days} days, refresh: {REFRESH}" if self.is_old(today) else "")


@dataclass(frozen=True, kw_only=True)
class Book:
    """All prices, by region and key."""

    as_of: date
    currency: str
    kind: str
    prices: Mapping[str, Mapping[str, Price]]

    def price(self, region: str, key: str) -> Price:
        """Raises PriceMissing, naming the nearest thing that is known."""
        found = self.prices.get(region, {}).get(key)
        if found is None:
            raise PriceMissing(self._missing(region, key))
        return found

    def instance(self, region: str, component: str, instance_type: str) -> Price:
        """USD an hour of one instance; `component` is one of INSTANCE_COMPONENTS. Raises PriceMissing."""
        return self.price(region, f"{component}:{instance_type}")

    def _missing(self, region: str, key: str) -> str:
        if region not in self.prices:
            where = f"region {region} is not in the book (it has {', '.join(self.prices)})"
        else:
            elsewhere = [other for other, prices in self.prices.items() if key in prices]
            where = f"known for {', '.join(elsewhere)}" if elsewhere else "known for no region"
        return f"no price of {key} in {region}: {where}; read it from AWS: {REFRESH} --region {region}"


@cache
def load(file: Path = FILE) -> Book:
    """Read a book. Raises ValueError when the file has another format."""
    return parse(json.loads(file.read_text()))


def parse(raw: Mapping[str, Any]) -> Book:
    """The book in a JSON document. Raises ValueError when it has another format."""
    if raw.get("format") != FORMAT:
        raise ValueError(f"the price book has format {raw.get('format')!r}; this version reads format {FORMAT}")
    sources = raw["sources"]
    prices = {
        region: {key: _price(region, key, row, sources) for key, row in rows.items()}
        for region, rows in raw["prices"].items()
    }
    return Book(as_of=date.fromisoformat(raw["as_of"]), currency=raw["currency"], kind=raw["kind"], prices=prices)


def _price(region: str, key: str, row: Mapping[str, str], sources: Mapping[str, str]) -> Price:
    return Price(
        region=region,
        key=key,
        usd=Decimal(row["usd"]),
        unit=row["unit"],
        as_of=date.fromisoformat(row["as_of"]),
        source=sources[row["source"]],
        derived=row.get("derived", ""),
    )
