"""Deployment guardrails: who gets which share of the traffic when, roll-backs by alarm, and no lost request ever.

Each localaws here has a clock that is stepped by hand, so nothing moves before a test says so.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, running, unique, wait_for
from tests.unit.localaws.hosting import (
    NAME_SERVER,
    Calls,
    calling,
    config,
    model,
    named,
    serverless,
    serving,
    variant,
)

WAIT_SECONDS = 300
SAMPLE = 100


@pytest.fixture(scope="module")
def stepped() -> Iterator[Aws]:
    with running() as (url, _):
        aws = Aws(url)
        aws.post("/_localaws/clock", {"mode": "stepped"})
        yield aws


@pytest.fixture(scope="module")
def image(stepped: Aws) -> str:
    return stepped.image({"serve": NAME_SERVER})


def policy(kind: str, size: int | None = None, **extra: Any) -> dict[str, Any]:
    """A BlueGreenUpdatePolicy of a size in percent."""
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": WAIT_SECONDS}
    field = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}.get(kind)
    if field and size is not None:
        routing[field] = {"Type": "CAPACITY_PERCENT", "Value": size}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, **extra}}


def rolling(percent: int, back: int | None = None) -> dict[str, Any]:
    size = {"Type": "CAPACITY_PERCENT", "Value": percent}
    found: dict[str, Any] = {"MaximumBatchSize": size, "WaitIntervalInSeconds": WAIT_SECONDS}
    if back is not None:
        found["RollbackMaximumBatchSize"] = {"Type": "INSTANCE_COUNT", "Value": back}
    return {"RollingUpdatePolicy": found}


def guarded(*alarms: str) -> dict[str, Any]:
    return {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}}


def alarm(aws: Aws) -> str:
    """An alarm without data, OK until somebody sets it."""
    name = unique("alarm")
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="Nowhere",
        MetricName="Nothing",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    return name


def set_state(aws: Aws, name: str, state: str) -> None:
    aws.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")


def update(aws: Aws, endpoint: str, config_name: str, deployment: dict[str, Any] | None = None, **extra: Any) -> None:
    given = {"DeploymentConfig": deployment} if deployment else {}
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=config_name, **given, **extra)


def stage(aws: Aws, endpoint: str) -> str:
    """The pending variant's status, "" when nothing is pending."""
    pending = aws.describe(endpoint).get("PendingDeploymentSummary")
    return str(pending["ProductionVariants"][0]["VariantStatus"][0]["Status"]) if pending else ""


def coming(aws: Aws, endpoint: str) -> int:
    """The number of the new fleet's instances."""
    pending = aws.describe(endpoint)["PendingDeploymentSummary"]
    return int(pending["ProductionVariants"][0]["CurrentInstanceCount"])


def advance(aws: Aws, seconds: float = WAIT_SECONDS) -> None:
    aws.post("/_localaws/clock", {"advance_seconds": seconds})


def await_share(calls: Calls, name: str, low: float, high: float) -> None:
    """Wait for SAMPLE calls after now, then for a share between the limits in the last SAMPLE."""
    start = len(calls.answers)
    wait_for(lambda: len(calls.answers) >= start + SAMPLE, "calls")
    wait_for(lambda: low <= calls.share(name, SAMPLE) <= high, f"a share of {name} between {low} and {high}")


def await_baking(aws: Aws, endpoint: str) -> None:
    wait_for(lambda: stage(aws, endpoint) == "Baking", "the baking period")


def test_a_canary_gets_its_share_and_then_everything(stepped: Aws, image: str) -> None:
    new, endpoint = named(stepped, image, "new"), serving(stepped, named(stepped, image, "old"))
    given = policy("CANARY", 20, TerminationWaitInSeconds=120)
    with calling(stepped, endpoint) as calls:
        update(stepped, endpoint, new, given)
        await_baking(stepped, endpoint)
        described = stepped.describe(endpoint)
        assert described["EndpointStatus"] == "Updating"
        assert described["EndpointConfigName"] != new
        pending = described["PendingDeploymentSummary"]
        assert pending["EndpointConfigName"] == new
        assert (pending["ProductionVariants"][0]["InstanceType"], "StartTime" in pending) == ("ml.m5.large", True)
        await_share(calls, "new", 0.05, 0.4)
        with pytest.raises(ClientError, match='Cannot update in-progress endpoint "arn'):
            update(stepped, endpoint, new)
        with pytest.raises(ClientError, match='Cannot update in-progress endpoint "arn'):
            stepped.client("sagemaker").delete_endpoint(EndpointName=endpoint)
        advance(stepped)
        await_share(calls, "new", 1.0, 1.0)
        advance(stepped)
        assert stepped.describe(endpoint)["EndpointStatus"] == "Updating"
        wait_for(lambda: advance(stepped, 30) or stepped.describe(endpoint)["EndpointStatus"] == "InService", "the end")
    assert calls.errors == []
    described = stepped.describe(endpoint)
    assert described["EndpointConfigName"] == new
    assert "PendingDeploymentSummary" not in described
    assert "FailureReason" not in described
    assert described["LastDeploymentConfig"] == given


