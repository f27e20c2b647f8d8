"""The provider's own inputs, and the guard that it never leaves this machine."""

from __future__ import annotations

import json
from typing import Any

import pulumi_aws
import pytest
from pulumi._types import input_type_py_to_pulumi_names

from localaws.pulumi_provider import config
from localaws.pulumi_provider.aws import Aws, NotLoopbackError, require_loopback
from localaws.pulumi_provider.provider import Provider

LOCAL = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}


def test_inputs_are_those_of_pulumi_aws() -> None:
    ours = {*config.HONOURED, *config.WITHOUT_EFFECT, *config.REFUSED}
    added_by_the_engine = {"pluginDownloadURL", "version"}
    assert ours - added_by_the_engine == set(input_type_py_to_pulumi_names(pulumi_aws.ProviderArgs).values())
    assert len(ours) == len(config.HONOURED) + len(config.WITHOUT_EFFECT) + len(config.REFUSED)


def test_nested_inputs_arrive_as_json_text() -> None:
    inputs = {
        "region": "eu-west-1",
        "accessKey": "k",
        "secretKey": "s",
        "defaultTags": json.dumps({"tags": {"a": "b"}}),
        "endpoints": json.dumps([{"appautoscaling": "http://localhost:1", "s3": "http://[::1]:2"}]),
        "allowedAccountIds": json.dumps(["123456789012"]),
        "skipMetadataApiCheck": "true",
    }
    settings = config.parse(inputs, {})
    assert settings.region == "eu-west-1"
    assert settings.credentials == {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    assert settings.default_tags == {"a": "b"}
    assert settings.endpoints == {"application-autoscaling": "http://localhost:1", "s3": "http://[::1]:2"}
    assert settings.allowed_accounts == ("123456789012",)
    assert "secret" not in repr(settings)


def test_region_and_keys_come_from_the_environment_too() -> None:
    settings = config.parse({}, {**LOCAL, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "k"})
    assert (settings.region, settings.credentials) == ("eu-west-1", {})
    with pytest.raises(ValueError, match="no region is set; run `pulumi config set aws:region"):
        config.parse({}, LOCAL)


@pytest.mark.parametrize(
    ("inputs", "environment", "words"),
    [
        ({"regoin": "x"}, LOCAL, "has no input 'regoin'; did you mean 'region'?"),
        ({"assumeRoles": "[]"}, LOCAL, "cannot honour 'assumeRoles'"),
        ({}, {}, "AWS_ENDPOINT_URL is not set"),
        ({}, {"AWS_ENDPOINT_URL": "https://sagemaker.us-east-1.amazonaws.com"}, "only talks to an embedded AWS"),
        ({}, {"AWS_ENDPOINT_URL": ""}, "only talks to an embedded AWS"),
        ({"endpoints": '[{"s3": "http://10.0.0.1"}]'}, LOCAL, "endpoints.s3 is 'http://10.0.0.1'"),
        ({"endpoints": '[{"s3": "http://127.0.0.1.example.com"}]'}, LOCAL, "endpoints.s3 is"),
    ],
)
def test_wrong_inputs_are_refused(inputs: dict[str, Any], environment: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        config.parse({"region": "us-east-1", **inputs}, environment)
    assert words in str(caught.value)


def test_loopback() -> None:
    for url in (
        "http://127.0.0.1:1",
        "http://127.9.9.9",
        "http://localhost:4566",
        "http://s3.localhost",
        "http://[::1]:1",
    ):
        require_loopback(url, "test")
    for url in ("http://example.com", "127.0.0.1:1", "http://0.0.0.0:1", "http://127.0.0.1@example.com", ""):
        with pytest.raises(NotLoopbackError):
            require_loopback(url, "test")


def test_a_client_for_another_machine_is_refused_whatever_the_configuration_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    with pytest.raises(NotLoopbackError, match=r"the sts endpoint is 'https://sts\.us-east-1\.amazonaws\.com'"):
        Aws(region="us-east-1").client("sts", "us-east-1")


def test_nothing_works_before_configuration() -> None:
    with pytest.raises(RuntimeError, match="not configured yet"):
        Provider().create("aws:s3/bucket:Bucket", "b", {}, False, 0)
