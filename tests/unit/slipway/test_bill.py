"""`slipway bill`: the Cost Explorer's answers and refusals, and what is made of them."""

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from slipway.bill.compare import Bill, document
from slipway.bill.explorer import Charge, by_resource, charges
from slipway.bill.measured import Measured, measure
from slipway.bill.view import markdown, view
from slipway.cost.amounts import Span
from slipway.cost.estimate import estimate
from slipway.cost.records import Record
from slipway.errors import SlipwayError
from slipway.prices.book import load
from slipway.project import Stack
from slipway.runs import Run
from tests.unit.slipway import plans

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
DAY = date(2026, 11, 1)
M5 = {"instanceType": "ml.m5.large", "initialInstanceCount": 1}
PLAN = plans.made(*plans.endpoint(M5), plans.scaling(1, 3))
TAGS = {"slipway:project": "slipway", "slipway:stack": "dev"}


class Client:
    """Answers each operation with what it was given, in turn; an exception is raised."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers, self.asked = answers, []  # type: ignore[var-annotated]

    def __getattr__(self, operation: str) -> Any:
        def answer(**request: Any) -> Any:
            self.asked.append((operation, request))
            found = self.answers[operation].pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        return answer


def stack_of(**clients: Any) -> Stack:
    class Faked(Stack):
        def client(self, service: str) -> Any:
            return clients[service]

    return Faked(root=Path("/"), project="slipway", name="dev", region="us-east-1", environment={})


def refusal(code: str, message: str = "words") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetCostAndUsage")


def day(number: int, *groups: tuple[str, str, str, str]) -> dict[str, Any]:
    """One day's answer; a group is (service or resource, usage type, USD, quantity)."""
    return {
        "TimePeriod": {"Start": (DAY + timedelta(days=number)).isoformat(), "End": ""},
        "Groups": [
            {
                "Keys": [first, usage_type],
                "Metrics": {"UnblendedCost": {"Amount": usd, "Unit": "USD"}, "UsageQuantity": {"Amount": quantity}},
            }
            for first, usage_type, usd, quantity in groups
        ],
    }


def answer(*days: dict[str, Any], token: str = "") -> dict[str, Any]:
    return {"ResultsByTime": list(days), **({"NextPageToken": token} if token else {})}


HOST = ("Amazon SageMaker", "USE1-Host:ml.m5.large", "2.76", "24")


def test_charges_are_asked_for_by_the_stacks_tags_and_read_page_by_page() -> None:
    explorer = Client(get_cost_and_usage=[answer(day(0, HOST), token="more"), answer(day(1, HOST))])
    found = charges(stack_of(ce=explorer), DAY, DAY + timedelta(days=2))
    assert [(one.day.day, one.key, one.usd) for one in found] == [
        (1, "Hosting:ml.m5.large", Decimal("2.76")),
        (2, "Hosting:ml.m5.large", Decimal("2.76")),
    ]
    (_, first), (_, second) = explorer.asked
    assert first["Filter"] == {"And": [{"Tags": {"Key": key, "Values": [value]}} for key, value in TAGS.items()]}
    assert first["TimePeriod"] == {"Start": "2026-11-01", "End": "2026-11-03"} and second["NextPageToken"] == "more"


def test_a_usage_type_that_the_book_does_not_have_keeps_its_own_name() -> None:
    studio = ("Amazon SageMaker", "USE1-Studio:JupyterLab-ml.t3.medium", "1", "1")
    (found,) = charges(stack_of(ce=Client(get_cost_and_usage=[answer(day(0, studio))])), DAY, DAY)
    assert found.key == "" and "Studio" in found.usage_type


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refusal("AccessDeniedException", "no"), r"not allowed to read the bill \(no\); it needs ce:GetCostAndUsage"),
        (refusal("DataUnavailableException"), "lags by up to a day"),
        (refusal("ThrottlingException", "slow down"), "Cost Explorer: ThrottlingException slow down"),
    ],
)
def test_a_refusal_is_said_in_words(error: ClientError, said: str) -> None:
    with pytest.raises(SlipwayError, match=said):
        charges(stack_of(ce=Client(get_cost_and_usage=[error])), DAY, DAY)


