"""The price book that localaws was started with: USD for one unit of a key in a region. Read when first asked for.

The format is that of Slipway's `book.json`: {"format": 1, "currency": "USD", "prices": {region: {key: {"usd": "0.115",
"unit": "hour"}}}}, the figures as text.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from localaws.cloud import Cloud

FORMAT = 1
CURRENCY = "USD"

Prices = Mapping[str, Mapping[str, Decimal]]
"""By region and key."""


def of(cloud: Cloud) -> Prices:
    """All prices; none without a book. Raises ValueError for a file of another format."""
    return read(cloud.prices) if cloud.prices is not None else {}


@cache
def read(file: Path) -> Prices:
    """The prices of a book. Raises ValueError for a file of another format."""
    book: dict[str, Any] = json.loads(file.read_text())
    if book.get("format") != FORMAT:
        raise ValueError(f"{file} has format {book.get('format')!r}; localaws reads price books of format {FORMAT}")
    return {region: {key: Decimal(row["usd"]) for key, row in rows.items()} for region, rows in book["prices"].items()}


def price(cloud: Cloud, region: str, key: str) -> Decimal | None:
    """USD for one unit; None for what the book does not have."""
    return of(cloud).get(region, {}).get(key)
