"""The price book: reading, refreshing from rows with AWS's traps, writing."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from slipway.__main__ import app
from slipway.errors import SlipwayError
from slipway.prices import write
from slipway.prices.api import judge, read_region
from slipway.prices.book import FILE, PriceMissing, load, parse
from slipway.prices.refresh import PricesUnreadableError, refreshed
from slipway.prices.usage_types import ITEMS, billed_key
from tests.unit.slipway.price_rows import Pricing, instance, row

TODAY = date(2026, 11, 22)
HERE = "us-east-1"
M5 = instance("Host", "ml.m5.xlarge", "0.23")


def usd(*rows: dict[str, Any]) -> dict[str, str]:
    return {key: f"{price:f}" for key, (price, _) in judge(rows, HERE).prices.items()}


def raw() -> dict[str, Any]:
    """A small book: one right price, one that has changed, one derived, one not sold any more, one of S3."""
    known = {"unit": "hour", "as_of": "2026-01-01", "source": "1"}
    return {
        "format": 1,
        "currency": "USD",
        "as_of": "2026-01-01",
        "kind": "list prices",
        "sources": {"1": "notes", "2": "unused"},
        "prices": {
            HERE: {
                "Hosting:ml.m5.xlarge": {"usd": "0.23", **known},
                "Training:ml.m5.xlarge": {"usd": "0.2", **known},
                "Training:ml.g5.xlarge": {"usd": "1.4", **known, "derived": "EC2 times 1.4"},
                "Hosting:ml.p3.2xlarge": {"usd": "3.825", **known},
                "S3:Storage": {"usd": "0.023", "unit": "GB-month", "as_of": "2026-01-01", "source": "1"},
            }
        },
    }


ROWS = [
    M5,
    instance("Train", "ml.m5.xlarge", "0.23"),
    instance("Train", "ml.g5.xlarge", "1.4080000000"),
    instance("Train", "ml.g6.xlarge", "1.127"),
]


def test_a_price_has_its_origin_and_its_age() -> None:
    price = load().instance("us-east-1", "Training", "ml.g5.xlarge")
    assert price.usd == Decimal("1.408") and price.unit == "hour"
    assert not price.is_old(price.as_of.replace(month=10)) and price.is_old(date(2027, 11, 1))
    assert "OLD: " in price.origin(date(2027, 11, 1)) and "slipway prices refresh" in price.origin(date(2027, 11, 1))


def test_a_missing_price_is_an_error_that_says_where_it_is_known() -> None:
    with pytest.raises(PriceMissing, match=r"known for .*us-east-1.*slipway prices refresh --region eu-central-1"):
        load().price("eu-central-1", "Training:ml.trn1.2xlarge")
    with pytest.raises(PriceMissing, match="region mars-1 is not in the book"):
        load().price("mars-1", "S3:Storage")


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 9; this version reads format 1"):
        parse({"format": 9})


def test_rows_are_found_by_component_and_type_in_any_order() -> None:
    assert (
        usd(*ROWS)
        == usd(*reversed(ROWS))
        == {
            "Hosting:ml.m5.xlarge": "0.23",
            "Training:ml.m5.xlarge": "0.23",
            "Training:ml.g5.xlarge": "1.4080000000",
            "Training:ml.g6.xlarge": "1.127",
        }
    )


TRAPS = {
    "an upfront fee, without component": row(
        "AmazonSageMaker", "USE1-TrainingPlanUpfrontFee:ml.p4d.24xlarge", ("0", "Quantity", "13.57")
    ),
    "a row without its component": row("AmazonSageMaker", "USE1-Train:ml.p4d.24xlarge", ("0", "Hrs", "13.57")),
    "another component than its usage type": instance("Train", "ml.m5.large", "0.1", component="Cluster"),
    "spot": instance("TrSpt", "ml.m5.large", "0.1", component="SpotTraining"),
    "a unit that is no hour": row(
        "AmazonSageMaker", "USE1-Train:ml.m5.large", ("0", "Quantity", "1"), component="Training"
    ),
    "a price of nothing": instance("Train", "ml.m5.large", "0.0000000000"),
    "an AWS Outpost": instance("Train", "ml.m5.large", "0.1", locationType="AWS Outposts"),
    "another region": instance("Train", "ml.m5.large", "0.1", regionCode="eu-west-1"),
    "infrequent access": row("AmazonS3", "TimedStorage-SIA-ByteHrs", ("0", "GB-Mo", "0.0125")),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_row_that_looks_like_a_price_and_is_none_is_skipped(trap: str) -> None:
    assert usd(TRAPS[trap], M5) == {"Hosting:ml.m5.xlarge": "0.23"}


def test_a_free_tier_is_no_price_and_the_first_paid_one_is() -> None:
    tiers = ("0", "Seconds", "0"), ("150000", "Seconds", "0.00004"), ("900000", "Seconds", "0.00003")
    assert usd(row("AmazonSageMaker", "USE1-ServerlessInf:Mem-2GB", *tiers)) == {"Serverless:2048": "0.00004"}


def test_two_prices_for_one_key_are_a_doubt_and_two_equal_ones_are_not() -> None:
    found = judge([M5, instance("Host", "ml.m5.xlarge", "0.25")], HERE)
    assert found.prices == {} and found.doubtful == {"Hosting:ml.m5.xlarge": (Decimal("0.23"), Decimal("0.25"))}
    assert usd(M5, M5) == {"Hosting:ml.m5.xlarge": "0.23"}


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: str(item.key))
@pytest.mark.parametrize("prefix", ["", "USE1-", "EU-", "APN1-", "us-east-1-"])
def test_other_services_are_known_by_usage_type_behind_any_prefix(item: Any, prefix: str) -> None:
    usage_type = f"{prefix}{item.usage_type}"
    assert usd(row(item.service, usage_type, ("0", item.spelled[0], "0.5"))) == {item.key: "0.5"}
    assert billed_key(item.service, usage_type) == item.key


@pytest.mark.parametrize(
    ("usage_type", "key"),
    [
        ("EU-Host:ml.m5.large", "Hosting:ml.m5.large"),
        ("USE1-TrSpt:ml.g5.xlarge", "Training:ml.g5.xlarge"),
        ("USE1-AsyncInf:ml.g5.xlarge", "Hosting:ml.g5.xlarge"),
        ("USE1-ProvisionedConcurrency:Usage-3GB", "ServerlessProvisioned:3072"),
        ("USE1-Notebk:ml.t3.medium", None),
    ],
)
def test_lines_of_a_bill_are_known_by_usage_type(usage_type: str, key: str | None) -> None:
    assert billed_key("Amazon SageMaker", usage_type) == key


def test_a_refresh_says_what_changed_and_loses_nothing() -> None:
    before = raw()
    book, diff = refreshed(before, [HERE], lambda region: read_region(Pricing(ROWS), region), TODAY)
    assert before == raw()
    assert diff.lines() == [
        "changed  us-east-1 Training:ml.m5.xlarge  0.2 -> 0.23 USD (+15.0%)",
        "changed  us-east-1 Training:ml.g5.xlarge  1.4 -> 1.408 USD (+0.6%)",
        "new      us-east-1 Training:ml.g6.xlarge  1.127 USD",
        "gone     us-east-1 Hosting:ml.p3.2xlarge  was 3.825 USD",
        "kept     us-east-1 S3:Storage  no row of AWS's list is known as this",
    ]
    assert diff.counts() == {"changed": 2, "new": 1, "gone": 1, "kept": 1, "same": 1}
    read = parse(book)
    assert read.price(HERE, "Training:ml.g5.xlarge").derived == ""
    assert read.price(HERE, "Training:ml.g6.xlarge").as_of == TODAY == read.as_of
    assert read.price(HERE, "S3:Storage").as_of == date(2026, 1, 1)


def test_a_doubtful_key_keeps_its_old_price() -> None:
    rows = [*ROWS, instance("Train", "ml.g5.xlarge", "2")]
    book, diff = refreshed(raw(), [HERE], lambda region: judge(rows, region), TODAY)
    assert book["prices"][HERE]["Training:ml.g5.xlarge"]["usd"] == "1.4"
    assert diff.kept[HERE, "Training:ml.g5.xlarge"] == "AWS lists 1.408 and 2 USD"


def test_a_region_without_prices_changes_nothing() -> None:
    with pytest.raises(PricesUnreadableError, match="'mars-1'; is that a region"):
        refreshed(raw(), ["mars-1"], lambda region: judge(ROWS, region), TODAY)


def test_the_book_is_written_as_it_is() -> None:
    assert write.text(json.loads(FILE.read_text())) == FILE.read_text()


def test_a_book_is_sorted_one_row_a_line_and_names_only_sources_that_it_uses(tmp_path: Path) -> None:
    file = tmp_path / "book.json"
    write.save(file, raw())
    lines = file.read_text().splitlines()
    keys = [line.split('"')[1] for line in lines if line.startswith("   ")]
    assert keys == sorted(raw()["prices"][HERE])
    assert json.loads(file.read_text())["sources"] == {"1": "notes"}
    assert [path.name for path in tmp_path.iterdir()] == ["book.json"]


def test_a_write_that_fails_leaves_the_old_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "book.json"
    write.save(file, raw())
    before = file.read_text()
    monkeypatch.setattr(Path, "replace", lambda self, target: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        write.save(file, {**raw(), "as_of": "2030-01-01"})
    assert file.read_text() == before and [path.name for path in tmp_path.iterdir()] == ["book.json"]


def test_the_verb_refreshes_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "client", lambda service, region_name: Pricing(ROWS))
    file = tmp_path / "mine.json"
    words = ["prices", "refresh", "--region", HERE, "--out", str(file), "--json"]
    found = json.loads(CliRunner().invoke(app, words).output)
    assert found["new"] == 0 and found["changed"] == 0 and found["same"] == 4 and found["gone"] > 100
    assert parse(json.loads(file.read_text())).price("eu-west-1", "Hosting:ml.m5.large")
    failed = CliRunner().invoke(app, [*words[:-2], str(tmp_path / "no" / "folder.json")]).exception
    assert isinstance(failed, SlipwayError) and "name a file by --out" in str(failed)


def test_the_verb_shows_one_price() -> None:
    done = CliRunner().invoke(app, ["prices", "show", "Training:ml.g5.xlarge", "--region", "us-east-1"])
    assert done.output.startswith("Training:ml.g5.xlarge in us-east-1: 1.408 USD/hour\n")
    missing = CliRunner().invoke(app, ["prices", "show", "Training:ml.z9.huge"]).exception
    assert isinstance(missing, SlipwayError) and "known for no region" in str(missing)


@given(st.decimals("0.0001", "1000", places=4), st.decimals("0.0001", "1000", places=4))
def test_a_changed_price_is_the_one_that_was_read(old: Decimal, now: Decimal) -> None:
    book = raw()
    book["prices"][HERE] = {"Hosting:ml.m5.xlarge": {**book["prices"][HERE]["Hosting:ml.m5.xlarge"], "usd": str(old)}}
    rows = [instance("Host", "ml.m5.xlarge", str(now))]
    again, diff = refreshed(book, [HERE], lambda region: judge(rows, region), TODAY)
    assert Decimal(again["prices"][HERE]["Hosting:ml.m5.xlarge"]["usd"]) == now
    assert bool(diff.changed) == (old != now)
