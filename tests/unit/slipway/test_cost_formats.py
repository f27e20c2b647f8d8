"""One estimate in three formats: the figures are the same ones; and how each is read."""

import io
import json
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from slipway.cost.amounts import Span, plain, show
from slipway.cost.document import changes_of, document
from slipway.cost.estimate import estimate
from slipway.cost.markdown import markdown, safe
from slipway.cost.usage import Usage
from slipway.cost.view import show_on, view
from slipway.prices.book import load
from tests.unit.slipway import plans

TODAY = date(2026, 11, 22)
PARTS = ("low", "expected", "worst")


def facts(name: str, today: date = TODAY, **assumed: Any) -> dict[str, Any]:
    return document(estimate(plans.plan(name), load(), Usage().with_values(assumed), today))


def piped(found: dict[str, Any], *, explain: bool = False) -> str:
    file = io.StringIO()
    show_on(Console(file=file), view(found, explain=explain))
    return file.getvalue()


def figures_of(text: str) -> list[list[str]]:
    """The rows of low, expected and worst in a text, in order."""
    figure = r"(-?[\d.]+|no price)\s*(?:\|\s*)?"
    row = re.compile(rf"{figure * 3}(?:USD/|month|run)")
    return [list(found) for found in row.findall(text)]


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(plans.NAMES),
    requests=st.integers(0, 10**9),
    gigabytes=st.decimals(0, 10**5, places=4),
    runs=st.integers(0, 50),
)
def test_table_json_and_markdown_agree_to_the_last_digit(
    name: str, requests: int, gigabytes: Decimal, runs: int
) -> None:
    found = facts(name, requests_a_month=requests, bucket_gb=str(gigabytes), runs_a_month=runs)
    again = json.loads(json.dumps(found))
    rows = [[one[part] for part in PARTS] for one in again["summary"]]
    totals = [[one[part] for part in PARTS] for one in again["totals"]]
    assert figures_of(piped(found)) == rows + totals
    assert figures_of(markdown(found)) == totals + rows


def test_a_summary_adds_up_what_is_the_same_and_hides_nothing() -> None:
    found = estimate(plans.plan("prod"), load(), Usage(), TODAY)
    listed = document(found)
    alarms = next(one for one in listed["summary"] if one["what"] == "6 alarms")
    assert alarms["expected"] == "0.80" and alarms["section"] == "monitoring"
    assert len(listed["lines"]) > len(listed["summary"])
    assert sum(Decimal(one["expected"]) for one in listed["summary"]) == pytest.approx(
        found.month.expected + found.run.expected, abs=Decimal("0.1")
    )


def test_every_figure_names_its_currency_and_period() -> None:
    found = facts("spot")
    assert {one["unit"] for one in found["lines"]} == {"USD/month", "USD/run"}
    assert [one["unit"] for one in found["totals"]] == ["USD/run", "USD/month", "USD/month"]


def test_explained_every_line_has_source_date_and_what_lowers_it() -> None:
    text = piped(facts("local"), explain=True)
    assert "price: bill lines of December 2023, eu-west-1" in text and "2023-12-01; OLD: 1087 days" in text
    assert "derived: us-east-1's rate" in text
    assert "lower it by slipway:serving.instances.min (expected), .max (worst)" in text


def test_an_old_price_is_said_with_every_figure_that_it_is_in() -> None:
    then, now = facts("local", date(2026, 11, 22)), facts("local", date(2028, 1, 1))
    assert sum(one["old"] for one in then["lines"]) < sum(one["old"] for one in now["lines"]) == len(now["lines"])
    assert all(one["what"].endswith("(old price)") for one in now["summary"])
    assert "use a price older than 180 days" in markdown(now)


def test_what_is_missing_makes_a_total_a_lower_bound() -> None:
    plan = plans.made(*plans.endpoint({"instanceType": "ml.z9.huge", "initialInstanceCount": 1}))
    found = document(estimate(plan, load(), Usage(), TODAY))
    assert found["complete"] is False
    assert "| no price | no price | no price |" in markdown(found)
    assert "| at least 4.20 |" in markdown(found) and "at least 4.20" in piped(found)
    assert "Not in the totals: no price of Hosting:ml.z9.huge" in " ".join(piped(found).split())


def test_a_difference_is_by_resource_and_signed() -> None:
    before, after = (estimate(plans.plan(name), load(), Usage(), TODAY) for name in ("shadow", "local"))
    found = document(after, changes_of(before, after))
    changed = {one["resource"]: one["expected"] for one in found["changes"]}
    assert changed["slipway-local-shadow-endpoint"].startswith("-") and changed["slipway-local-endpoint"][0].isdigit()
    assert "+98.07" in markdown(found) and "+98.07" in piped(found)
    assert "**Against what is deployed now**" in markdown(found)
    same = document(after, changes_of(after, after))
    assert same["changes"] == [] and "Nothing changes." in markdown(same)


def test_money_is_shown_to_the_cent_and_small_money_by_two_digits() -> None:
    shown = {"0": "0.00", "0.004": "0.004", "0.0123": "0.01", "0.015": "0.02", "1234.565": "1234.57"}
    shown |= {"0.00012345": "0.0001", "-3.005": "-3.01", "1E-8": "0.00", "0.0000012": "0.00"}
    assert {amount: show(Decimal(amount)) for amount in shown} == shown


def test_quantities_are_shown_without_dust() -> None:
    assert [plain(Decimal(text)) for text in ("730", "1E+3", "0.10", "2.19999999999", "0")] == [
        "730",
        "1000",
        "0.1",
        "2.2",
        "0",
    ]


def test_names_of_a_program_cannot_break_out_of_markdown() -> None:
    assert safe("a|b`c<d>@me") == "a\\|b\\`c\\<d\\>@\u200bme"


@given(low=st.integers(0, 9), expected=st.integers(0, 9), worst=st.integers(0, 9))
def test_spans_add_and_multiply_by_part(low: int, expected: int, worst: int) -> None:
    span = Span.of(low, expected, worst)
    assert span + span == span * 2
    assert (span + span) - span == span
