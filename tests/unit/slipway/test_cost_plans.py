"""Reading plans, assumptions, schedules and kept estimates."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from slipway.cost.amounts import Span
from slipway.cost.estimate import estimate
from slipway.cost.planned import UNKNOWN, read, read_events
from slipway.cost.planning import from_file
from slipway.cost.records import KEPT, fingerprint, keep, records
from slipway.cost.schedules import Cron, average, firings
from slipway.cost.usage import Usage, read_usage
from slipway.errors import SlipwayError
from slipway.prices.book import load
from slipway.project import Stack
from slipway.state.files import Folder
from tests.unit.slipway import plans

URN = "urn:pulumi:s::p::slipway:index:Data$aws:s3/bucket:Bucket::bucket"
PROVIDER = {
    "op": "same",
    "urn": "urn:pulumi:s::p::pulumi:providers:aws::aws",
    "oldState": {"custom": True, "inputs": {"region": "eu-west-1"}},
    "newState": {"custom": True, "inputs": {"region": "eu-west-1"}},
}


def state(**inputs: Any) -> dict[str, Any]:
    return {"custom": True, "type": "aws:s3/bucket:Bucket", "inputs": inputs}


def steps(*found: dict[str, Any]) -> dict[str, Any]:
    return {"steps": [PROVIDER, *found]}


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [("create", 0, 1), ("same", 1, 1), ("update", 1, 1), ("delete", 1, 0), ("replace", 1, 1), ("read", 1, 1)],
)
def test_a_plan_has_the_stack_before_and_after(operation: str, before: int, after: int) -> None:
    old = None if operation == "create" else state()
    new = None if operation == "delete" else state()
    found = read(steps({"op": operation, "urn": URN, "oldState": old, "newState": new}))
    assert (len(found.before.resources), len(found.after.resources)) == (before, after)
    assert found.after.region == "eu-west-1"


def test_a_replacement_by_its_parts_is_one_resource() -> None:
    parts = [
        {"op": "create-replacement", "urn": URN, "oldState": state(a=1), "newState": state(a=2)},
        {"op": "replace", "urn": URN, "oldState": state(a=1), "newState": state(a=2)},
        {"op": "delete-replaced", "urn": URN, "oldState": state(a=1), "newState": None},
    ]
    found = read(steps(*parts))
    assert [one.get("a") for one in found.before.resources] == [1]
    assert [one.get("a") for one in found.after.resources] == [2]


def test_what_is_secret_or_not_known_yet_is_absent() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}
    new = state(a=UNKNOWN, b="[secret]", c=secret, d=[{"e": UNKNOWN, "f": 1}])
    (bucket,) = read(steps({"op": "create", "urn": URN, "newState": new})).after.resources
    assert bucket.inputs == {"d": [{"f": 1}]}
    assert bucket.get("d", 0, "f") == 1
    assert bucket.get("d", 1, "f", default=7) == 7 and bucket.get("a", "b") is None


def test_the_events_of_a_preview_say_the_same_as_its_json() -> None:
    document = json.loads((plans.FOLDER / "local.json").read_text())
    events = [
        {"resourcePreEvent": {"metadata": {"op": step["op"], "urn": step["urn"], "new": step["newState"]}}}
        for step in document["steps"]
    ]
    assert read_events([{"preludeEvent": {}}, *events]) == read(document)


def test_a_deployed_stack_is_read_from_its_state() -> None:
    gone = {"urn": URN + "2", **state(), "delete": True}
    resources = [{"urn": PROVIDER["urn"], **PROVIDER["newState"]}, {"urn": URN, **state()}, gone]  # type: ignore[dict-item]
    found = read({"deployment": {"resources": resources}})
    assert [one.name for one in found.after.resources] == ["bucket"]
    assert found.before == found.after


def test_a_file_that_is_no_plan_says_what_to_give(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    for text, said in (("{", "is not JSON"), ("[]", "no plan"), ('{"steps": []}', "names no region")):
        file.write_text(text)
        with pytest.raises(SlipwayError, match=said) as caught:
            from_file(file)
        assert caught.value.exit_code == 2


def test_a_preview_that_failed_is_told_in_its_words() -> None:
    with pytest.raises(SlipwayError, match="It says: error: no such setting"):
        read({"diagnostics": [{"message": "error: no such setting\n"}]})


def test_assumptions_come_from_a_file_and_from_words(tmp_path: Path) -> None:
    file = tmp_path / "usage.yaml"
    file.write_text("requests_a_month: {expected: 200000}\nruns_a_month: 3\n")
    usage = read_usage(file, ["runs_a_month=5"])
    assert usage.requests_a_month == Span.of(0, 200_000, 1_000_000)
    assert usage.runs_a_month == Span.of(5)
    assert usage.why("runs_a_month") == "as given" and usage.why("image_gb") != "as given"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("request_a_month=1", r"did you mean requests_a_month\?"),
        ("runs_a_month=-1", "0 or more"),
        ("runs_a_month=many", "give a number"),
        ("runs_a_month=NaN", "give a number"),
        ("runs_a_month", "should look like"),
    ],
)
def test_a_bad_assumption_is_named(word: str, said: str) -> None:
    with pytest.raises(SlipwayError, match=said) as caught:
        read_usage(None, [word])
    assert caught.value.exit_code == 2


def test_assumptions_out_of_order_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "usage.json"
    file.write_text('{"runs_a_month": {"low": 9}}')
    with pytest.raises(SlipwayError, match="low 9, expected 4, worst 4"):
        read_usage(file, [])
    file.write_text('{"training_seconds": {"low": 9}}')
    with pytest.raises(SlipwayError, match="has no default"):
        read_usage(file, [])


def test_a_shorter_time_has_fewer_requests_and_the_same_sizes() -> None:
    usage = Usage().over(Decimal(73))
    assert usage.requests_a_month.expected == 10_000
    assert usage.ms_a_request == Usage().ms_a_request
    assert usage.months == Decimal("0.1")


@pytest.mark.parametrize(
    ("expression", "hours", "times"),
    [
        ("rate(5 minutes)", 730, 8760),
        ("rate(1 day)", 48, 2),
        ("cron(0 12 * * ? *)", 168, 7),
        ("cron(0/15 8-9 ? * MON,WED *)", 168, 16),
        ("at(2026-12-01T00:00:00)", 730, 1),
        ("cron(0 12 1 * ? *)", 168, None),  # by the date
        ("cron(0 12 ? * 2#1 *)", 168, None),
        ("nonsense", 168, None),
    ],
)
def test_how_often_a_schedule_fires(expression: str, hours: int, times: int | None) -> None:
    assert firings(expression, "UTC", Decimal(hours)) == times


def test_a_schedule_fires_by_its_own_clock() -> None:
    cron = Cron.of("cron(0 1 ? * MON *)", "Asia/Tokyo")
    assert cron is not None
    start = datetime(2024, 1, 1, tzinfo=UTC) - timedelta(days=1)
    assert [at.astimezone(UTC) for at in cron.times(start, start + timedelta(days=7))] == [
        datetime(2023, 12, 31, 16, tzinfo=UTC)
    ]


def test_an_average_weighs_by_time_across_the_end_of_the_week() -> None:
    up, down = Cron.of("cron(0 0 ? * SAT *)", "UTC"), Cron.of("cron(0 0 ? * MON *)", "UTC")
    assert average([(up, Decimal(7)), (down, Decimal(0))], Decimal(5)) == 2
    assert average([], Decimal(5)) == 5


def test_estimates_are_kept_beside_the_state_and_read_again(tmp_path: Path) -> None:
    stack = Stack(root=tmp_path, project="slipway", name="dev", region="eu-west-1", environment={})
    files, plan, book = Folder(tmp_path), plans.plan("local"), load()
    found = estimate(plan, book, Usage(), book.as_of)
    mark, start = fingerprint(plan, book), datetime(2026, 11, 1, tzinfo=UTC)
    for minute in range(KEPT + 2):
        keep(files, stack, found, mark, start + timedelta(minutes=minute))
    kept = records(files, stack)
    assert len(kept) == KEPT and kept[0].at == start + timedelta(minutes=2)
    assert kept[-1].month == found.month and kept[-1].fingerprint == mark
    assert kept[-1].by_key == found.by_key()
    assert records(files, Stack(**{**vars(stack), "name": "prod"})) == []


def test_an_estimate_is_of_what_bills_and_not_of_what_is_assumed() -> None:
    book = load()
    assert fingerprint(plans.plan("local"), book) == fingerprint(plans.plan("local"), book)
    assert fingerprint(plans.plan("local"), book) != fingerprint(plans.plan("spot"), book)
