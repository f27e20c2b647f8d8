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

from tests.infra.recorder import Declared

GOLDEN = Path(__file__).parent / "graph.golden.yaml"
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
    return re.sub(r"slipway-dev-[0-9a-f]{12}-abc1234", "slipway-dev-<content>-abc1234", text)


def _plain(value: Any) -> Any:
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


def test_the_whole_graph_is_the_golden_one(declare: Callable[..., Any]) -> None:
    declared, _, _ = declare()
    text = readable(declared)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "the graph changed; if it should: UPDATE_GOLDEN=1 pytest tests/infra"


def test_a_preview_declares_the_same_resources_and_calls_nothing(declare: Callable[..., Any]) -> None:
    up, _, _ = declare()
    preview, _, actions = declare(preview=True)
    aws = [(one.type, one.name) for one in up if one.type.startswith("aws:")]
    assert [(one.type, one.name) for one in preview if one.type.startswith("aws:")] == aws
    assert actions.asked == []


def test_nothing_is_deployed_before_the_run_has_completed(declare: Callable[..., Any]) -> None:
    declared, exports, actions = declare()
    assert [what for what, _ in actions.asked] == ["build", "train", "free", "move"]
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
    }
    assert "endpoint" not in exports


def test_model_off_trains_and_serves_nothing(declare: Callable[..., Any]) -> None:
    declared, exports, _ = declare(model="off")
    assert not [one for one in declared if "sagemaker" in one.type]
    assert set(exports) == {"bucket", "image"}


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


def test_a_replaced_run_takes_nothing_that_serves_with_it(declare: Callable[..., Any]) -> None:
    declared, _, _ = declare()
    run = only(declared, "TrainingJob")
    assert run.delete_before_replace
    assert not [one.name for one in declared if run.name in one.depends_on]


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
    unscoped = {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"}  # these take no resource
    declared, _, _ = declare()
    policies = [json.loads(one.inputs["policy"]) for one in declared if one.type.endswith(":RolePolicy")]
    assert len(policies) == 3
    for statement in (statement for policy in policies for statement in policy["Statement"]):
        if statement["Resource"] == ["*"]:
            assert set(statement["Action"]) <= unscoped
        assert not [action for action in statement["Action"] if action.endswith("*")]


def test_names_in_aws_fit_their_limits_for_the_longest_stack_name(declare: Callable[..., Any]) -> None:
    declared, exports, _ = declare()
    grown = 20 - len("slipway") + 20 - len("dev")  # project and stack may have 20 characters each
    assert len(exports["run"]) + grown <= 63
    for one in declared:
        assert len(one.name) + len("-abc1234") + grown <= 63
