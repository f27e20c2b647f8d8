"""The Pricing API over a price book: AWS's row shape, paging, the rows to be skipped, and back to the book's keys."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.money import offers, prices, usage_types
from tests.unit.localaws.aws import REPOSITORY_ROOT, Aws
from tests.unit.localaws.money import BOOK

REAL_BOOK = REPOSITORY_ROOT / "slipway" / "prices" / "book.json"
SAGEMAKER = "AmazonSageMaker"


@pytest.fixture(scope="module")
def aws(billed: Aws) -> Aws:
    return billed


def products(aws: Aws, service: str = SAGEMAKER, kind: str = "TERM_MATCH", **fields: str) -> list[dict[str, Any]]:
    filters = [{"Type": kind, "Field": name, "Value": value} for name, value in fields.items()]
    pages = (
        aws.client("pricing")
        .get_paginator("get_products")
        .paginate(ServiceCode=service, Filters=filters, PaginationConfig={"PageSize": 3})
    )
    return [json.loads(text) for page in pages for text in page["PriceList"]]


def dimensions(row: dict[str, Any]) -> list[dict[str, Any]]:
    [term] = row["terms"]["OnDemand"].values()
    return list(term["priceDimensions"].values())


def test_a_row_has_the_shape_that_tools_read(aws: Aws) -> None:
    [row] = products(aws, instanceName="ml.m5.large", component="Training", regionCode="us-east-1")
    assert row["product"]["productFamily"] == "ML Instance"
    attributes = row["product"]["attributes"]
    assert attributes["usagetype"] == "USE1-Train:ml.m5.large"
    assert attributes["location"] == "US East (N. Virginia)"
    assert attributes["instanceType"] == "ml.m5.large-Training"
    [dimension] = dimensions(row)
    assert (dimension["unit"], dimension["pricePerUnit"]) == ("Hrs", {"USD": "0.1150000000"})
    [other] = products(aws, instanceName="ml.m5.large", component="Training", regionCode="eu-west-1")
    assert other["product"]["attributes"]["usagetype"] == "EU-Train:ml.m5.large"
    assert other["product"]["sku"] != row["product"]["sku"]


def test_all_pages_together_are_all_rows(aws: Aws) -> None:
    found = products(aws)
    skus = [row["product"]["sku"] for row in found]
    assert len(set(skus)) == len(skus) > 9
    first = aws.client("pricing").get_products(ServiceCode=SAGEMAKER, MaxResults=2)
    assert len(first["PriceList"]) == 2
    assert first["NextToken"]
    with pytest.raises(ClientError, match="InvalidNextTokenException"):
        aws.client("pricing").get_products(ServiceCode=SAGEMAKER, NextToken="nothing")


def test_rows_that_mislead_are_among_the_others(aws: Aws) -> None:
    found = products(aws, instanceName="ml.p4d.24xlarge")
    plans = [row for row in found if "component" not in row["product"]["attributes"]]
    assert [dimensions(row)[0]["unit"] for row in plans] == ["Quantity"]
    real = products(aws, instanceName="ml.p4d.24xlarge", component="Training")
    cheaper, price = (Decimal(dimensions(row)[0]["pricePerUnit"]["USD"]) for row in (plans[0], real[0]))
    assert 0 < cheaper < price
    [serverless] = products(aws, usagetype="USE1-ServerlessInf:Mem-2GB")
    assert [item["pricePerUnit"]["USD"] for item in dimensions(serverless)] == ["0.0000000000", "0.0000400000"]


@pytest.mark.parametrize(
    ("kind", "field", "value", "count"),
    [
        ("EQUALS", "component", "Hosting", 2),
        ("CONTAINS", "usagetype", "host:ml.g4dn", 1),
        ("ANY_OF", "component", "Hosting, Training", 5),
        ("TERM_MATCH", "productFamily", "ML Data", 2),
        ("EQUALS", "nothing", "x", 0),
    ],
)
def test_every_kind_of_filter(aws: Aws, kind: str, field: str, value: str, count: int) -> None:
    assert len(products(aws, kind=kind, **{field: value})) == count


def test_none_of_leaves_the_rest(aws: Aws) -> None:
    every, some = len(products(aws)), len(products(aws, component="Hosting"))
    assert len(products(aws, kind="NONE_OF", component="Hosting")) == every - some


def test_services_and_attribute_values(aws: Aws) -> None:
    pricing = aws.client("pricing")
    [service] = pricing.describe_services(ServiceCode=SAGEMAKER)["Services"]
    assert {"component", "instanceName", "usagetype", "productFamily"} <= set(service["AttributeNames"])
    assert {"AmazonS3", "awskms"} <= {found["ServiceCode"] for found in pricing.describe_services()["Services"]}
    values = pricing.get_attribute_values(ServiceCode=SAGEMAKER, AttributeName="component")["AttributeValues"]
    assert {"Training", "Hosting", "BatchTransform", "AsyncInf"} == {value["Value"] for value in values}
    with pytest.raises(ClientError, match=r"NotFoundException.*AmazonFSx.*AmazonSageMaker"):
        pricing.get_products(ServiceCode="AmazonFSx")


@pytest.mark.parametrize("file", ["small", "real"])
def test_a_reader_gets_every_key_and_price_of_the_book_back(file: str, tmp_path: Path) -> None:
    path = REAL_BOOK
    if file == "small":
        path = tmp_path / "book.json"
        path.write_text(json.dumps(BOOK))
    book = prices.read(path)
    found: dict[str, dict[str, Decimal]] = {}
    for service in offers.services(book):
        for product in offers.products(book, service):
            key = usage_types.key_of(product.attributes)
            if key is not None:
                region = product.attributes["regionCode"]
                assert key not in found.setdefault(region, {}), f"two rows for {key}"
                found[region][key] = Decimal(dimensions(json.loads(product.text))[-1]["pricePerUnit"]["USD"])
    assert found == {region: dict(rows) for region, rows in book.items()}
