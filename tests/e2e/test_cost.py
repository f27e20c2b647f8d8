"""Ten stacks of the program through the embedded AWS under its clock: what the meter counts is what was estimated.

The estimate is made from the program's own plan before anything exists. After two days of cloud time the meter's bill
lies between its low and its worst, and within 2 % of what the same estimators say for the durations that AWS's API
tells (billable seconds of the jobs, counts of instances over time, requests).
"""

import json
import re
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from localaws import images
from slipway.cost.amounts import Span
from slipway.cost.estimate import estimate
from slipway.cost.planned import Planned, read
from slipway.cost.usage import Usage
from slipway.prices.api import CLIENT_REGION, read_region
from slipway.prices.book import FILE, load
from slipway.prices.refresh import refreshed
from slipway.runs import find_runs
from tests.e2e.checkout import ROOT, Checkout
from tests.e2e.updates.cases import QUICK
from tests.unit.localaws import aws as embedded
from tests.unit.localaws.aws import ECHO_SERVER, tar_gz

pytestmark = pytest.mark.rehearsal

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tiny:v1"
SCALE = 60  # cloud seconds a second, while a stack is made
COARSE = (7200,) * 24  # two days
FINE = (*[60] * 90, *[1800] * 93)  # where the number of instances changes by itself
TODAY = date(2026, 11, 22)
WITHIN = Decimal("0.02")
TRAIN = """#!/usr/bin/env python3
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
time.sleep(2)
(pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "model" / "model.txt").write_text("x")
"""
SERVE = ECHO_SERVER.replace("body = self.rfile.read(", "import time; time.sleep(0.02); body = self.rfile.read(")
CPU: dict[str, Any] = {"instance_type": "ml.m5.xlarge", "max_runtime_minutes": 120}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A stack: its settings, how often it is asked, and to how many instances it is moved for a day."""

    settings: dict[str, Any]
    requests: int = 0
    moved_to: int = 0
    interruptions_per_hour: int = 0
    steps_seconds: tuple[int, ...] = COARSE
    kinds: frozenset[str] = field(default_factory=frozenset)
    """Keys (up to the colon) that must be on the bill, so that the case shows what it is for."""


CASES: dict[str, Case] = {
    "plain": Case(settings={}, requests=5, kinds=frozenset({"Hosting", "Training", "Volume"})),
    "gpu": Case(
        settings={
            "training": {**CPU, "instance_type": "ml.g5.2xlarge"},
            "serving": {"instance_type": "ml.g5.xlarge", "instances": {"min": 1, "max": 1}},
        }
    ),
    "spot": Case(
        settings={"training": {**CPU, "spot": True, "instance_count": 2, "max_wait_minutes": 600}},
        interruptions_per_hour=15,
    ),
    "warm": Case(settings={"training": {**CPU, "instance_type": "ml.c5.9xlarge", "warm_pool_minutes": 60}}),
    "scaled": Case(settings={"serving": {"instances": {"min": 1, "max": 3}}}, moved_to=3, steps_seconds=FINE),
    "shadow": Case(
        settings={"serving": {"shadow": {"model": "ARTIFACT", "instances": 2}, "volume_gb": 100}}, requests=5
    ),
    "serverless": Case(
        settings={"serving": {"mode": "serverless", "serverless": {"memory_mb": 6144, "max_concurrency": 4}}},
        requests=40,
        kinds=frozenset({"Serverless"}),
    ),
    "distributed": Case(
        settings={
            "training": {**CPU, "instance_count": 3, "volume_gb": 500},
            "serving": {"instances": {"min": 2, "max": 4}, "volume_gb": 200, "capture": {"percent": 100}},
        },
        requests=5,
    ),
    "async": Case(settings={"serving": {"mode": "async", "instances": {"min": 0, "max": 2}}}, steps_seconds=FINE),
    "private": Case(
        settings={"network": {"private": True}, "storage": {"kms_key": "own"}},
        kinds=frozenset({"EC2", "KMS"}),
    ),
}


class Rehearsal:
    """One embedded AWS with an image that trains and serves nothing much."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.url = checkout.environment["AWS_ENDPOINT_URL"]
        self._push_image()
        checkout.aws("s3").create_bucket(
            Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )

    def post(self, path: str, body: Any) -> None:
        request = urllib.request.Request(self.url + path, data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request):
            pass

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path) as answer:
            return json.load(answer)

    def now(self) -> Decimal:
        return Decimal(str(self.get("/_localaws/clock")["now"]))

    def _push_image(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            program = Path(name) / "rootfs" / "opt" / "program"
            program.mkdir(parents=True)
            for file, text in {"train": TRAIN, "serve": SERVE}.items():
                (program / file).write_text(text)
                (program / file).chmod(0o755)
            environment = {"PATH": f"/opt/program:{images.DEFAULT_PATH}"}
            images.write_config(Path(name), images.Config(env=environment, workdir="/opt/program"))
            self.checkout.aws("ecr").create_repository(repositoryName="tiny")
            self.post("/_localaws/registry", {"reference": IMAGE, "folder": name})

    def configure(self, name: str, case: Case) -> str:
        """A stack of its own for the case."""
        base = yaml.safe_load((self.checkout.folder / "Pulumi.local.yaml").read_text())
        base["config"] |= {"slipway:image": IMAGE, "slipway:training": CPU, "slipway:spending": {"guard_minutes": 60}}
        base["config"] |= {f"slipway:{key}": value for key, value in case.settings.items()}
        stack = f"local-{name}"
        text = yaml.safe_dump(base).replace("ARTIFACT", "s3://artifacts/model.tar.gz")
        (self.checkout.folder / f"Pulumi.{stack}.yaml").write_text(text)
        self.checkout.ok("pulumi", "stack", "init", stack, "--non-interactive")
        return stack

    def plan(self, stack: str) -> Planned:
        return read(json.loads(self.checkout.ok("pulumi", "preview", "--json", "--non-interactive", "-s", stack))).after

    def bill(self, stack: str) -> dict[str, Decimal]:
        """USD by key, of everything that carries the stack's tag or name."""
        found: dict[str, Decimal] = {}
        for line in self.get("/_localaws/meter")["lines"]:
            if line["tags"].get("slipway:stack") == stack or f"slipway-{stack}" in line["resource"]:
                assert line["usd"] is not None, line
                found[line["key"]] = found.get(line["key"], Decimal(0)) + Decimal(line["usd"])
        return found


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, pulumi_bin: Path) -> Iterator[Rehearsal]:
    checkout = Checkout(tmp_path_factory.mktemp("cost") / "checkout")
    checkout.start()
    try:
        yield Rehearsal(checkout)
    finally:
        checkout.stop()