def test_linear_traffic_moves_step_by_step(stepped: Aws, image: str) -> None:
    new, endpoint = named(stepped, image, "new", 2), serving(stepped, named(stepped, image, "old", 2))
    with calling(stepped, endpoint) as calls:
        update(stepped, endpoint, new, policy("LINEAR", 50))
        await_baking(stepped, endpoint)
        await_share(calls, "new", 0.3, 0.7)
        advance(stepped)
        await_share(calls, "new", 1.0, 1.0)
        assert stepped.describe(endpoint)["EndpointStatus"] == "Updating"
        advance(stepped)
        assert stepped.settled(endpoint)["EndpointConfigName"] == new
    assert calls.errors == []


def test_all_at_once_bakes_before_the_old_fleet_goes(stepped: Aws, image: str) -> None:
    new, endpoint = named(stepped, image, "new"), serving(stepped, named(stepped, image, "old"))
    with calling(stepped, endpoint) as calls:
        update(stepped, endpoint, new, policy("ALL_AT_ONCE"))
        await_baking(stepped, endpoint)
        await_share(calls, "new", 1.0, 1.0)
        assert stepped.describe(endpoint)["EndpointStatus"] == "Updating"
        advance(stepped)
        assert stepped.settled(endpoint)["EndpointConfigName"] == new
    assert calls.errors == []


def test_a_rolling_update_goes_batch_by_batch(stepped: Aws, image: str) -> None:
    new, endpoint = named(stepped, image, "new", 2), serving(stepped, named(stepped, image, "old", 2))
    with calling(stepped, endpoint) as calls:
        update(stepped, endpoint, new, rolling(50))
        await_baking(stepped, endpoint)
        await_share(calls, "new", 0.1, 0.6)
        assert stepped.describe(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 2
        advance(stepped)
        wait_for(lambda: coming(stepped, endpoint) == 2, "the second batch")
        await_baking(stepped, endpoint)
        assert stepped.describe(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 1
        advance(stepped)
        stepped.settled(endpoint)
        await_share(calls, "new", 1.0, 1.0)
    assert calls.errors == []
    described = stepped.describe(endpoint)["ProductionVariants"][0]
    assert (described["CurrentInstanceCount"], described["DesiredInstanceCount"]) == (2, 2)


@pytest.mark.parametrize("strategy", ["CANARY", "LINEAR", "ALL_AT_ONCE", "ROLLING"])
def test_an_alarm_while_baking_rolls_back_without_a_lost_request(stepped: Aws, image: str, strategy: str) -> None:
    old = named(stepped, image, "old", 2)
    new, endpoint, watched = named(stepped, image, "new", 2), serving(stepped, old), alarm(stepped)
    given = rolling(50, back=1) if strategy == "ROLLING" else policy(strategy, 50)
    with calling(stepped, endpoint) as calls:
        update(stepped, endpoint, new, {**given, **guarded(watched)})
        await_baking(stepped, endpoint)
        wait_for(lambda: "new" in calls.answers, "traffic on the new fleet")
        set_state(stepped, watched, "ALARM")
        advance(stepped, 10)
        found = stepped.settled(endpoint)
        await_share(calls, "old", 1.0, 1.0)
    assert calls.errors == []
    assert found["EndpointConfigName"] == old
    assert f"alarms in the ALARM state during the baking period: {watched}" in found["FailureReason"]
    assert found["ProductionVariants"][0]["CurrentInstanceCount"] == 2


def test_an_alarm_that_was_on_in_between_counts(stepped: Aws, image: str) -> None:
    """The clock may jump over the moment; the alarm's history does not."""
    old = named(stepped, image, "old")
    new, endpoint, watched = named(stepped, image, "new"), serving(stepped, old), alarm(stepped)
    update(stepped, endpoint, new, {**policy("CANARY", 10), **guarded(watched)})
    await_baking(stepped, endpoint)
    set_state(stepped, watched, "ALARM")
    set_state(stepped, watched, "OK")
    advance(stepped)
    assert stepped.settled(endpoint)["EndpointConfigName"] == old


def test_the_execution_limit_rolls_back(stepped: Aws, image: str) -> None:
    old = named(stepped, image, "old")
    new, endpoint = named(stepped, image, "new"), serving(stepped, old)
    update(stepped, endpoint, new, policy("CANARY", 10, MaximumExecutionTimeoutInSeconds=900))
    await_baking(stepped, endpoint)
    advance(stepped, 1000)
    found = stepped.settled(endpoint)
    assert found["EndpointConfigName"] == old
    assert "MaximumExecutionTimeoutInSeconds of 900 seconds" in found["FailureReason"]


def test_a_sick_batch_of_a_rolling_update_goes_back(stepped: Aws, image: str) -> None:
    old = named(stepped, image, "old", 2)
    broken = stepped.image({"serve": "#!/bin/sh\nexit 3\n"})
    endpoint = serving(stepped, old)
    with calling(stepped, endpoint) as calls:
        update(stepped, endpoint, named(stepped, broken, "new", 2), rolling(50))
        found = stepped.settled(endpoint)
    assert calls.errors == []
    assert found["EndpointConfigName"] == old
    assert "did not pass the ping health check" in found["FailureReason"]


def test_retained_properties(stepped: Aws, image: str) -> None:
    endpoint = serving(stepped, named(stepped, image, "old"))
    sagemaker = stepped.client("sagemaker")
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 2, "DesiredWeight": 0.5}],
    )
    stepped.settled(endpoint)

    def after(**extra: Any) -> tuple[int, float]:
        update(stepped, endpoint, named(stepped, image, "new"), **extra)
        found = stepped.settled(endpoint)["ProductionVariants"][0]
        return found["DesiredInstanceCount"], found["DesiredWeight"]

    without = [{"VariantPropertyType": "DesiredWeight"}]
    assert after(RetainAllVariantProperties=True) == (2, 0.5)
    assert after(RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=without) == (2, 1.0)
    assert after() == (1, 1.0)


