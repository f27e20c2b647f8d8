"""What plans cost: figures computed by hand, and what holds for every plan."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.serving_section import LOCAL_DISK
from slipway.cost import instances
from slipway.cost.amounts import Span
from slipway.cost.asking import Past, PastRun
from slipway.cost.estimate import estimate
from slipway.cost.lines import Estimate, Line
from slipway.cost.planned import Planned
from slipway.cost.table import FREE, PRICED
from slipway.cost.usage import Usage
from slipway.prices.book import load
from tests.unit.slipway import plans

TODAY = date(2026, 11, 22)
ROOT = Path(__file__).resolve().parents[3]
TRAINING = "aws:sagemaker/trainingJob:TrainingJob"
TUNING = "aws:sagemaker/hyperParameterTuningJob:HyperParameterTuningJob"
M5 = {"instanceType": "ml.m5.large", "initialInstanceCount": 1}


def cost(plan: Planned, usage: Usage | None = None, past: Past | None = None) -> Estimate:
    return estimate(plan, load(), usage or Usage(), TODAY, past)


def one(found: Estimate, key: str) -> Line:
    (line,) = (line for line in found.lines if line.key == key)
    return line


def usd(found: Estimate, key: str) -> tuple[Decimal, Decimal, Decimal]:
    span = one(found, key).usd
    assert span is not None
    return round(span.low, 12), round(span.expected, 12), round(span.worst, 12)


def decimals(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


def job(seconds: int = 3600, **more: Any) -> Mapping[str, Any]:
    resources = {"instanceType": "ml.m5.xlarge", "instanceCount": 1, **more.pop("resources", {})}
    return {"resourceConfig": resources, "stoppingCondition": {"maxRuntimeInSeconds": seconds}, **more}


def test_an_endpoint_pays_for_its_instances_between_the_bounds_of_its_scaling() -> None:
    found = cost(plans.made(*plans.endpoint(M5), plans.scaling(1, 3)))
    assert usd(found, "Hosting:ml.m5.large") == decimals("83.95", "83.95", "251.85")  # 0.115 USD x 730 h
    assert usd(found, "Volume:Hosting") == decimals("4.2", "4.2", "12.6")  # 30 GB x 0.14 USD


def test_traffic_that_needs_more_instances_is_expected_to_get_them() -> None:
    tracking = {
        "predefinedMetricSpecification": {"predefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        "targetValue": 100,
    }
    policy = {"resourceId": "endpoint/s/variant/main", "targetTrackingScalingPolicyConfiguration": tracking}
    plan = plans.made(*plans.endpoint(M5), plans.scaling(1, 3), ("aws:appautoscaling/policy:Policy", "policy", policy))
    busy = Usage().with_values({"requests_a_month": 730 * 60 * 150})  # 150 a minute, 100 an instance
    assert usd(cost(plan, busy), "Hosting:ml.m5.large")[1] == Decimal("167.9")  # two instances
    flooded = Usage().with_values({"requests_a_month": 730 * 60 * 10_000})
    assert usd(cost(plan, flooded), "Hosting:ml.m5.large")[1] == Decimal("251.85")  # never above the maximum


def test_an_instance_with_a_disk_of_its_own_pays_no_volume() -> None:
    found = cost(plans.made(*plans.endpoint({"instanceType": "ml.g5.xlarge", "initialInstanceCount": 1})))
    assert not [line for line in found.lines if line.key == "Volume:Hosting"]
    assert instances.LOCAL_DISK.pattern == LOCAL_DISK.pattern  # of the program, which slipway must not import


def test_a_shadow_variant_pays_like_any_other() -> None:
    found = cost(plans.made(*plans.endpoint(M5, shadowProductionVariants=[{"variantName": "shadow", **M5}])))
    hosting = [line for line in found.lines if line.key == "Hosting:ml.m5.large"]
    assert [line.usd for line in hosting] == [Span.of("83.95")] * 2


def test_an_asynchronous_endpoint_that_scales_to_nothing_costs_what_its_work_takes() -> None:
    client = {"clientConfig": {"maxConcurrentInvocationsPerInstance": 4}}
    plan = plans.made(*plans.endpoint(M5, asyncInferenceConfig=client), plans.scaling(0, 2))
    usage = Usage().with_values({"requests_a_month": 144_000, "ms_a_request": 1000})  # 10 h of work, 4 at a time
    low, expected, worst = usd(cost(plan, usage), "Hosting:ml.m5.large")
    assert (low, round(expected, 9), worst) == decimals("0", "1.15", "167.9")


def test_a_serverless_endpoint_pays_by_the_second_and_at_worst_for_all_its_concurrency() -> None:
    plan = plans.made(*plans.endpoint({"serverlessConfig": {"memorySizeInMb": 2048, "maxConcurrency": 2}}))
    low, expected, worst = usd(cost(plan), "Serverless:2048")
    assert (low, expected) == (0, Decimal("0.2"))  # 100,000 requests of 50 ms at 0.00004 USD a second
    assert worst == 2 * 730 * 3600 * Decimal("0.00004")
    stated = Usage().with_values({"requests_a_month": 1000, "ms_a_request": 100})
    assert usd(cost(plan, stated), "Serverless:2048")[2] == Decimal("0.004")


def test_provisioned_workers_pay_while_they_are_kept_and_less_for_requests() -> None:
    serverless = {"memorySizeInMb": 2048, "maxConcurrency": 4, "provisionedConcurrency": 2}
    found = cost(plans.made(*plans.endpoint({"serverlessConfig": serverless})))
    assert usd(found, "ServerlessProvisioned:2048")[1] == 2 * 730 * 3600 * Decimal("0.00001")
    assert one(found, "ServerlessProvisionedInference:2048").quantity.expected == 5000


def test_a_run_is_half_of_its_limit_until_one_has_run() -> None:
    plan = plans.made((TRAINING, "run", job(resources={"volumeSizeInGb": 30})))
    found = cost(plan)
    assert usd(found, "Training:ml.m5.xlarge") == decimals("0.003833333333", "0.115", "0.23")
    assert round(found.run.worst - Decimal("0.23"), 6) == round(30 * Decimal("0.14") / 730, 6)
    done = PastRun(name="r", instance_type="ml.m5.xlarge", instances=1, seconds=600, billable_seconds=600, spot=False)
    assert usd(cost(plan, past=Past(runs=(done,))), "Training:ml.m5.xlarge")[1] == Decimal("0.038333333333")
    other = Past(runs=(PastRun(**{**vars(done), "instances": 2}),))
    assert usd(cost(plan, past=other), "Training:ml.m5.xlarge")[1] == Decimal("0.115")  # two instances are no measure


def test_spot_is_fewer_seconds_at_the_same_rate_and_at_worst_its_whole_wait() -> None:
    stopping = {"maxRuntimeInSeconds": 3600, "maxWaitTimeInSeconds": 7200}
    spot = job(enableManagedSpotTraining=True, stoppingCondition=stopping, resources={"instanceCount": 2})
    low, expected, worst = usd(cost(plans.made((TRAINING, "run", spot))), "Training:ml.m5.xlarge")
    assert worst == 2 * 2 * Decimal("0.23")
    assert expected == 2 * Decimal("0.23") / 2 * (1 - Decimal("0.635"))
    assert low == Decimal("0.000766666667")


def test_a_warm_pool_pays_the_training_rate_after_the_run() -> None:
    found = cost(plans.made((TRAINING, "run", job(resources={"keepAlivePeriodInSeconds": 1800}))))
    pool = [line for line in found.lines if "warm pool" in line.what]
    assert [line.usd for line in pool] == [Span.of(0, "0.115", "0.115")]


def test_a_search_pays_for_all_its_jobs() -> None:
    limits = {"resourceLimits": {"maxNumberOfTrainingJobs": 6}}
    found = cost(plans.made((TUNING, "search", {"config": limits, "trainingJobDefinition": job()})))
    assert usd(found, "Training:ml.m5.xlarge")[2] == 6 * Decimal("0.23")


def test_schedules_weigh_by_their_share_of_the_week() -> None:
    def action(name: str, cron: str, least: int, most: int) -> tuple[str, str, Mapping[str, Any]]:
        bounds = {"minCapacity": least, "maxCapacity": most}
        where = {"resourceId": "endpoint/s/variant/main", "schedule": cron, "scalableTargetAction": bounds}
        return ("aws:appautoscaling/scheduledAction:ScheduledAction", name, where)

    night, day = action("night", "cron(0 18 * * ? *)", 1, 1), action("day", "cron(0 6 * * ? *)", 3, 5)
    found = cost(plans.made(*plans.endpoint(M5), plans.scaling(1, 9), night, day))
    quantity = one(found, "Hosting:ml.m5.large").quantity
    assert (quantity.low, quantity.expected, quantity.worst) == (2 * 730, 2 * 730, 3 * 730)


def test_office_hours_are_expected_and_not_promised() -> None:
    def schedule(action: str, cron: str) -> tuple[str, str, Mapping[str, Any]]:
        target = {"arn": "arn:aws:lambda:us-east-1:1:function:guard", "input": f'{{"action": "{action}"}}'}
        return ("aws:scheduler/schedule:Schedule", action, {"scheduleExpression": cron, "target": target})

    start, stop = schedule("start", "cron(0 8 ? * MON-FRI *)"), schedule("stop", "cron(0 20 ? * MON-FRI *)")
    function = ("aws:lambda/function:Function", "guard", {"memorySize": 256})
    found = cost(plans.made(*plans.endpoint(M5), start, stop, function))
    quantity = one(found, "Hosting:ml.m5.large").quantity
    assert round(quantity.expected, 6) == round(Decimal(730 * 60) / 168, 6)
    assert quantity.worst == 730
    assert round(one(found, "Lambda:Request").quantity.expected, 4) == round(Decimal(10) * 730 / 168, 4)


def test_the_guardian_and_office_hours_of_the_program_are_read() -> None:
    found = cost(plans.plan("office"))
    endpoint = next(line for line in found.lines if line.key.startswith("Hosting:"))
    assert "on 33% of the week by office hours" in endpoint.assumption  # 11 h on 5 days
    calls = one(found, "Lambda:Request").quantity.expected
    assert round(calls, 3) == round(8760 + Decimal(10) * 730 / 168, 3)  # a check every 5 minutes, and the office hours
    assert "aws:budgets/budget:Budget" in {free.type for free in found.free}


def test_an_alarm_counts_each_metric_of_its_expression() -> None:
    metrics = [{"id": "m1", "metric": {"period": 60}}, {"id": "m2", "metric": {"period": 60}}]
    inputs = {"metricQueries": [{"id": "e", "expression": "m1 / m2"}, *metrics]}
    found = cost(plans.made(("aws:cloudwatch/metricAlarm:MetricAlarm", "alarm", inputs)))
    assert usd(found, "CloudWatch:Alarm") == decimals("0.2", "0.2", "0.2")


def test_interface_endpoints_pay_by_the_hour_and_zone_and_gateways_nothing() -> None:
    kind = "aws:ec2/vpcEndpoint:VpcEndpoint"
    interface = (kind, "kms", {"vpcEndpointType": "Interface", "subnetIds": ["a", "b"]})
    found = cost(plans.made(interface, (kind, "s3", {"vpcEndpointType": "Gateway"})))
    assert usd(found, "EC2:InterfaceEndpoint") == decimals("14.6", "14.6", "14.6")
    assert [free.resource for free in found.free] == ["s3"]


def test_every_type_of_the_program_is_priced_or_free_with_a_reason() -> None:
    golden = ROOT / "tests" / "infra"
    types = {
        found[1]
        for file in golden.glob("*.golden.yaml")
        for line in file.read_text().splitlines()
        if (found := re.match(r"(aws:\S+:\S+) \S+:$", line))
    }
    types |= {resource.type for name in plans.NAMES for resource in plans.plan(name).resources}
    assert len(types) > 30
    assert types - set(PRICED) - set(FREE) == set()
    assert set(PRICED) & set(FREE) == set()
    assert all(FREE.values())


def test_a_type_that_nobody_knows_is_said_and_never_free() -> None:
    found = cost(plans.made(("aws:rds/instance:Instance", "database", {})))
    assert [one.resource for one in found.unknown] == ["database"]
    assert found.gaps == ("no rule for aws:rds/instance:Instance (database)",)


def test_a_price_that_nobody_knows_leaves_a_gap() -> None:
    found = cost(plans.made(*plans.endpoint({"instanceType": "ml.z9.huge", "initialInstanceCount": 1})))
    assert one(found, "Hosting:ml.z9.huge").usd is None
    assert found.gaps[0].startswith("no price of Hosting:ml.z9.huge in us-east-1: known for no region")


@pytest.mark.parametrize("name", plans.NAMES)
def test_a_real_plan_is_known_whole_in_order_and_explained(name: str) -> None:
    found = cost(plans.plan(name))
    assert found.gaps == ()
    assert found.region == "eu-west-1"
    for line in found.lines:
        assert line.usd is not None and 0 <= line.usd.low <= line.usd.expected <= line.usd.worst, line
        assert line.assumption, line
    assert 0 < found.whole.low < found.whole.expected < found.whole.worst


COUNTS = st.integers(0, 10**7)


@settings(max_examples=25, deadline=None)
@given(requests=COUNTS, milliseconds=st.integers(1, 60_000), runs=st.integers(0, 100), hours=st.integers(1, 8760))
def test_low_expected_and_worst_stay_in_order_whatever_is_assumed(
    requests: int, milliseconds: int, runs: int, hours: int
) -> None:
    usage = Usage().with_values({"requests_a_month": requests, "ms_a_request": milliseconds, "runs_a_month": runs})
    for name in ("async", "office", "serverless", "shadow"):
        found = cost(plans.plan(name), usage.over(Decimal(hours)))
        for line in found.lines:
            assert line.usd is not None and line.usd.low <= line.usd.expected <= line.usd.worst, (name, line)


def test_measured_hours_take_the_place_of_what_was_expected() -> None:
    plan = plans.made(*plans.endpoint(M5), plans.scaling(1, 3))
    usage = replace(Usage().over(Decimal(10)), instance_hours={"main": Decimal("12.5")})
    assert usd(cost(plan, usage), "Hosting:ml.m5.large") == decimals("1.15", "1.4375", "3.45")