def instances(rehearsal: Rehearsal, endpoint: str) -> dict[str, int]:
    """How many of each variant there are now."""
    found = rehearsal.checkout.aws("sagemaker").describe_endpoint(EndpointName=endpoint)
    kinds = ("ProductionVariants", "ShadowProductionVariants")
    return {one["VariantName"]: one.get("CurrentInstanceCount", 0) for kind in kinds for one in found.get(kind, [])}


def lived(rehearsal: Rehearsal, case: Case, endpoint: str) -> dict[str, Decimal]:
    """Two days of the endpoint under a clock moved by hand; instance-hours by variant, as DescribeEndpoint tells."""
    sagemaker = rehearsal.checkout.aws("sagemaker")
    created = sagemaker.describe_endpoint(EndpointName=endpoint)["CreationTime"].timestamp()
    before, hours = Decimal(str(created)), dict.fromkeys(instances(rehearsal, endpoint), Decimal(0))
    for number, step in enumerate(case.steps_seconds):
        if case.moved_to and number in (100, 140):
            move(rehearsal, endpoint, case.moved_to if number == 100 else 1)
        counts, now = instances(rehearsal, endpoint), rehearsal.now()
        hours = {name: hours[name] + counts[name] * (now - before) / 3600 for name in hours}
        before = now
        rehearsal.post("/_localaws/clock", {"advance_seconds": step})
    counts, now = instances(rehearsal, endpoint), rehearsal.now()
    return {name: hours[name] + counts[name] * (now - before) / 3600 for name in hours}


