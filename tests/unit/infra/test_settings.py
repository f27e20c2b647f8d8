"""The stack's configuration: what is read, and that every error is told at once."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from infra.presets import PRESETS, merged
from infra.setting_errors import section_of
from infra.settings import Settings, SettingsError, is_local, read_settings
from infra.settings_page import page

ROOT = Path(__file__).resolve().parents[3]
LOOPBACK = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4588"}
GOOD = {"aws:region": "eu-west-1", "slipway:owner": "team"}
STEPPED = {"deployment": {"strategy": "canary", "rollback": True}, "instances": {"min": 2, "max": 2}}


def errors(config: dict[str, Any], stack: str = "dev", environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(config, "slipway", stack, environment or {})
    return str(caught.value).splitlines()[1:]


@pytest.mark.parametrize(("stack", "environment"), [("local", LOOPBACK), ("dev", {})])
def test_the_stacks_in_this_checkout_are_valid(stack: str, environment: dict[str, str]) -> None:
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    settings, region = read_settings(config, "slipway", stack, environment)
    assert (settings.model, region) == ("latest", "eu-west-1")


def test_objects_arrive_as_json_text_and_scalars_as_text() -> None:
    training = {"hyperparameters": {"epochs": 3, "learning_rate": 0.1, "flag": True, "model": "cnn"}}
    own = {"training": json.dumps(training), "protect": "true", "log_retention_days": "7"}
    config = {**GOOD, **{f"slipway:{key}": value for key, value in own.items()}}
    settings, _ = read_settings(config, "slipway", "dev", {})
    assert settings.training.hyperparameters == {
        "epochs": "3",
        "learning_rate": "0.1",
        "flag": "true",
        "model": "cnn",
    }
    assert settings.protect is True
    assert settings.log_retention_days == 7


def test_every_error_is_reported_at_once() -> None:
    found = errors(
        {
            "slipway:trainig": "{}",
            "slipway:training": json.dumps({"instance_typ": "ml.g5.xlarge", "max_runtime_minutes": "long"}),
            "slipway:serving": json.dumps({"instances": {"min": 3, "max": 1}, "instance_type": "g5.xlarge"}),
            "slipwy:owner": "me",
        },
        stack="Dev!",
    )
    text = "\n".join(found)
    assert len(found) == 9
    assert "unknown key 'slipway:trainig' (did you mean 'training'?)" in text
    assert "unknown key 'slipway:training.instance_typ' (did you mean 'instance_type'?)" in text
    assert "slipway:training.max_runtime_minutes is 'long'" in text
    assert "max (1) is less than min (3)" in text
    assert "slipway:serving.instance_type is 'g5.xlarge'" in text
    assert "unknown key 'slipwy:owner' (did you mean 'slipway'?)" in text
    assert "slipway:owner is missing; set it: pulumi config set slipway:owner <value>" in text
    assert "aws:region is ''" in text
    assert "the stack is called 'Dev!'" in text


def test_a_local_stack_needs_the_loopback_endpoint() -> None:
    (found,) = errors(GOOD, stack="local-prod")
    assert "runs on the embedded AWS only" in found and "slipway local start" in found


def test_a_real_stack_refuses_the_loopback_endpoint() -> None:
    (found,) = errors(GOOD, environment=LOOPBACK)
    assert "is for a real account" in found and "unset AWS_ENDPOINT_URL" in found


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("data", "mnist", "allowed: digits, a folder such as ./images, or s3://bucket/prefix"),
        ("model", "Latest Model", "allowed: latest, off, registry:approved, the name of a run"),
        ("model", "s3://bucket/model.zip", "must end in .tar.gz"),
        ("expires", "tomorrow", "expires is 'tomorrow'"),
        ("serving", '{"instance_type": "ml.t2.medium"}', "cannot scale"),
        ("training", '{"min_accuracy": 1.5}', "less than or equal to 1"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(key: str, value: str, part: str) -> None:
    (found,) = errors({**GOOD, f"slipway:{key}": value})
    assert part in found


@pytest.mark.parametrize(
    ("section", "value", "part"),
    [
        ("training", {"spot": True, "max_wait_minutes": 30}, "max_wait_minutes (30) is less than max_runtime_minutes"),
        ("training", {"max_wait_minutes": 30}, "which only spot jobs have"),
        ("training", {"spot": True, "warm_pool_minutes": 10}, "no warm pool of spot instances"),
        ("training", {"metrics": {"loss": "loss=([0-9"}}, "not a regular expression"),
        ("training", {"metrics": {"loss": "loss=[0-9]"}}, "put the number in a group"),
        ("training", {"environment": {"A-B": "1"}}, "slipway:training.environment"),
        ("training", {"environment": {"NOTE": "x" * 513}}, "513 characters; SageMaker takes 512"),
        ("training", {"tuning": {}}, "no range is given"),
        ("training", {"tuning": {"objective": "test:acuracy", "integer": {"width": [8, 9]}}}, "mean 'test:accuracy'?"),
        ("training", {"metrics": {f"m{n}": "m=(1)" for n in range(30)}}, "metrics has 30 entries; SageMaker takes 40"),
        ("training", {"code": "models"}, "slipway:training.code is 'models'; allowed: a folder of this machine"),
        ("training", {"baseline": "latest"}, "slipway:training.baseline is 'latest'; allowed: off, approved, s3://"),
        ("training", {"baseline": "s3://bucket/model.zip"}, "must end in .tar.gz"),
        ("training", {"distribution": "sharded"}, "'sharded' with instance_count 1"),
        ("training", {"tuning": {"integer": {"width": [8, 8]}}}, "the range of width is [8, 8]"),
        ("serving", {"instances": {"min": 0}}, "cannot scale to zero"),
        ("serving", {"mode": "async", "scaling": {"metric": "invocations"}}, "mode async publishes: backlog"),
        ("serving", {"mode": "serverless", "capture": {"percent": 5}}, "capture is set, which mode serverless"),
        ("serving", {"mode": "serverless", "deployment": {"strategy": "rolling"}}, "rolling is set, which mode server"),
        ("serving", {"mode": "async", "shadow": {"model": "s3://bucket/m.tar.gz"}}, "shadow is set, which mode async"),
        ("serving", {"instance_type": "ml.g5.xlarge", "volume_gb": 50}, "has a disk of its own"),
        ("serving", {"deployment": {"strategy": "canary"}}, "instances.min is 1: set 2 or more"),
        ("serving", {**STEPPED, "instance_type": "ml.inf1.xlarge"}, "moves only all_at_once"),
        ("serving", {"deployment": {"strategy": "linear", "wait_seconds": 600}}, "linear waits 6060 s on purpose"),
        ("serving", {"deployment": {"strategy": "linear", "step_percent": 5}}, "linear takes 10 to 50"),
        ("serving", {"serverless": {"max_concurrency": 2, "provisioned_concurrency": 3}}, "is more than max_conc"),
        ("serving", {"scaling": {"schedule": [{"name": "n", "cron": "20 h", "min": 1, "max": 1}]}}, "schedule[0].cron"),
        ("serving", {"shadow": {"model": "s3://b/m.zip"}}, "slipway:serving.shadow.model is 's3://b/m.zip'"),
        ("storage", {"kms_key": "mine"}, "slipway:storage.kms_key is 'mine'"),
        ("access", {"deploy": {"repository": "a/b", "subjects": ["environment:*"]}}, "access.deploy.subjects[0]"),
        ("monitoring", {"emails": ["nobody"]}, "monitoring.emails[0] is 'nobody'"),
    ],
)
def test_a_bad_section_is_named_with_what_is_allowed(section: str, value: dict[str, Any], part: str) -> None:
    (found,) = errors({**GOOD, f"slipway:{section}": json.dumps(value)})
    assert part in found


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"preset": "pull_request"}, "needs a date"),
        ({"serving": {"mode": "serverless"}, "network": {"private": True}}, "cannot run in a VPC"),
        ({"network": {"isolation": True}, "training": {"instance_count": 2}}, "need a network between them"),
        ({"serving": STEPPED, "monitoring": {"alarms": False}}, "watch the steps"),
    ],
)
def test_sections_that_contradict_each_other_are_refused(changes: dict[str, Any], part: str) -> None:
    own = {f"slipway:{key}": json.dumps(value) if isinstance(value, dict) else value for key, value in changes.items()}
    (found,) = errors({**GOOD, **own})
    assert part in found


def test_a_secret_in_plain_text_is_refused_and_never_repeated() -> None:
    config = {**GOOD, "slipway:serving": json.dumps({"environment": {"API_TOKEN": "hunter2"}})}
    (found,) = errors(config)
    assert "slipway:serving.environment.API_TOKEN" in found and "hunter2" not in found
    read_settings(config, "slipway", "dev", {}, secret_keys=["slipway:serving"])
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf"
    config["slipway:serving"] = json.dumps({"environment": {"API_TOKEN": arn}})
    read_settings(config, "slipway", "dev", {})


def test_a_value_of_the_wrong_type_in_an_environment_is_not_repeated() -> None:
    (found,) = errors({**GOOD, "slipway:training": json.dumps({"environment": {"NOTE": ["hunter2"]}})})
    assert "slipway:training.environment.NOTE" in found and "hunter2" not in found


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_is_a_valid_configuration_that_the_stack_overrides_key_by_key(preset: str) -> None:
    own = {"preset": preset, "expires": "2030-01-31", "serving": json.dumps({"instances": {"max": 9}})}
    settings, _ = read_settings({**GOOD, **{f"slipway:{key}": value for key, value in own.items()}}, "p", "s", {})
    assert settings.serving.instances.max == 9
    assert settings.serving.instances.min == (2 if preset == "prod" else 1)
    assert settings.serving.deployment.strategy == ("canary" if preset == "prod" else "all_at_once")


def test_a_baseline_that_yaml_reads_as_false_is_off() -> None:
    for value in (False, "off"):
        config = {**GOOD, "slipway:preset": "prod", "slipway:training": json.dumps({"baseline": value})}
        assert read_settings(config, "p", "s", {})[0].training.baseline == "off"
    assert read_settings({**GOOD, "slipway:preset": "prod"}, "p", "s", {})[0].training.baseline == "approved"


def test_a_preset_leaves_what_the_stack_says() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"c": 3}, "d": [2]}) == {"a": {"b": 1, "c": 3}, "d": [2]}


def test_the_settings_page_is_what_the_models_say() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == page() + "\n"


def test_every_key_is_described() -> None:
    def undescribed(section: type[BaseModel], path: str) -> list[str]:
        found = []
        for name, field in section.model_fields.items():
            below = section_of(field.annotation)
            found += [] if field.description else [path + name]
            found += undescribed(below, f"{path}{name}.") if below else []
        return found

    assert undescribed(Settings, "") == []


def test_an_object_that_is_not_json_is_an_error_of_its_key() -> None:
    (found,) = errors({**GOOD, "slipway:training": "{model: cnn"})
    assert "slipway:training" in found and "not valid JSON" in found


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://127.0.0.1:1", True), ("http://localhost:1", True), ("https://sagemaker.aws", False), ("", False)],
)
def test_the_environment_decides_what_is_local(url: str, local: bool) -> None:
    assert is_local({"AWS_ENDPOINT_URL": url}) is local