def test_a_deployment_config_can_be_used_again(stepped: Aws, image: str) -> None:
    endpoint = serving(stepped, named(stepped, image, "one"))
    update(stepped, endpoint, named(stepped, image, "two"), policy("ALL_AT_ONCE"))
    await_baking(stepped, endpoint)
    advance(stepped)
    stepped.settled(endpoint)
    update(stepped, endpoint, named(stepped, image, "three"), RetainDeploymentConfig=True)
    await_baking(stepped, endpoint)
    advance(stepped)
    assert stepped.settled(endpoint)["LastDeploymentConfig"] == policy("ALL_AT_ONCE")


@pytest.mark.parametrize(
    ("deployment", "text"),
    [
        (guarded("nobody"), "CloudWatch alarms that do not exist in us-east-1: nobody"),
        ({**policy("ALL_AT_ONCE"), **rolling(50)}, "Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy"),
        (policy("CANARY"), "type CANARY requires CanarySize"),
        (policy("LINEAR"), "type LINEAR requires LinearStepSize"),
        (policy("CANARY", 60), "Invalid CanarySize: 60 % of 1 instances; it must be between 0% and 50%"),
        (policy("LINEAR", 5), "Invalid LinearStepSize: 5 % of 1 instances; it must be between 10% and 50%"),
        (rolling(60), "Invalid MaximumBatchSize: 60 %"),
        (policy("CANARY", 10, MaximumExecutionTimeoutInSeconds=600), "larger than the total waiting time of 600"),
    ],
)
def test_wrong_deployments_are_refused(stepped: Aws, image: str, deployment: dict[str, Any], text: str) -> None:
    old = named(stepped, image, "old")
    endpoint = serving(stepped, old)
    with pytest.raises(ClientError, match=f"ValidationException.*{text}"):
        update(stepped, endpoint, named(stepped, image, "new"), deployment)
    assert stepped.describe(endpoint)["EndpointStatus"] == "InService"


