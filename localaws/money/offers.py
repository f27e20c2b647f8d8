"""The rows of AWS's price list that the price book makes, in the shape in which GetProducts gives them.

With them come rows that a careful reader has to skip, as in AWS's own list: training plans' upfront fees (no component,
unit Quantity, cheaper than the instance looks) and rows of local zones (another locationType).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from localaws.alarms.actions import region_name
from localaws.money import usage_types
from localaws.money.prices import CURRENCY, Prices
from localaws.money.usage_types import SERVICE_NAMES, Row

TERM, RATE = "JRTCKXETXF", "6YS6EN2CT7"  # AWS's own codes of on-demand terms and of their first rate
FREE_SERVERLESS_SECONDS = "150000"
PUBLISHED = "2026-09-24T00:00:00Z"
VERSION = "20260924000000"
_SKU_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_SKU_LENGTH = 16
PLAN_SHARE = Decimal("0.537")  # of an hour's price: what a row of a training plan looks like beside it
ZONE_SHARE = Decimal("1.2")


@dataclass(frozen=True, kw_only=True)
class Product:
    """One row. `text` is what GetProducts answers with."""

    service: str
    attributes: Mapping[str, str]
    text: str


@cache
def _sku(region: str, usage_type: str, place: str) -> str:
    digest = hashlib.sha256(f"{region} {usage_type} {place}".encode()).digest()
    return "".join(_SKU_LETTERS[byte % len(_SKU_LETTERS)] for byte in digest[:_SKU_LENGTH])


def products(prices: Prices, service: str) -> list[Product]:
    """All rows of a service, in an order of their own."""
    return list(_products(prices, service))


def services(prices: Prices) -> list[str]:
    return sorted({usage_types.row(key).service for rows in prices.values() for key in rows})


def _products(prices: Prices, service: str) -> Iterator[Product]:
    for region, rows in prices.items():
        for key, usd in rows.items():
            row = usage_types.row(key)
            if row.service == service:
                yield _product(region, row, _tiers(key, usd))
                yield from _relatives(region, key, usd)


def _tiers(key: str, usd: Decimal) -> list[tuple[str, str, Decimal]]:
    """(begin, end, price): serverless seconds begin with those that are free."""
    if key.startswith("Serverless:"):
        return [("0", FREE_SERVERLESS_SECONDS, Decimal(0)), (FREE_SERVERLESS_SECONDS, "Inf", usd)]
    return [("0", "Inf", usd)]


def _relatives(region: str, key: str, usd: Decimal) -> Iterator[Product]:
    """Rows that go with a key: asynchronous inference, and those to be skipped."""
    component, _, name = key.partition(":")
    if component == "Hosting":
        yield _product(region, usage_types.instance_row("AsyncInf", "AsyncInf", name), [("0", "Inf", usd)])
    if key == "Training:ml.p4d.24xlarge":
        plan = {"instanceName": name, "instanceType": f"{name}-TrainingPlan"}
        row = Row(
            service="AmazonSageMaker",
            family="ML Instance",
            usage_type=f"TrainingPlanUpfrontFee:{name}",
            unit="Quantity",
            attributes=plan,
        )
        yield _product(region, row, [("0", "Inf", round(usd * PLAN_SHARE, 2))])
    if key == "Training:ml.m5.xlarge":
        yield _product(region, usage_types.row(key), [("0", "Inf", usd * ZONE_SHARE)], place="AWS Local Zone")


def _product(region: str, row: Row, tiers: list[tuple[str, str, Decimal]], place: str = "AWS Region") -> Product:
    usage_type = row.usage_type_in(region)
    attributes = {
        "servicecode": row.service,
        "servicename": SERVICE_NAMES[row.service],
        "locationType": place,
        "location": region_name(region),
        "regionCode": region,
        "usagetype": usage_type,
        "operation": row.operation,
        **row.attributes,
    }
    sku = _sku(region, usage_type, place)
    document = {
        "product": {"productFamily": row.family, "attributes": attributes, "sku": sku},
        "serviceCode": row.service,
        "terms": {"OnDemand": {f"{sku}.{TERM}": _term(sku, row, usage_type, tiers)}},
        "version": VERSION,
        "publicationDate": PUBLISHED,
    }
    # The product family is a field beside the attributes, and a filter takes it like one of them.
    return Product(
        service=row.service, attributes={**attributes, "productFamily": row.family}, text=json.dumps(document)
    )


def _term(sku: str, row: Row, usage_type: str, tiers: list[tuple[str, str, Decimal]]) -> dict[str, Any]:
    dimensions = {}
    for number, (begin, end, usd) in enumerate(tiers):
        code = f"{sku}.{TERM}.{RATE if not number else f'TIER{number:06d}'}"
        dimensions[code] = {
            "unit": row.unit,
            "beginRange": begin,
            "endRange": end,
            "description": f"${usd:f} per {row.unit} of {usage_type}",
            "rateCode": code,
            "appliesTo": [],
            "pricePerUnit": {CURRENCY: f"{usd:.10f}"},
        }
    return {
        "priceDimensions": dimensions,
        "sku": sku,
        "effectiveDate": PUBLISHED,
        "offerTermCode": TERM,
        "termAttributes": {},
    }