TAG_ANSWERS: dict[str, tuple[Any, str]] = {
    "inactive": (
        {"CostAllocationTags": [{"TagKey": "slipway:project", "Status": "Active"}]},
        r"slipway:stack not active .* aws ce update-cost-allocation-tags-status .*TagKey=slipway:stack,Status=Active",
    ),
    "active": ({"CostAllocationTags": [{"TagKey": key, "Status": "Active"} for key in TAGS]}, "nothing of it yet"),
    "refused": (refusal("AccessDeniedException"), "may not be active: aws ce update-cost-allocation-tags-status"),
}


@pytest.mark.parametrize("name", TAG_ANSWERS)
def test_nothing_charged_is_explained_by_the_tags(name: str) -> None:
    tags, said = TAG_ANSWERS[name]
    explorer = Client(get_cost_and_usage=[answer(day(0))], list_cost_allocation_tags=[tags])
    with pytest.raises(SlipwayError, match=said):
        charges(stack_of(ce=explorer), DAY, DAY)


def test_resources_are_told_where_the_account_has_them() -> None:
    row = ("arn:aws:sagemaker:us-east-1:1:endpoint/slipway-dev", "USE1-Host:ml.m5.large", "2.76", "24")
    (found,) = by_resource(stack_of(ce=Client(get_cost_and_usage_with_resources=[answer(day(0, row))])), DAY)
    assert isinstance(found, Charge) and found.resource.endswith("endpoint/slipway-dev")
    refused = Client(get_cost_and_usage_with_resources=[refusal("DataUnavailableException", "not enabled")])
    said = by_resource(stack_of(ce=refused), DAY)
    assert isinstance(said, str) and said.startswith("not by resource: DataUnavailableException not enabled; opt in")


def run(name: str, **more: Any) -> Run:
    facts: dict[str, Any] = {"seconds": 1000.0, "billable_seconds": 1000.0, "instance": "1 x ml.m5.xlarge", **more}
    return Run(name=name, status="Completed", created=BEGIN + timedelta(hours=2), **facts)


def measured(*runs: Run, **more: Any) -> Measured:
    facts: dict[str, Any] = {"instance_hours": {"main": Decimal(48)}, "requests": {"main": Decimal(2000)}, **more}
    return Measured(begin=BEGIN, end=BEGIN + timedelta(days=2), runs=runs, ms_a_request=None, **facts)


def bill(*runs: Run, records: tuple[Record, ...] = (), **more: Any) -> Bill:
    facts = measured(*runs)
    found = [
        Charge(
            day=DAY, service="s", usage_type="u", key="Hosting:ml.m5.large", quantity=Decimal(48), usd=Decimal("5.52")
        )
    ]
    found += [replace(found[0], key="S3:Storage", usd=Decimal("0.02")), replace(found[0], key="", usd=Decimal("0.5"))]
    made: dict[str, Any] = {"charges": tuple(found), "resources": "not by resource", **more}
    return Bill(
        stack="dev",
        region="us-east-1",
        since=DAY,
        until=DAY + timedelta(days=2),
        measured=facts,
        estimate=estimate(PLAN, load(), facts.usage(), DAY),
        records=records,
        book=load(),
        **made,
    )


def test_an_estimate_with_the_real_hours_is_what_is_charged() -> None:
    found = {one["what"]: one for one in document(bill())["kinds"]}
    assert found["Hosting:ml.m5.large"] == {
        "what": "Hosting:ml.m5.large",
        "charged": "5.52",
        "estimated": "5.52",
        "difference": "+0.0%",
        "unit": "USD",
    }
    assert found["s u"]["estimated"] == "0.00" and found["s u"]["difference"] == "-100.0%"
    assert found["Volume:Hosting"]["difference"] == "nothing charged"