def move(rehearsal: Rehearsal, endpoint: str, count: int) -> None:
    """To another number of instances, while the clock runs by itself: starting a container takes machine time."""
    sagemaker = rehearsal.checkout.aws("sagemaker")
    (variant,) = instances(rehearsal, endpoint)
    rehearsal.post("/_localaws/clock", {"mode": "real"})
    wanted = [{"VariantName": variant, "DesiredInstanceCount": count}]
    sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=wanted)
    waiting = {"Delay": 0.1, "MaxAttempts": 300}
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig=waiting)
    rehearsal.post("/_localaws/clock", {"mode": "stepped"})


def ask(rehearsal: Rehearsal, case: Case, endpoint: str) -> None:
    runtime = rehearsal.checkout.aws("sagemaker-runtime")
    for _ in range(case.requests):
        runtime.invoke_endpoint(EndpointName=endpoint, Body=b"hello", ContentType="text/plain")["Body"].read()


def foreseen(plan: Planned, hours: Decimal) -> Span:
    """What the plan's estimate said of so long a time with one run, before anything was measured."""
    found = estimate(plan, load(), replace(Usage().over(hours), runs_a_month=Span.of(1)), TODAY)
    assert found.gaps == ()
    return found.whole


def existed(rehearsal: Rehearsal, endpoint: str) -> Decimal:
    """Hours since the endpoint is there."""
    found = rehearsal.checkout.aws("sagemaker").describe_endpoint(EndpointName=endpoint)
    return (rehearsal.now() - Decimal(str(found["CreationTime"].timestamp()))) / 3600


def quiet(rehearsal: Rehearsal, stack: str) -> None:
    """Without the guardian's hourly checks: each is a process, and all stacks' would run while one is looked at."""
    scheduler = rehearsal.checkout.aws("scheduler")
    for one in scheduler.list_schedules(NamePrefix=f"slipway-{stack}-")["Schedules"]:
        scheduler.delete_schedule(Name=one["Name"], GroupName=one["GroupName"])


def measured(rehearsal: Rehearsal, case: Case, stack: str, period: Decimal, hours: dict[str, Decimal]) -> Usage:
    """What AWS's API tells of the two days; of what the stack does not do here, nothing."""
    runs = find_runs(rehearsal.checkout.stack(stack))
    billable = sum((Decimal(str(run.billable_seconds)) for run in runs), Decimal(0))
    jobs = [rehearsal.checkout.aws("sagemaker").describe_training_job(TrainingJobName=run.name) for run in runs]
    kept = sum(job.get("WarmPoolStatus", {}).get("ResourceRetainedBillableTimeInSeconds", 0) for job in jobs)
    unused = ("bucket_gb", "bucket_puts_a_month", "bucket_gets_a_month", "log_gb_a_month", "private_gb_a_month")
    return replace(
        Usage().over(period),
        runs_a_month=Span.of(1),
        training_seconds=Span.of(billable / len(runs)),
        tuning_jobs=Span.of(len(runs)),
        warm_pool_seconds=Span.of(kept),
        requests_a_month=Span.of(case.requests),
        ms_a_request=Span.of(latency(rehearsal, f"slipway-{stack}", list(hours)) or 0),
        instance_hours=hours,
        stated=frozenset({"requests_a_month", "ms_a_request"}),
        **dict.fromkeys((*unused, "key_requests_a_month", "notifications_a_month"), Span.of(0)),
    )


