"""Endpoint metrics and what follows from them: target tracking, the rules of scalable targets, scheduled actions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, running, wait_for
from tests.unit.localaws.hosting import NAME_SERVER, config, model, serving, variant

DIMENSION = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}


@pytest.fixture(scope="module")
def stepped() -> Iterator[Aws]:
    with running() as (url, _):
        aws = Aws(url)
        aws.post("/_localaws/clock", {"mode": "stepped"})
        yield aws


@pytest.fixture(scope="module")
def plain(stepped: Aws) -> str:
    return model(stepped, stepped.image({"serve": NAME_SERVER}), {"NAME": "plain"})


def advance(aws: Aws, seconds: float) -> None:
    aws.post("/_localaws/clock", {"advance_seconds": seconds})


def target(endpoint: str, name: str = "main") -> dict[str, Any]:
    return {**DIMENSION, "ResourceId": f"endpoint/{endpoint}/variant/{name}"}


def count(aws: Aws, endpoint: str) -> int:
    return int(aws.describe(endpoint)["ProductionVariants"][0]["DesiredInstanceCount"])


def metric(aws: Aws, name: str, stat: str, endpoint: str, namespace: str = "AWS/SageMaker", **more: str) -> list[float]:
    """The values of the last hour, a minute each."""
    now = datetime.fromtimestamp(aws.get("/_localaws/clock")["now"], UTC)
    dimensions = {"EndpointName": endpoint, "VariantName": "main", **more}
    query = {
        "Metric": {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        },
        "Period": 60,
        "Stat": stat,
    }
    found = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": query}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        ScanBy="TimestampAscending",
    )
    values: list[float] = found["MetricDataResults"][0]["Values"]
    return values


def test_what_an_endpoint_publishes(stepped: Aws, plain: str) -> None:
    name = config(stepped, variant(plain, count=2))
    endpoint = serving(stepped, name)
    for body in ("one", "two", "three"):
        stepped.invoke(endpoint, body)
    for body in ("400", "500"):
        with pytest.raises(ClientError, match="ModelError"):
            stepped.invoke(endpoint, body)
    advance(stepped, 120)
    sums = {
        "Invocations": 5.0,
        "Invocation4XXErrors": 1.0,
        "Invocation5XXErrors": 1.0,
        "InvocationModelErrors": 2.0,
        "InvocationsPerInstance": 2.5,
    }
    for wanted, expected in sums.items():
        assert sum(metric(stepped, wanted, "Sum", endpoint)) == expected, wanted
        assert sum(metric(stepped, wanted, "Sum", endpoint, EndpointConfigName=name)) == expected, wanted
    [median], [worst] = (metric(stepped, "ModelLatency", stat, endpoint) for stat in ("p50", "p99"))
    assert 0 < median <= worst < 10e6
    [overhead] = metric(stepped, "OverheadLatency", "Average", endpoint)
    assert overhead > 0


def test_the_use_of_its_instances(stepped: Aws, plain: str) -> None:
    endpoint = serving(stepped, config(stepped, variant(plain)))
    advance(stepped, 300)
    for wanted in ("CPUUtilization", "MemoryUtilization", "DiskUtilization"):
        values = metric(stepped, wanted, "Average", endpoint, "/aws/sagemaker/Endpoints")
        assert len(values) == 5
        assert all(value >= 0 for value in values)
    assert metric(stepped, "MemoryUtilization", "Maximum", endpoint, "/aws/sagemaker/Endpoints")[0] > 0
    assert metric(stepped, "Invocations", "Sum", endpoint) == [0.0] * 5


def test_an_alarm_on_an_endpoint(stepped: Aws, plain: str) -> None:
    endpoint = serving(stepped, config(stepped, variant(plain)))
    cloudwatch = stepped.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=endpoint,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "main"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    with pytest.raises(ClientError, match="ModelError"):
        stepped.invoke(endpoint, "500")
    advance(stepped, 60)
    assert cloudwatch.describe_alarms(AlarmNames=[endpoint])["MetricAlarms"][0]["StateValue"] == "ALARM"


def test_target_tracking_goes_out_and_in(stepped: Aws, plain: str) -> None:
    endpoint = serving(stepped, config(stepped, variant(plain)))
    scaling = stepped.client("application-autoscaling")
    scaling.register_scalable_target(**target(endpoint), MinCapacity=1, MaxCapacity=2)
    wanted = {
        "TargetValue": 2.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        "ScaleInCooldown": 60,
        "ScaleOutCooldown": 60,
    }
    scaling.put_scaling_policy(
        **target(endpoint),
        PolicyName="follow",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=wanted,
    )
    for _ in range(3):
        for _ in range(9):
            stepped.invoke(endpoint)
        assert count(stepped, endpoint) == 1
        advance(stepped, 60)
    wait_for(lambda: count(stepped, endpoint) == 2, "the way out")  # 9 a minute ask for 5; 2 are allowed
    stepped.settled(endpoint)
    for _ in range(20):
        advance(stepped, 60)
    wait_for(lambda: advance(stepped, 60) or count(stepped, endpoint) == 1, "the way in")
    stepped.settled(endpoint)
    activities = scaling.describe_scaling_activities(
        ServiceNamespace="sagemaker", ResourceId=f"endpoint/{endpoint}/variant/main"
    )
    texts = [item["Description"] for item in activities["ScalingActivities"]]
    assert texts == ["Setting desired instance count to 1.", "Setting desired instance count to 2."]


def test_a_scaled_variant_keeps_its_instance_type(stepped: Aws, plain: str) -> None:
    endpoint = serving(stepped, config(stepped, variant(plain)))
    scaling, sagemaker = stepped.client("application-autoscaling"), stepped.client("sagemaker")
    scaling.register_scalable_target(**target(endpoint), MinCapacity=1, MaxCapacity=2)
    larger = config(stepped, variant(plain, InstanceType="ml.m5.xlarge"))
    with pytest.raises(ClientError, match="must be deregistered as a scalable target with AWS Auto Scaling"):
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=larger)
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config(stepped, variant(plain)))
    stepped.settled(endpoint)
    scaling.deregister_scalable_target(**target(endpoint))
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=larger)
    assert stepped.settled(endpoint)["EndpointConfigName"] == larger


def test_a_removed_variant_takes_its_target_along(stepped: Aws, plain: str) -> None:
    endpoint = serving(stepped, config(stepped, variant(plain)))
    scaling = stepped.client("application-autoscaling")
    scaling.register_scalable_target(**target(endpoint), MinCapacity=1, MaxCapacity=2)
    other = config(stepped, variant(plain, "other", InstanceType="ml.m5.xlarge"))
    stepped.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=other)
    stepped.settled(endpoint)
    found = scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[target(endpoint)["ResourceId"]]
    )
    assert found["ScalableTargets"] == []


def test_scheduled_actions(stepped: Aws, plain: str) -> None:
    endpoint = serving(stepped, config(stepped, variant(plain)))
    scaling = stepped.client("application-autoscaling")
    action = {
        **target(endpoint),
        "ScheduledActionName": "night",
        "Schedule": "cron(0 20 ? * MON-FRI *)",
        "Timezone": "Europe/Berlin",
        "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 1},
    }
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.put_scheduled_action(**action)
    scaling.register_scalable_target(**target(endpoint), MinCapacity=1, MaxCapacity=2)
    scaling.put_scheduled_action(**action)
    [found] = scaling.describe_scheduled_actions(ServiceNamespace="sagemaker")["ScheduledActions"]
    assert {name: found[name] for name in action} == action
    for wrong, text in (
        ({"Schedule": "every night"}, "Schedule is 'every night': allowed are at"),
        ({"Schedule": "cron(0 20 * *)"}, "cron takes 6 fields"),
        ({"Timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"ScalableTargetAction": {"MinCapacity": 3}}, "Maximum capacity cannot be less than minimum capacity"),
    ):
        with pytest.raises(ClientError, match=text):
            scaling.put_scheduled_action(**{**action, **wrong})
    scaling.delete_scheduled_action(**target(endpoint), ScheduledActionName="night")
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.delete_scheduled_action(**target(endpoint), ScheduledActionName="night")
    scaling.put_scheduled_action(**action)
    scaling.deregister_scalable_target(**target(endpoint))
    assert scaling.describe_scheduled_actions(ServiceNamespace="sagemaker")["ScheduledActions"] == []


def test_a_scheduled_action_sets_the_bounds_at_its_time_and_the_count_follows(stepped: Aws, plain: str) -> None:
    endpoint = serving(stepped, config(stepped, variant(plain)))
    scaling = stepped.client("application-autoscaling")
    scaling.register_scalable_target(**target(endpoint), MinCapacity=1, MaxCapacity=1)
    now = stepped.get("/_localaws/clock")["now"]
    for name, wait, bounds in (("up", 3600, (2, 3)), ("down", 7200, (1, 1))):
        scaling.put_scheduled_action(
            **target(endpoint),
            ScheduledActionName=name,
            Schedule=f"at({datetime.fromtimestamp(now + wait, UTC):%Y-%m-%dT%H:%M:%S})",
            ScalableTargetAction=dict(zip(("MinCapacity", "MaxCapacity"), bounds, strict=True)),
        )
    advance(stepped, 3599)
    assert count(stepped, endpoint) == 1
    for bounds, wanted in (((2, 3), 2), ((1, 1), 1)):
        advance(stepped, 3600)
        wait_for(lambda expected=wanted: count(stepped, endpoint) == expected, f"a count of {wanted}")  # type: ignore[misc]
        stepped.settled(endpoint)
        [found] = scaling.describe_scalable_targets(
            ServiceNamespace="sagemaker", ResourceIds=[target(endpoint)["ResourceId"]]
        )["ScalableTargets"]
        assert (found["MinCapacity"], found["MaxCapacity"]) == bounds
    activities = scaling.describe_scaling_activities(**target(endpoint))["ScalingActivities"]
    assert [item["Cause"] for item in activities] == [
        f"scheduled action name {name} was triggered" for name in ("down", "up")
    ]
    assert {item["StatusCode"] for item in activities} == {"Successful"}