def test_guarded_deployments_need_the_same_variants(stepped: Aws, image: str) -> None:
    name = model(stepped, image)
    endpoint = serving(stepped, config(stepped, variant(name)))
    other = config(stepped, variant(name, "other"))
    with pytest.raises(ClientError, match=r"same variant names.*old: main; new: other"):
        update(stepped, endpoint, other, policy("CANARY", 10))
    both = serving(stepped, config(stepped, variant(name, "a"), variant(name, "b")))
    with pytest.raises(ClientError, match="Rolling deployments are not supported for serverless and multi-variant"):
        update(stepped, both, config(stepped, variant(name, "a"), variant(name, "b")), rolling(50))
    lambda_like = serving(stepped, config(stepped, serverless(name)))
    with pytest.raises(ClientError, match="Rolling deployments are not supported for serverless"):
        update(stepped, lambda_like, config(stepped, serverless(name)), rolling(50))
    update(stepped, endpoint, other)
    assert stepped.settled(endpoint)["EndpointConfigName"] == other


def test_the_role_must_see_the_alarms(stepped: Aws, image: str) -> None:
    """Developer guide: the execution role needs cloudwatch:DescribeAlarms on the alarms of an auto-rollback."""
    endpoint, watched = serving(stepped, named(stepped, image, "old")), alarm(stepped)
    statement = {
        "Effect": "Deny",
        "Action": "cloudwatch:DescribeAlarms",
        "Resource": f"arn:aws:cloudwatch:*:*:alarm:{watched}",
    }
    role, iam = {"RoleName": stepped.role.rsplit("/", 1)[-1], "PolicyName": "blind"}, stepped.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(**role, PolicyDocument=document)
    given = {**policy("ALL_AT_ONCE"), **guarded(watched)}
    with pytest.raises(ClientError, match="not authorized to perform: cloudwatch:DescribeAlarms"):
        update(stepped, endpoint, named(stepped, image, "new"), given)
    iam.delete_role_policy(**role)
    update(stepped, endpoint, named(stepped, image, "new"), given)


def test_a_bad_model_is_caught_by_its_own_metrics() -> None:
    """The whole way on a running clock: calls, metrics of the new fleet alone, its alarm, the roll-back."""
    with running() as (url, _):
        aws = Aws(url)
        image = aws.image({"serve": NAME_SERVER})
        old = named(aws, image, "old")
        failing = model(aws, image, {"NAME": "bad", "FAIL": "yes"})
        bad = config(aws, variant(failing, ContainerStartupHealthCheckTimeoutInSeconds=3600))
        endpoint = serving(aws, old)
        aws.post("/_localaws/clock", {"mode": "scaled", "factor": 120})
        dimensions = {"EndpointName": endpoint, "VariantName": "main", "EndpointConfigName": bad}
        aws.client("cloudwatch").put_metric_alarm(
            AlarmName="new-fleet-errors",
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0.5,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        )
        with calling(aws, endpoint) as calls:
            given = policy("CANARY", 50)
            given["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["WaitIntervalInSeconds"] = 3600
            update(aws, endpoint, bad, {**given, **guarded("new-fleet-errors")})
            found = aws.settled(endpoint)
            before = len(calls.errors)
            wait_for(lambda: calls.answers[-50:].count("old") == 50, "calls after the roll-back")
        assert found["EndpointConfigName"] == old
        assert "new-fleet-errors" in found["FailureReason"]
        assert before > 0
        assert all("ModelError" in error for error in calls.errors)


def test_a_failed_roll_back_serves_with_both_and_can_be_updated(stepped: Aws, image: str) -> None:
    """UpdateRollbackFailed: the old image is gone when the alarm asks for it again."""
    doomed = stepped.image({"serve": NAME_SERVER})
    endpoint, watched = serving(stepped, named(stepped, doomed, "old", 2)), alarm(stepped)
    with calling(stepped, endpoint) as calls:
        update(stepped, endpoint, named(stepped, image, "new", 2), {**rolling(50), **guarded(watched)})
        await_baking(stepped, endpoint)
        advance(stepped)
        wait_for(lambda: coming(stepped, endpoint) == 2, "the second batch")
        await_baking(stepped, endpoint)
        repository = doomed.partition("/")[2].partition(":")[0]
        stepped.client("ecr").delete_repository(repositoryName=repository, force=True)
        set_state(stepped, watched, "ALARM")
        advance(stepped, 10)
        wait_for(lambda: stepped.describe(endpoint)["EndpointStatus"] == "UpdateRollbackFailed", "the failure")
        assert "not found" in stepped.describe(endpoint)["FailureReason"]
        await_share(calls, "old", 0.1, 0.9)
        update(stepped, endpoint, named(stepped, image, "newest", 1))
        assert stepped.settled(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 1
        await_share(calls, "newest", 1.0, 1.0)
    assert calls.errors == []