def latency(rehearsal: Rehearsal, endpoint: str, variants: list[str]) -> Decimal | None:
    """Mean ms of a request by CloudWatch's ModelLatency."""
    now = datetime.fromtimestamp(float(rehearsal.now()), UTC)
    sums = [Decimal(0), Decimal(0)]
    for variant in variants:
        points = rehearsal.checkout.aws("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName="ModelLatency",
            Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
            StartTime=now - timedelta(days=4),
            EndTime=now,
            Period=3600,
            Statistics=["Sum", "SampleCount"],
        )["Datapoints"]
        for number, statistic in enumerate(("Sum", "SampleCount")):
            sums[number] += sum((Decimal(str(point[statistic])) for point in points), Decimal(0))
    return sums[0] / sums[1] / 1000 if sums[1] else None


@pytest.mark.parametrize("name", CASES)
def test_the_meter_says_what_was_estimated(rehearsal: Rehearsal, name: str) -> None:
    case = CASES[name]
    stack = rehearsal.configure(name, case)
    endpoint = f"slipway-{stack}"
    rehearsal.post("/_localaws/clock", {"mode": "scaled", "factor": SCALE})
    rehearsal.post("/_localaws/spot", {"interruptions_per_hour": case.interruptions_per_hour})
    rehearsal.checkout.aws("s3").put_object(Bucket="artifacts", Key="model.tar.gz", Body=tar_gz({"model.txt": b"x"}))
    plan = rehearsal.plan(stack)
    began = rehearsal.now()
    done = rehearsal.checkout.up("-s", stack)
    assert done.code == 0, done.text
    quiet(rehearsal, stack)
    ask(rehearsal, case, endpoint)
    rehearsal.post("/_localaws/clock", {"mode": "stepped"})
    hours = lived(rehearsal, case, endpoint)
    period = (rehearsal.now() - began) / 3600
    charged = rehearsal.bill(stack)
    total = sum(charged.values(), Decimal(0))
    least, most = (foreseen(plan, span) for span in (existed(rehearsal, endpoint), period))
    assert least.low <= total <= most.worst, (least, total, most, charged)
    after = estimate(plan, load(), measured(rehearsal, case, stack, period, hours), TODAY)
    expected = after.whole.expected
    by_key = {key: (str(span.expected)[:9], str(charged.get(key))[:9]) for key, span in after.by_key().items()}
    assert abs(expected - total) <= WITHIN * total, (expected, total, by_key)
    assert case.kinds <= {key.split(":")[0] for key in charged}
    rehearsal.checkout.aws("sagemaker").delete_endpoint(EndpointName=endpoint)  # the next case has its own


def test_the_commands_of_the_page_run_in_order(checkout: Checkout) -> None:
    page = (ROOT / "docs" / "cost.md").read_text()
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    assert "slipway local start\n" in script
    checkout.configure(training=QUICK)
    done = checkout.shell(script.replace("slipway local start\n", "slipway local start --port 0\n"))
    assert done.code == 0, done.text
    assert "## Cost in eu-west-1" in done.out
    made = {name: json.loads((checkout.folder / f"{name}.json").read_text()) for name in ("cost", "bill", "prices")}
    assert made["cost"]["complete"] is True
    assert made["bill"]["runs"] and len(made["bill"]["estimates"]) >= 3
    assert made["prices"]["sources"] == {"api": "AWS Price List API (GetProducts)"}


def test_a_refresh_from_the_embedded_aws_gives_the_same_prices() -> None:
    with embedded.running("--prices", str(FILE)) as (url, _):
        client = boto3.client(
            "pricing", endpoint_url=url, region_name=CLIENT_REGION, aws_access_key_id="t", aws_secret_access_key="t"
        )
        book = json.loads(FILE.read_text())
        _, diff = refreshed(book, list(book["prices"]), lambda region: read_region(client, region), TODAY)
    assert diff.counts() == {
        "changed": 0,
        "new": 0,
        "gone": 0,
        "kept": 0,
        "same": sum(map(len, book["prices"].values())),
    }
