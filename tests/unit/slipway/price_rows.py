"""Rows as AWS's Pricing API gives them, and a client that answers with them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def row(service: str, usage_type: str, *tiers: tuple[str, str, str], **attributes: str) -> dict[str, Any]:
    """One product. `tiers` are (beginRange, unit, USD)."""
    dimensions = {
        f"SKU.TERM.{number}": {
            "unit": unit,
            "beginRange": begin,
            "endRange": "Inf",
            "description": "words",
            "pricePerUnit": {"USD": usd},
        }
        for number, (begin, unit, usd) in enumerate(tiers)
    }
    return {
        "product": {
            "productFamily": "a family",
            "sku": "SKU",
            "attributes": {
                "servicecode": service,
                "locationType": "AWS Region",
                "regionCode": "us-east-1",
                "usagetype": usage_type,
                **attributes,
            },
        },
        "serviceCode": service,
        "terms": {"OnDemand": {"SKU.TERM": {"priceDimensions": dimensions}}},
    }


def instance(usage: str, kind: str, usd: str, **attributes: str) -> dict[str, Any]:
    """One instance type in a component."""
    component = {"Train": "Training", "Host": "Hosting", "Tsform": "BatchTransform"}.get(usage, usage)
    more = {"component": component, "instanceName": kind, **attributes}
    return row("AmazonSageMaker", f"USE1-{usage}:{kind}", ("0", "Hrs", usd), **more)


class Pricing:
    """A client of the Pricing API that knows these rows; it filters as the API does, a page at a time."""

    def __init__(self, rows: list[dict[str, Any]], page: int = 2) -> None:
        self.rows, self.page = rows, page

    def get_paginator(self, operation: str) -> "Pricing":
        assert operation == "get_products"
        return self

    def paginate(self, **request: Any) -> Iterator[Mapping[str, Any]]:
        found = [one for one in self.rows if self._is_it(one, request)]
        for begin in range(0, max(len(found), 1), self.page):
            yield {"PriceList": [json.dumps(one) for one in found[begin : begin + self.page]]}

    def _is_it(self, one: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
        attributes = one["product"]["attributes"]
        tests = {"TERM_MATCH": str.__eq__, "CONTAINS": str.__contains__}
        return one["serviceCode"] == request["ServiceCode"] and all(
            tests[each["Type"]](attributes.get(each["Field"], ""), each["Value"]) for each in request["Filters"]
        )
