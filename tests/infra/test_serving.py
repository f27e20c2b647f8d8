"""Serving under mocks: each mode, each deployment, what depends on what, and that AWS would take every input."""

from typing import Any

import pulumi
import pytest
from pulumi import Output

from infra.settings import Serving
from infra.variants import CUDA_13_AMI, ami_version, timeouts_seconds
from tests.infra.hosting import KEY, faults, hosted

CANARY = {"strategy": "canary", "step_percent": 20, "wait_seconds": 120}
TWO = {"min": 2, "max": 4}
SHADOW = {"model": "s3://data/shadow/model.tar.gz", "percent": 25}
EVERY = [
    {},
    {"mode": "serverless"},
    {"mode": "serverless", "serverless": {"provisioned_concurrency": 2}, "deployment": {"strategy": "linear"}},
    {"mode": "async", "instances": {"min": 0, "max": 3}, "async": {"notify": True}},
    {"instances": TWO, "deployment": CANARY, "capture": {"percent": 5}, "environment": {"A": "1"}},
    {"instances": TWO, "deployment": {"strategy": "linear"}},
    {"instances": TWO, "deployment": {"strategy": "rolling"}, "instance_type": "ml.g5.xlarge"},
    {"shadow": SHADOW, "volume_gb": 40, "scaling": {"metric": "concurrency", "target": 4}},
    {"scaling": {"schedule": [{"name": "night", "cron": "cron(0 20 * * ? *)", "min": 1, "max": 1}]}},
]


@pytest.mark.parametrize("serving", EVERY)
def test_aws_takes_every_input_of_every_mode(serving: dict[str, Any]) -> None:
    assert faults(hosted(serving, key=True, price_per_hour=0.1).declared) == []


@pytest.mark.parametrize("serving", EVERY)
def test_a_preview_loses_no_input_and_does_nothing(serving: dict[str, Any]) -> None:
    up, preview = hosted(serving, key=True), hosted(serving, key=True, preview=True)
    assert [(one.name, sorted(one.inputs)) for one in preview.declared] == [
        (one.name, sorted(one.inputs)) for one in up.declared
    ]
    assert preview.actions.asked == [] and preview.actions.moves == []


@pytest.mark.parametrize("serving", EVERY)
def test_values_that_a_first_preview_does_not_know_reach_every_input(serving: dict[str, Any]) -> None:
    up, preview = hosted(serving, key=True), hosted(serving, key=True, preview=True, unknown=True)
    assert [(one.name, sorted(one.inputs)) for one in preview.declared] == [
        (one.name, sorted(one.inputs)) for one in up.declared
    ]


def test_serverless_has_memory_instead_of_instances_and_nothing_to_scale() -> None:
    found = hosted({"mode": "serverless", "serverless": {"memory_mb": 2048, "max_concurrency": 7}}, key=True)
    assert found.variant["variantName"] == "serverless"
    assert found.variant["serverlessConfig"] == {"memorySizeInMb": 2048, "maxConcurrency": 7}
    assert not {"instanceType", "initialInstanceCount"} & set(found.variant)
    assert "kmsKeyArn" not in found.one("EndpointConfiguration").inputs
    assert found.all("Target") == []


def test_provisioned_workers_scale_by_their_utilisation() -> None:
    found = hosted({"mode": "serverless", "serverless": {"max_concurrency": 9, "provisioned_concurrency": 2}})
    target = found.one("Target").inputs
    assert (target["minCapacity"], target["maxCapacity"]) == (2, 9)
    assert target["scalableDimension"] == "sagemaker:variant:DesiredProvisionedConcurrency"
    tracking = found.one("Policy").inputs["targetTrackingScalingPolicyConfiguration"]
    assert tracking["targetValue"] == 0.7


def test_async_answers_into_the_bucket_and_wakes_from_zero() -> None:
    found = hosted({"mode": "async", "instances": {"min": 0, "max": 3}, "async": {"notify": True}}, key=True)
    output = found.one("EndpointConfiguration").inputs["asyncInferenceConfig"]["outputConfig"]
    assert output["s3OutputPath"] == "s3://data-bucket/async/output" and output["kmsKeyId"] == KEY
    assert output["notificationConfig"]["errorTopic"].endswith("slipway-dev-alarms-abc1234")
    assert found.variant["initialInstanceCount"] == 1  # the API's least
    assert found.one("Target").inputs["minCapacity"] == 0
    wake = found.one("Policy", "scaling-wake")
    assert wake.inputs["policyType"] == "StepScaling"
    assert found.one("MetricAlarm", "alarm-wake").depends_on == [
        "slipway-dev-endpoint-logs",
        "slipway-dev-scaling-wake",
    ]
    tracking = found.all("Policy")[0].inputs["targetTrackingScalingPolicyConfiguration"]
    assert tracking["customizedMetricSpecification"]["metricName"] == "ApproximateBacklogSizePerInstance"


