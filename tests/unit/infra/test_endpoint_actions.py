"""Around an endpoint's move: what is read, what is cleared away first, and what is left alone."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.deployments import deployment_config
from infra.endpoint_actions import Move, clear_the_way, deployment_of_move, instance_count
from infra.settings import Serving
from infra.waiting import ActionFailed

MOVE = Move(endpoint="slipway-dev", prefix="slipway-dev", mode="real_time", variant="m5-large", protect=False)
WANTED = deployment_config(
    Serving.model_validate({"instances": {"min": 2, "max": 2}, "deployment": {"strategy": "canary"}}).deployment,
    ["one"],
)


class Cloud:
    """SageMaker with one endpoint (or none) and Application Auto Scaling with its targets; keeps what it is told."""

    def __init__(self, endpoint: dict[str, Any] | None, stack: str = "dev", scaled: tuple[str, ...] = ()) -> None:
        self.endpoint, self.scaled, self.told = endpoint, scaled, []  # type: ignore[var-annotated]
        self.tags = [{"Key": "slipway:project", "Value": "slipway"}, {"Key": "slipway:stack", "Value": stack}]

    def __call__(self, service: str) -> "Cloud":
        return self

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        if self.endpoint is None:
            error = {"Error": {"Code": "ValidationException", "Message": "Could not find endpoint"}}
            raise ClientError(error, "DescribeEndpoint")
        return {"EndpointStatus": "InService", "EndpointArn": "arn", "EndpointConfigName": "old", **self.endpoint}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_endpoint_configs"
        names = [{"EndpointConfigName": name} for name in ("slipway-dev-config-1", "other-slipway-dev-config-1")]

        class Pages:
            def paginate(self, **arguments: Any) -> list[Any]:
                return [{"EndpointConfigs": names}]

        return Pages()

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:  # noqa: N803
        return {"EndpointConfigArn": "arn", "ProductionVariants": [{"InitialInstanceCount": 2}]}

    def list_tags(self, ResourceArn: str) -> dict[str, Any]:  # noqa: N803
        return {"Tags": self.tags}

    def delete_endpoint(self, EndpointName: str) -> None:  # noqa: N803
        self.told.append(("delete", EndpointName))

    def get_waiter(self, name: str) -> Any:
        cloud = self

        class Waiter:
            def wait(self, **arguments: Any) -> None:
                cloud.told.append((name, arguments["EndpointName"]))

        return Waiter()

    def describe_scalable_targets(self, ServiceNamespace: str, ResourceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        found = [one for one in ResourceIds if one.rsplit("/", 1)[1] in self.scaled]
        return {"ScalableTargets": [{"ScalableDimension": "count", "ResourceId": one} for one in found]}

    def deregister_scalable_target(self, **arguments: str) -> None:
        self.told.append(("deregister", arguments["ResourceId"]))


def variants(**counts: int) -> dict[str, Any]:
    named = {name.replace("_", "-"): count for name, count in counts.items()}
    return {"ProductionVariants": [{"VariantName": name, "DesiredInstanceCount": n} for name, n in named.items()]}


SERVERLESS = {"ProductionVariants": [{"VariantName": "serverless", "CurrentServerlessConfig": {"MaxConcurrency": 5}}]}


def clear(cloud: Cloud, move: Move = MOVE, config: str = "new") -> list[Any]:
    clear_the_way(cloud, move, config, lambda text: None)
    return cloud.told


@pytest.mark.parametrize(
    ("endpoint", "count"),
    [
        (None, 2),
        (variants(m5_large=3), 3),
        (variants(m5_large=9), 5),
        (variants(m5_large=1), 2),
        (variants(g5_xlarge=4), 4),  # the new type takes over
        (SERVERLESS, 2),
    ],
)
def test_the_count_that_runs_is_carried_within_the_bounds(endpoint: dict[str, Any] | None, count: int) -> None:
    assert instance_count(Cloud(endpoint), "slipway-dev", "new", 2, 5) == count


def test_a_stopped_endpoint_comes_back_with_the_configuration_it_had() -> None:
    cloud = Cloud(None)
    assert instance_count(cloud, "slipway-dev", "same", 1, 5) == 1
    cloud.tags.append({"Key": "slipway:configuration", "Value": "same"})
    assert instance_count(cloud, "slipway-dev", "same", 1, 5) == 2


def test_an_endpoint_that_slept_starts_with_one() -> None:
    assert instance_count(Cloud(variants(m5_large=0)), "slipway-dev", "new", 1, 5) == 1


def test_where_the_content_runs_already_its_count_stays_whatever_scaling_did() -> None:
    cloud = Cloud(variants(m5_large=4))
    cloud.tags.append({"Key": "slipway:configuration", "Value": "same"})
    assert instance_count(cloud, "slipway-dev", "same", 1, 5) == 2
    assert instance_count(cloud, "slipway-dev", "other", 1, 5) == 4


def test_nothing_is_cleared_where_nothing_is_or_nothing_moves() -> None:
    assert clear(Cloud(None)) == []
    assert clear(Cloud(variants(g5_xlarge=1), scaled=("g5-xlarge",)), config="old") == []
    assert clear(Cloud(variants(m5_large=1), scaled=("m5-large",))) == []


def test_a_variant_that_goes_is_deregistered_first() -> None:
    told = clear(Cloud(variants(g5_xlarge=2), scaled=("g5-xlarge",)))
    assert told == [("deregister", "endpoint/slipway-dev/variant/g5-xlarge")]
    assert clear(Cloud(variants(g5_xlarge=2))) == []  # it was not scaled


@pytest.mark.parametrize(
    ("endpoint", "mode"),
    [
        (variants(m5_large=1), "serverless"),
        (variants(m5_large=1), "async"),
        (SERVERLESS, "real_time"),
        ({**variants(m5_large=1), "AsyncInferenceConfig": {"OutputConfig": {}}}, "real_time"),
    ],
)
def test_an_endpoint_of_another_mode_goes_and_has_gone_before_the_new_one(endpoint: dict[str, Any], mode: str) -> None:
    move = Move(endpoint="slipway-dev", prefix="slipway-dev", mode=mode, variant="m5-large", protect=False)
    assert clear(Cloud(endpoint), move) == [("delete", "slipway-dev"), ("endpoint_deleted", "slipway-dev")]


def test_a_protected_endpoint_keeps_its_mode() -> None:
    cloud = Cloud(variants(m5_large=1))
    move = Move(endpoint="slipway-dev", prefix="slipway-dev", mode="async", variant="m5-large", protect=True)
    with pytest.raises(ActionFailed, match=r"is real_time and slipway:serving\.mode is async") as caught:
        clear(cloud, move)
    assert "slipway:protect" in str(caught.value) and cloud.told == []


def test_somebody_elses_endpoint_is_left_alone() -> None:
    move = Move(endpoint="slipway-dev", prefix="slipway-dev", mode="async", variant="m5-large", protect=False)
    assert clear(Cloud(variants(m5_large=1), stack="other"), move) == []


LAST: dict[str, Any] = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "WaitIntervalInSeconds": 300,
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
        },
        "TerminationWaitInSeconds": 60,
        "MaximumExecutionTimeoutInSeconds": 3600,
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "one"}]},
}


def deployment(endpoint: dict[str, Any] | None, config: str = "new", wanted: Any = WANTED) -> Any:
    return deployment_of_move(Cloud(endpoint), MOVE, config, wanted)


@pytest.mark.parametrize("endpoint", [None, {"EndpointStatus": "Failed"}, variants(m5_large=2), SERVERLESS])
def test_an_endpoint_that_will_move_or_be_made_gets_the_wanted_deployment(endpoint: dict[str, Any] | None) -> None:
    assert deployment(endpoint) == WANTED


def test_a_new_instance_type_moves_all_at_once() -> None:
    assert deployment(variants(g5_xlarge=2)) is None


def test_a_change_of_the_deployment_alone_moves_nothing() -> None:
    runs = variants(m5_large=2)
    assert deployment(runs, "old") is None  # its last move was all at once
    assert deployment({**runs, "LastDeploymentConfig": LAST}, "old", None)["autoRollbackConfiguration"]
    slower = {**LAST, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "before"}]}}
    kept = deployment({**runs, "LastDeploymentConfig": slower}, "old")
    assert kept["autoRollbackConfiguration"] == {"alarms": [{"alarmName": "before"}]}


def test_what_aws_shows_of_the_last_deployment_is_recognised_with_its_defaults() -> None:
    shown = {**LAST, "BlueGreenUpdatePolicy": {**LAST["BlueGreenUpdatePolicy"], "NewDefault": 1}}
    assert deployment({**variants(m5_large=2), "LastDeploymentConfig": shown}, "old") == WANTED


def test_another_refusal_is_not_taken_for_an_absent_endpoint() -> None:
    cloud = Cloud(None)
    error = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "DescribeEndpoint")

    def refuse(**_: Any) -> Any:
        raise error

    cloud.describe_endpoint = refuse  # type: ignore[method-assign]
    with pytest.raises(ClientError, match="not authorized"):
        instance_count(cloud, "slipway-dev", "new", 1, 2)
