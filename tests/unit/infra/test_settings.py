"""The stack's configuration: what is read, and that every error is told at once."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings import SettingsError, is_local, read_settings

ROOT = Path(__file__).resolve().parents[3]
LOOPBACK = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4588"}
GOOD = {"aws:region": "eu-west-1", "slipway:owner": "team"}


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
        ("data", "mnist", "allowed: digits, or s3://bucket/prefix"),
        ("model", "Latest Model", "allowed: latest, off, the name of a run"),
        ("model", "s3://bucket/model.zip", "must end in .tar.gz"),
        ("expires", "tomorrow", "expires is 'tomorrow'"),
        ("serving", '{"instance_type": "ml.t2.medium"}', "cannot scale"),
        ("training", '{"min_accuracy": 1.5}', "less than or equal to 1"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(key: str, value: str, part: str) -> None:
    (found,) = errors({**GOOD, f"slipway:{key}": value})
    assert part in found


def test_an_object_that_is_not_json_is_an_error_of_its_key() -> None:
    (found,) = errors({**GOOD, "slipway:training": "{model: cnn"})
    assert "slipway:training" in found and "not valid JSON" in found


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://127.0.0.1:1", True), ("http://localhost:1", True), ("https://sagemaker.aws", False), ("", False)],
)
def test_the_environment_decides_what_is_local(url: str, local: bool) -> None:
    assert is_local({"AWS_ENDPOINT_URL": url}) is local