def test_async_that_never_sleeps_has_no_alarm_to_wake_it() -> None:
    assert hosted({"mode": "async"}).all("MetricAlarm", "wake") == []


def test_all_at_once_that_nothing_watches_is_sagemakers_own_way() -> None:
    assert "deploymentConfig" not in hosted({"deployment": {"rollback": False}}).one("Endpoint").inputs
    assert "deploymentConfig" not in hosted(monitoring={"alarms": False}).one("Endpoint").inputs


def test_all_at_once_keeps_the_old_fleet_while_the_alarms_are_watched() -> None:
    config = hosted({"deployment": {"termination_wait_seconds": 90}}).one("Endpoint").inputs["deploymentConfig"]
    policy = config["blueGreenUpdatePolicy"]
    assert policy["trafficRoutingConfiguration"] == {"type": "ALL_AT_ONCE", "waitIntervalInSeconds": 0}
    assert policy["terminationWaitInSeconds"] == 90
    assert config["autoRollbackConfiguration"]["alarms"]


@pytest.mark.parametrize(
    ("deployment", "kind", "size"),
    [
        ({"strategy": "canary", "step_percent": 20}, "CANARY", "canarySize"),
        ({"strategy": "linear", "step_percent": 25}, "LINEAR", "linearStepSize"),
    ],
)
def test_a_stepped_deployment_watches_the_alarms_which_exist_first(
    deployment: dict[str, Any], kind: str, size: str
) -> None:
    endpoint = hosted({"instances": TWO, "deployment": {**deployment, "wait_seconds": 120}}).one("Endpoint")
    config = endpoint.inputs["deploymentConfig"]
    routing = config["blueGreenUpdatePolicy"]["trafficRoutingConfiguration"]
    assert routing["type"] == kind and routing["waitIntervalInSeconds"] == 120
    assert routing[size] == {"type": "CAPACITY_PERCENT", "value": deployment["step_percent"]}
    names = [one["alarmName"] for one in config["autoRollbackConfiguration"]["alarms"]]
    assert names == [f"slipway-dev-alarm-{what}-abc1234" for what in ("5xx", "model-errors", "latency")]
    assert {"slipway-dev-alarm-5xx", "slipway-dev-alarm-latency"} <= set(endpoint.depends_on)


def test_rolling_goes_back_at_once() -> None:
    found = hosted({"instances": TWO, "deployment": {"strategy": "rolling", "step_percent": 50}})
    policy = found.one("Endpoint").inputs["deploymentConfig"]["rollingUpdatePolicy"]
    assert policy["maximumBatchSize"]["value"] == 50 and policy["rollbackMaximumBatchSize"]["value"] == 100


@pytest.mark.parametrize(
    ("rollback", "alarms"),
    [(False, True), (True, False)],
)
def test_without_rollback_or_alarms_nothing_is_watched(rollback: bool, alarms: bool) -> None:
    found = hosted({"instances": TWO, "deployment": {**CANARY, "rollback": rollback}}, {"alarms": alarms})
    assert "autoRollbackConfiguration" not in found.one("Endpoint").inputs["deploymentConfig"]


@pytest.mark.parametrize(("running", "initial"), [(0, 2), (3, 3), (9, 4)])
def test_a_new_configuration_starts_with_as_many_as_run_within_the_bounds(running: int, initial: int) -> None:
    assert hosted({"instances": TWO}, running=running).variant["initialInstanceCount"] == initial


def test_the_configurations_content_does_not_depend_on_the_count() -> None:
    def content(running: int, **serving: Any) -> str:
        found = hosted({"instances": TWO, **serving}, running=running).one("EndpointConfiguration")
        tag: str = found.inputs["tags"]["slipway:configuration"]
        return tag

    assert content(2) == content(4)
    assert content(2) != content(2, instance_type="ml.g5.xlarge")
    assert content(2) == content(2, instances={"min": 1, "max": 9})  # bounds are the target's alone


def test_another_mode_replaces_the_endpoint_the_old_one_first() -> None:
    endpoint = hosted({"mode": "async"}).one("Endpoint")
    assert endpoint.replacement_trigger == "async" and endpoint.delete_before_replace


def test_scaling_comes_after_the_move_and_names_the_variant() -> None:
    found = hosted({"instance_type": "ml.g5.2xlarge", "scaling": {"metric": "concurrency", "target": 3}})
    target = found.one("Target")
    assert target.inputs["resourceId"] == "endpoint/slipway-dev/variant/g5-2xlarge"
    assert "slipway-dev-endpoint" in target.depends_on
    assert found.actions.moves[0].variant == "g5-2xlarge"
    specification = found.one("Policy").inputs["targetTrackingScalingPolicyConfiguration"]
    metric = specification["predefinedMetricSpecification"]["predefinedMetricType"]
    assert metric == "SageMakerVariantConcurrentRequestsPerModelHighResolution"


