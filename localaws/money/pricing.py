"""The Pricing API: what the price book of this localaws says, as rows of AWS's price list.

The region is a filter, not the client's: `aws pricing get-products --service-code AmazonSageMaker --filters
Type=TERM_MATCH,Field=regionCode,Value=eu-west-1 Type=TERM_MATCH,Field=instanceName,Value=ml.g5.xlarge`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from localaws.cloud import Call, Handler
from localaws.errors import AwsError
from localaws.money import offers, prices
from localaws.money.offers import Product

FORMAT_VERSION = "aws_v1"
DEFAULT_RESULTS = 100

_MATCHES: dict[str, Callable[[str, Sequence[str]], bool]] = {
    "TERM_MATCH": lambda value, wanted: value.lower() == ",".join(wanted).lower(),
    "EQUALS": lambda value, wanted: value == ",".join(wanted),
    "CONTAINS": lambda value, wanted: ",".join(wanted).lower() in value.lower(),
    "ANY_OF": lambda value, wanted: value in wanted,
    "NONE_OF": lambda value, wanted: value not in wanted,
}


@lru_cache(maxsize=32)
def _rows(book: Path, service: str) -> list[Product]:
    """Made once for a book: there are thousands."""
    return offers.products(prices.read(book), service)


def _products(call: Call, service: str) -> list[Product]:
    """The rows of a service, none without a book. Raises AwsError for a service that the book does not have."""
    if call.cloud.prices is None:
        return []
    known = offers.services(prices.of(call.cloud))
    if service not in known:
        raise AwsError("NotFoundException", f"Service code {service} was not found; known: {', '.join(known)}")
    return _rows(call.cloud.prices, service)


def _page(items: Sequence[Any], request: Mapping[str, Any]) -> tuple[Sequence[Any], str | None]:
    token, size = request.get("NextToken"), request.get("MaxResults", DEFAULT_RESULTS)
    if token is not None and not (token.isdigit() and int(token) <= len(items)):
        raise AwsError("InvalidNextTokenException", f"NextToken is {token!r}; give that of the previous answer.")
    begin = int(token or 0)
    end = begin + size
    return items[begin:end], str(end) if end < len(items) else None


def get_products(call: Call) -> Mapping[str, Any]:
    """the price book's rows in AWS's shape, with the rows among them that a reader must skip; all filter types"""
    filters = call.request.get("Filters", [])
    found = [row.text for row in _products(call, call.request["ServiceCode"]) if _matches(row, filters)]
    shown, token = _page(found, call.request)
    return {"FormatVersion": FORMAT_VERSION, "PriceList": shown, "NextToken": token}


def _matches(row: Product, filters: Sequence[Mapping[str, str]]) -> bool:
    for item in filters:
        values = [part.strip() for part in item["Value"].split(",")]
        if not _MATCHES[item["Type"]](row.attributes.get(item["Field"], ""), values):
            return False
    return True


def describe_services(call: Call) -> Mapping[str, Any]:
    """the services that the price book has prices of"""
    book, wanted = prices.of(call.cloud), call.request.get("ServiceCode")
    codes = [wanted] if wanted else offers.services(book)
    found = [{"ServiceCode": code, "AttributeNames": _names(_products(call, code))} for code in codes]
    shown, token = _page(found, call.request)
    return {"FormatVersion": FORMAT_VERSION, "Services": shown, "NextToken": token}


def _names(rows: Sequence[Product]) -> list[str]:
    return sorted({name for row in rows for name in row.attributes})


def get_attribute_values(call: Call) -> Mapping[str, Any]:
    rows, name = _products(call, call.request["ServiceCode"]), call.request["AttributeName"]
    values = sorted({row.attributes[name] for row in rows if name in row.attributes})
    if not values:
        text = f"Attribute {name} was not found; {call.request['ServiceCode']} has {', '.join(_names(rows))}"
        raise AwsError("NotFoundException", text)
    shown, token = _page([{"Value": value} for value in values], call.request)
    return {"AttributeValues": shown, "NextToken": token}


OPERATIONS: dict[str, Handler] = {
    "DescribeServices": describe_services,
    "GetAttributeValues": get_attribute_values,
    "GetProducts": get_products,
}
