"""AWS's Pricing API, read for the book's keys: GetProducts of a region, each row judged before it is believed.

What a row needs: it is of an AWS region and of the region that was asked for; an instance's has the component that its
usage type says (an upfront fee without one looks like a cheap instance); its unit is the one that the book counts in;
its price is above 0 (the free tier is a row too). Two prices for one key are a doubt that is said, not decided.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from slipway.prices.usage_types import COMPONENTS, HOURS, INSTANCE, SAGEMAKER, SECONDS, item_of, memory_key, services

CLIENT_REGION = "us-east-1"  # the API answers in a few regions, for all of them
Filter = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What AWS lists for a region: USD and unit by key; and the keys with more than one price."""

    prices: Mapping[str, tuple[Decimal, str]]
    doubtful: Mapping[str, tuple[Decimal, ...]]


def read_region(client: Any, region: str) -> Found:
    """Every price of a region that the book can use. AWS's refusals pass through."""
    return judge(_rows(client, region), region)


def judge(rows: Iterable[Mapping[str, Any]], region: str) -> Found:
    """The prices in rows as GetProducts gives them."""
    seen: dict[str, tuple[set[Decimal], str]] = {}
    for row in rows:
        if (found := _price(row, region)) is not None:
            key, unit, usd = found
            seen.setdefault(key, (set(), unit))[0].add(usd)
    return Found(
        prices={key: (next(iter(usds)), unit) for key, (usds, unit) in seen.items() if len(usds) == 1},
        doubtful={key: tuple(sorted(usds)) for key, (usds, _) in seen.items() if len(usds) > 1},
    )


def _rows(client: Any, region: str) -> Iterator[dict[str, Any]]:
    here = {"Type": "TERM_MATCH", "Field": "regionCode", "Value": region}
    yield from _products(client, SAGEMAKER, [here])
    for service, items in services():
        for item in items:
            wanted = {"Type": "CONTAINS", "Field": "usagetype", "Value": item.usage_type}
            yield from _products(client, service, [here, wanted])


def _products(client: Any, service: str, filters: list[Filter]) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("get_products").paginate(ServiceCode=service, Filters=filters, FormatVersion="aws_v1")
    for page in pages:
        for text in page["PriceList"]:
            yield json.loads(text) if isinstance(text, str) else text


def _price(row: Mapping[str, Any], region: str) -> tuple[str, str, Decimal] | None:
    """(key, unit, USD) of a row; None for one that is not ours or not to be believed."""
    attributes = row["product"].get("attributes", {})
    if attributes.get("locationType") != "AWS Region" or attributes.get("regionCode") != region:
        return None
    named = _key(row.get("serviceCode") or attributes.get("servicecode", ""), attributes)
    if named is None:
        return None
    key, unit, spelled = named
    first = _first_paid(row.get("terms", {}).get("OnDemand", {}), spelled)
    return None if first is None else (key, unit, first)


def _key(service: str, attributes: Mapping[str, str]) -> tuple[str, str, tuple[str, ...]] | None:
    """(key, the book's unit, AWS's spellings of it)."""
    usage_type = attributes.get("usagetype", "")
    if item := item_of(service, usage_type):
        return item.key, item.unit, item.spelled
    if service != SAGEMAKER:
        return None
    instance = INSTANCE.fullmatch(usage_type)
    if instance and (component := COMPONENTS.get(instance[1])) and attributes.get("component") == component:
        return f"{component}:{instance[2]}", "hour", HOURS
    memory = memory_key(usage_type)
    return (memory, "second", SECONDS) if memory else None


def _first_paid(terms: Mapping[str, Any], spelled: tuple[str, ...]) -> Decimal | None:
    """The price of the lowest tier that costs something, in a unit that is meant."""
    tiers = [tier for offer in terms.values() for tier in offer.get("priceDimensions", {}).values()]
    paid = [
        (Decimal(tier.get("beginRange") or 0), usd)
        for tier in tiers
        if tier.get("unit", "").lower() in spelled and (usd := Decimal(tier["pricePerUnit"].get("USD", "0"))) > 0
    ]
    return min(paid)[1] if paid else None