def test_schedules_go_with_their_target() -> None:
    night = {"name": "night", "cron": "cron(0 20 * * ? *)", "timezone": "Europe/Paris", "min": 1, "max": 1}
    action = hosted({"scaling": {"schedule": [night]}}).one("ScheduledAction")
    assert action.inputs["timezone"] == "Europe/Paris"
    assert action.inputs["scalableTargetAction"] == {"minCapacity": 1, "maxCapacity": 1}
    assert "serving-capacity" in action.depends_on


def test_a_shadow_has_a_model_and_a_share_of_its_own() -> None:
    found = hosted({"shadow": SHADOW})
    (variant,) = found.one("EndpointConfiguration").inputs["shadowProductionVariants"]
    assert variant["initialVariantWeight"] == 0.25 and variant["variantName"] == "shadow-m5-large"
    assert variant["modelName"] == "slipway-dev-shadow-model-abc1234" != found.variant["modelName"]


def test_captured_requests_go_to_the_bucket_under_the_key() -> None:
    capture = hosted({"capture": {"percent": 5}}, key=True).one("EndpointConfiguration").inputs["dataCaptureConfig"]
    assert capture["destinationS3Uri"] == "s3://data-bucket/captured"
    assert capture["initialSamplingPercentage"] == 5 and capture["kmsKeyId"] == KEY


@pytest.mark.parametrize(
    ("instance_type", "keyed"),
    [("ml.m5.large", True), ("ml.g4dn.xlarge", False), ("ml.g5.xlarge", False), ("ml.m6gd.large", False)]
    + [("ml.inf2.xlarge", True), ("ml.p3.2xlarge", True), ("ml.p4d.24xlarge", False), ("ml.c7g.large", True)],
)
def test_the_volume_key_is_left_out_where_the_instance_has_its_own_disk(instance_type: str, keyed: bool) -> None:
    found = hosted({"instance_type": instance_type, "capture": {}}, key=True)
    assert ("kmsKeyArn" in found.one("EndpointConfiguration").inputs) is keyed


@pytest.mark.parametrize(
    ("instance_type", "image", "ami"),
    [
        ("ml.g5.xlarge", "build", CUDA_13_AMI),
        ("ml.m5.large", "build", None),
        ("ml.g5.xlarge", "1.dkr.ecr.eu-west-1.amazonaws.com/pytorch:2.6.0-gpu-py312-cu124", None),
        ("ml.p5.48xlarge", "1.dkr.ecr.eu-west-1.amazonaws.com/pytorch:2.13.0-cu133-amzn2023", CUDA_13_AMI),
        ("ml.g5.xlarge", "1.dkr.ecr.eu-west-1.amazonaws.com/mine:7", None),
        ("ml.inf2.xlarge", "build", None),
    ],
)
def test_the_instances_driver_follows_the_images_cuda(instance_type: str, image: str, ami: str | None) -> None:
    assert ami_version(Serving(instance_type=instance_type), image) == ami


def test_a_driver_that_is_named_is_taken() -> None:
    assert ami_version(Serving(instance_type="ml.g5.xlarge", ami_version="none"), "build") is None
    older = "al2-ami-sagemaker-inference-gpu-3-1"
    assert ami_version(Serving(instance_type="ml.g5.xlarge", ami_version=older), "build") == older


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({}, (None, None)),
        ({"instance_type": "ml.g5.xlarge"}, (900, 1200)),
        ({"instance_type": "ml.g5.48xlarge"}, (1800, 3600)),
        ({"instance_type": "ml.g5.xlarge", "startup_timeout_seconds": 60}, (60, 1200)),
    ],
)
def test_accelerators_get_longer_to_start(settings: dict[str, Any], seconds: tuple[int | None, int | None]) -> None:
    assert timeouts_seconds(Serving.model_validate(settings)) == seconds


def test_the_network_reaches_the_model_only() -> None:
    more = {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"], "isolation": True}
    found = hosted(**more)
    model = found.one("Model").inputs
    assert model["vpcConfig"] == {"subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    assert model["enableNetworkIsolation"] is True
    assert faults(found.declared) == []


def test_an_encrypted_environment_stays_a_secret() -> None:
    secret = hosted({"environment": {"A": "hunter2"}}, wrap=Output.secret).one("Model").inputs["primaryContainer"]
    plain = hosted({"environment": {"A": "b"}}).one("Model").inputs["primaryContainer"]
    assert plain["environment"] == {"A": "b"}
    assert pulumi.runtime.rpc.is_rpc_secret(secret)


def test_switched_off_keeps_what_is_free() -> None:
    on, off = hosted({"instances": TWO}), hosted({"instances": TWO, "enabled": False})
    gone = {one.type.rsplit(":", 1)[1] for one in on.declared} - {one.type.rsplit(":", 1)[1] for one in off.declared}
    assert gone == {"Endpoint", "Target", "Policy", "MetricAlarm"}
    assert off.exports == {"alarms": [], "endpoint": None}
