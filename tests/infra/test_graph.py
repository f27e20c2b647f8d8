"""The whole graph of the program against a golden file, and the rules that must hold whatever the settings.

UPDATE_GOLDEN=1 pytest tests/infra        writes the golden file anew; read its diff before you commit it
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from tests.infra.hosting import faults
from tests.infra.recorder import Declared

SECRET = "4dabf18193072939515e22adb298388d"  # Pulumi's mark of a secret value
HERE = Path(__file__).parent
PRESETS = {
    "dev": {},
    "prod": {"preset": "prod", "serving": {"instances": {"min": 2, "max": 4}}},
    "pull_request": {"preset": "pull_request", "expires": "2030-01-31", "serving": {}},
}
FIXED_NAMES_NEVER = {"aws:sagemaker/model:Model", "aws:sagemaker/endpointConfiguration:EndpointConfiguration"}


def readable(declared: list[Declared]) -> str:
    """The graph as YAML; what changes with every line of code (the bundle's hash) is masked."""
    graph = {}
    for one in declared:
        facts: dict[str, Any] = {"parent": one.parent, "depends on": one.depends_on, "inputs": _plain(one.inputs)}
        facts |= {"protect": True} if one.protect else {}
        facts |= {"delete before replace": True} if one.delete_before_replace else {}
        graph[f"{one.type} {one.name}"] = {key: value for key, value in facts.items() if value}
    text = yaml.safe_dump(graph, sort_keys=True, width=120)
    text = re.sub(r"\b(auto-)?[0-9a-f]{64}\b|\bauto-[0-9a-f]{32}\b", "<hash of the code>", text)
    text = re.sub(r"slipway-dev-[0-9a-f]{12}-abc1234", "slipway-dev-<content>-abc1234", text)
    return re.sub(r"slipway-dev-(run|tuning)-[0-9a-f]{12}", r"slipway-dev-\1-<content>", text)


def _plain(value: Any) -> Any:
    if isinstance(value, pulumi.AssetArchive):
        return {"archive": sorted(value.assets)}
    if isinstance(value, pulumi.FileAsset):
        return f"file {Path(value.path).name}"
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and value.startswith("{"):
        return {"json": json.loads(value)}
    return value


def only(declared: list[Declared], kind: str) -> Declared:
    (found,) = [one for one in declared if one.type.endswith(f":{kind}")]
    return found


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_whole_graph_of_each_preset_is_the_golden_one(declare: Callable[..., Any], preset: str) -> None:
    declared, _, _ = declare(**PRESETS[preset])
    text, golden = readable(declared), HERE / f"graph.{preset}.golden.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text(), "the graph changed; if it should: UPDATE_GOLDEN=1 pytest tests/infra"


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_input_passes_the_check_against_the_api_model(declare: Callable[..., Any], preset: str) -> None:
    declared, _, _ = declare(**PRESETS[preset])
    assert faults(declared) == []


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_first_preview_in_which_all_is_unknown_loses_no_input(declare: Callable[..., Any], preset: str) -> None:
    up, _, _ = declare(**PRESETS[preset])
    preview, _, _ = declare(unknown=True, **PRESETS[preset])
    lost = {}
    for known, guessed in zip(up, preview, strict=True):
        assert (known.type, known.name) == (guessed.type, guessed.name)
        missing = set(known.inputs) ^ set(guessed.inputs)
        if known.type.endswith(":Endpoint"):
            missing.discard("deploymentConfig")  # shown as unknown; an update may find that there is none
        if missing:
            lost[known.name] = missing
    assert lost == {}


def test_a_preview_declares_the_same_resources_and_calls_nothing(declare: Callable[..., Any]) -> None:
    up, _, _ = declare()
    preview, _, actions = declare(preview=True)
    aws = [(one.type, one.name) for one in up if one.type.startswith("aws:")]
    assert [(one.type, one.name) for one in preview if one.type.startswith("aws:")] == aws
    assert actions.asked == []


def test_nothing_is_deployed_before_the_run_has_completed(declare: Callable[..., Any]) -> None:
    declared, exports, actions = declare()
    assert [what for what, *_ in actions.asked] == ["build", "train", "register", "free", "move"]
    container = only(declared, "Model").inputs["primaryContainer"]
    assert container["modelDataUrl"] == f"s3://trained/{exports['run']}/model.tar.gz"


def test_models_and_configurations_are_auto_named_and_every_resource_uses_our_provider(
    declare: Callable[..., Any],
) -> None:
    declared, _, _ = declare()
    for one in declared:
        if one.type in FIXED_NAMES_NEVER:
            assert "name" not in one.inputs


def test_switching_serving_off_removes_only_what_bills_by_the_hour(declare: Callable[..., Any]) -> None:
    on, _, _ = declare()
    off, exports, _ = declare(serving={"enabled": False})
    gone = {one.type for one in on} - {one.type for one in off}
    assert gone == {
        "aws:sagemaker/endpoint:Endpoint",
        "aws:appautoscaling/target:Target",
        "aws:appautoscaling/policy:Policy",
        "aws:cloudwatch/metricAlarm:MetricAlarm",  # of an endpoint that is not there
    }
    assert "endpoint" not in exports


def test_model_off_trains_and_serves_nothing(declare: Callable[..., Any]) -> None:
    declared, exports, _ = declare(model="off")
    assert {one.type for one in declared if "sagemaker" in one.type} == {
        "aws:sagemaker/modelPackageGroup:ModelPackageGroup"
    }
    assert set(exports) == {"bucket", "guardian", "image", "registry", "roles"}


def test_a_chosen_artifact_is_served_without_training(declare: Callable[..., Any]) -> None:
    declared, exports, _ = declare(model="s3://other/model.tar.gz")
    assert not [one for one in declared if "trainingJob" in one.type]
    assert exports["artifact"] == "s3://other/model.tar.gz"
    declared, exports, _ = declare(model="slipway-dev-0123456789ab-abc1234")
    assert exports["artifact"].endswith("/runs/slipway-dev-0123456789ab-abc1234/output/model.tar.gz")


def test_an_image_of_the_users_own_is_not_built(declare: Callable[..., Any]) -> None:
    declared, exports, _ = declare(image="public.ecr.aws/me/image:1")
    assert not [one for one in declared if "codebuild" in one.type or "ecr" in one.type]
    assert exports["image"] == "public.ecr.aws/me/image:1"


def test_a_new_run_is_made_beside_the_old_one_and_nothing_that_serves_depends_on_either(
    declare: Callable[..., Any],
) -> None:
    declared, _, _ = declare()
    other, _, _ = declare(training={"instance_type": "ml.g5.xlarge", "hyperparameters": {"epochs": 3}})
    assert only(declared, "TrainingJob").name != only(other, "TrainingJob").name
    assert not [one.name for one in declared if only(declared, "TrainingJob").name in one.depends_on]


def test_what_does_not_change_a_run_s_result_leaves_the_run_alone(declare: Callable[..., Any]) -> None:
    base = {"instance_type": "ml.g5.xlarge", "hyperparameters": {"model": "cnn"}}
    declared, _, _ = declare(training=base)
    changes = {"spot": True, "max_runtime_minutes": 90, "volume_gb": 50, "retries": 2, "input_mode": "FastFile"}
    other, _, _ = declare(training=base | changes)
    before, after = only(declared, "TrainingJob"), only(other, "TrainingJob")
    assert before.inputs["trainingJobName"] == after.inputs["trainingJobName"]
    assert changed_paths(before.inputs, after.inputs) == {
        "algorithmSpecification",
        "enableManagedSpotTraining",
        "resourceConfig.volumeSizeInGb",
        "retryStrategy",
        "stoppingCondition",
    }
    assert changed_paths(before.inputs, after.inputs) <= set(after.ignore_changes)


def changed_paths(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Top-level names, and of resourceConfig, whose warm pool can be changed, the members."""
    flat = [
        {**facts, **{f"resourceConfig.{k}": v for k, v in facts["resourceConfig"].items()}} for facts in (before, after)
    ]
    names = (flat[0].keys() | flat[1].keys()) - {"resourceConfig"}
    return {name for name in names if flat[0].get(name) != flat[1].get(name)}


def test_spot_warm_pool_retries_and_isolation_reach_the_job(declare: Callable[..., Any]) -> None:
    spot = {"spot": True, "max_runtime_minutes": 30, "retries": 3, "environment": {"NOTE": "1"}, "tags": {"team": "a"}}
    job = only(declare(training=spot, network={"isolation": True})[0], "TrainingJob").inputs
    assert job["enableManagedSpotTraining"] and job["enableNetworkIsolation"]
    assert job["stoppingCondition"] == {"maxRuntimeInSeconds": 1800, "maxWaitTimeInSeconds": 3600}
    assert job["retryStrategy"] == {"maximumRetryAttempts": 3}
    assert job["environment"] == {"NOTE": "1"} and job["tags"]["team"] == "a"
    warm = only(declare(training={"warm_pool_minutes": 20})[0], "TrainingJob").inputs
    assert warm["resourceConfig"]["keepAlivePeriodInSeconds"] == 1200


def test_a_secret_of_the_configuration_stays_a_secret(declare: Callable[..., Any]) -> None:
    training = {"environment": {"API_TOKEN": "x"}}
    job = only(declare(training=training, secret_keys=["slipway:training"])[0], "TrainingJob")
    assert isinstance(job.inputs["environment"], dict) and SECRET in job.inputs["environment"]


def test_a_tuning_job_takes_the_place_of_the_run_and_its_best_is_served(declare: Callable[..., Any]) -> None:
    tuning = {"integer": {"width": [16, 48]}, "continuous": {"learning_rate": [0.001, 0.1]}, "max_jobs": 4}
    declared, exports, actions = declare(training={"tuning": tuning, "hyperparameters": {"width": 24, "epochs": 3}})
    job = only(declared, "HyperParameterTuningJob").inputs
    assert not [one for one in declared if one.type.endswith(":TrainingJob")]
    assert len(exports["tuning_job"]) <= 32
    assert exports["artifact"] == f"s3://trained/{exports['tuning_job']}-001-abcdef12/model.tar.gz"
    assert [what for what, *_ in actions.asked] == ["build", "tune", "register", "free", "move"]
    static = job["trainingJobDefinition"]["staticHyperParameters"]
    assert static == {"epochs": "3", "min_accuracy": "0.98"}  # width is searched
    assert job["config"]["parameterRanges"]["integerParameterRanges"][0]["minValue"] == "16"


def test_an_approved_model_is_served_while_the_new_run_waits_for_its_approval(declare: Callable[..., Any]) -> None:
    declared, exports, actions = declare(model="registry:approved", preset="prod", serving={"instances": {"min": 2}})
    group = exports["registry"]
    assert exports["artifact"] == f"s3://approved/{group}/model.tar.gz"
    asked = [what for what, *_ in actions.asked]
    assert asked.index("register") < asked.index("approved") < asked.index("move")
    assert next(words for words in actions.asked if words[0] == "register")[2] == "False"
    assert only(declared, "ModelPackageGroup").retain_on_delete


def test_until_a_first_run_is_approved_it_is_trained_and_registered_and_nothing_is_served(
    declare: Callable[..., Any],
) -> None:
    declared, exports, actions = declare(
        model="registry:approved", preset="prod", serving={"instances": {"min": 2}}, approved=False
    )
    assert [what for what, *_ in actions.asked if what != "baseline"] == ["build", "train", "register"]
    assert "run" in exports and "endpoint" not in exports
    assert not [one for one in declared if one.type.startswith("aws:sagemaker/endpoint")]


def policy_text(declared: list[Declared], name: str) -> str:
    (found,) = [one for one in declared if one.name == name and one.type.endswith(":RolePolicy")]
    text: str = found.inputs["policy"]
    return text


def test_the_roles_reach_what_the_stack_did_not_make(declare: Callable[..., Any]) -> None:
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/model:1"
    declared, _, _ = declare(model="s3://elsewhere/models/m.tar.gz", image=image, data="s3://lake/digits")
    serve, train = policy_text(declared, "access-serve"), policy_text(declared, "access-train")
    assert '"arn:aws:s3:::elsewhere/models/m.tar.gz*"' in serve and "elsewhere" not in train
    assert '"arn:aws:s3:::lake/digits/*"' in train and "lake" not in serve
    assert "arn:aws:ecr:us-east-1:123456789012:repository/team/model" in serve


def test_protection_holds_data_and_endpoint(declare: Callable[..., Any]) -> None:
    declared, _, _ = declare(protect=True)
    assert only(declared, "Bucket").protect and not only(declared, "Bucket").inputs["forceDestroy"]
    assert only(declared, "Endpoint").protect


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"training": {"instance_type": "ml.g5.xlarge", "hyperparameters": {"epochs": 3}}}, False),
        ({"training": {"instance_type": "ml.g5.xlarge", "hyperparameters": {"model": "cnn"}, "attempt": 2}}, False),
        ({"serving": {"instances": {"min": 1, "max": 9}}}, True),
        ({"owner": "someone-else"}, True),
    ],
)
def test_a_run_is_new_only_when_its_content_is(declare: Callable[..., Any], changes: Any, same: bool) -> None:
    _, before, _ = declare()
    _, after, _ = declare(**changes)
    assert (before["run"] == after["run"]) is same


def test_every_statement_names_its_resources_where_the_service_can(declare: Callable[..., Any]) -> None:
    unscoped = {  # these take no resource
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingPolicies",
        "application-autoscaling:DescribeScheduledActions",
        "cloudwatch:GetMetricStatistics",
        "cloudwatch:PutMetricData",
        "ecr:GetAuthorizationToken",
        "sagemaker:ListHyperParameterTuningJobs",
        "sagemaker:ListTrainingJobs",
        "sagemaker:ListTransformJobs",
    }
    declared, _, _ = declare()
    policies = [json.loads(one.inputs["policy"]) for one in declared if one.type.endswith(":RolePolicy")]
    assert len(policies) == 5
    for statement in (statement for policy in policies for statement in policy["Statement"]):
        if statement["Resource"] == ["*"]:
            assert set(statement["Action"]) <= unscoped
        assert not [action for action in statement["Action"] if action.endswith("*")]


def test_names_in_aws_fit_their_limits_for_the_longest_stack_name(declare: Callable[..., Any]) -> None:
    declared, exports, _ = declare()
    grown = 20 - len("slipway") + 20 - len("dev")  # project and stack may have 20 characters each
    assert len(exports["run"]) + grown <= 63
    limited = ("aws:sagemaker/", "aws:s3/bucket:", "aws:iam/role:")  # the others take 128 characters or more
    for one in declared:
        if one.type.startswith(limited) and not one.type.endswith((":TrainingJob", ":HyperParameterTuningJob")):
            assert len(one.name) + len("-abc1234") + grown <= 63, one.name