def test_runs_pay_billable_seconds_and_spot_says_what_it_saved() -> None:
    spot = run("spot", spot=True, billable_seconds=360.0, instances=2, instance="2 x ml.m5.xlarge")
    first, second = document(bill(run("plain"), spot))["runs"]
    assert (first["usd"], first["spot_saved"]) == ("0.06", "")
    assert (second["usd"], second["spot_saved"]) == ("0.05", "64%")  # 360 s x 2 x 0.23 USD / 3600
    unpriced = document(bill(run("odd", instance="1 x ml.z9.huge")))["runs"][0]
    assert unpriced["usd"] == "no price"


def test_a_thousand_predictions_cost_what_serving_cost() -> None:
    assert document(bill())["predictions"] == {
        "requests": "2000",
        "charged": "5.52",
        "usd": "2.76",
        "unit": "USD/1000 predictions",
    }


def test_each_estimate_made_before_has_its_error() -> None:
    record = Record(
        at=BEGIN, fingerprint="f", month=Span.of(60, 73, 200), runs_a_month=Span.of(4), run=Span.of(1), by_key={}
    )
    (found,) = document(bill(run("one"), records=(record,)))["estimates"]
    assert found["expected"] == "5.80"  # 73 USD x 48 h of 730, and one run of 1 USD
    assert found["error"] == "-4.0%" and found["within"] is True


def test_what_was_measured_is_certain_and_the_rest_assumed() -> None:
    usage = measured(run("one"), run("two", billable_seconds=500.0)).usage()
    assert usage.runs_a_month == Span.of(2) and usage.training_seconds == Span.of(750)
    assert usage.requests_a_month == Span.of(2000) and usage.hours == 48
    assert not usage.ms_a_request.certain


def statistics(**values: Mapping[str, float]) -> Any:
    class CloudWatch:
        def get_metric_statistics(self, **request: Any) -> dict[str, Any]:
            found = values.get(request["MetricName"], {})
            (statistic,) = request["Statistics"]
            hour = request["EndTime"] - request["StartTime"] <= timedelta(hours=1440)
            assert hour, "more points than CloudWatch answers"
            return {"Datapoints": [{statistic: found[statistic]}] if statistic in found else []}

    return CloudWatch()


def test_a_period_begins_with_the_stack_and_counts_what_its_instances_published() -> None:
    created = BEGIN + timedelta(hours=10)
    sagemaker = Client(describe_endpoint=[{"CreationTime": created}])
    cloudwatch = statistics(
        CPUUtilization={"SampleCount": 60.0 * 60},
        Invocations={"Sum": 500.0},
        ModelLatency={"Sum": 500 * 20_000.0, "SampleCount": 500.0},
    )
    where = stack_of(sagemaker=sagemaker, cloudwatch=cloudwatch)
    found = measure(where, PLAN, [run("before")], BEGIN, BEGIN + timedelta(hours=34))
    assert found.begin == BEGIN + timedelta(hours=2) and found.hours == 32
    assert found.instance_hours == {"main": Decimal(60)} and found.requests == {"main": Decimal(500)}
    assert found.ms_a_request == 20


def test_an_endpoint_that_published_little_existed_all_the_same() -> None:
    sagemaker = Client(describe_endpoint=[{"CreationTime": BEGIN}])
    where = stack_of(sagemaker=sagemaker, cloudwatch=statistics(CPUUtilization={"SampleCount": 3.0}))
    found = measure(where, PLAN, [], BEGIN, BEGIN + timedelta(hours=10))
    assert found.instance_hours == {"main": Decimal(10)} and found.requests == {}


def test_a_stack_without_an_endpoint_has_runs_only() -> None:
    where = stack_of(sagemaker=Client(describe_endpoint=[refusal("ValidationException")]), cloudwatch=statistics())
    found = measure(where, PLAN, [run("one")], BEGIN, BEGIN + timedelta(hours=10))
    assert found.instance_hours == {} and len(found.runs) == 1


def test_every_format_tells_the_same() -> None:
    found = document(bill(run("one")))
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(view(found))
    text, page = console.export_text(), markdown(found)
    for word in ("5.52", "2.76 USD/1000 predictions", "not by resource", "one", "No estimate of what is deployed"):
        assert word in text and word in page, word
