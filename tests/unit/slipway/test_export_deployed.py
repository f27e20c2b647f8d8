"""What a deployed stack answers of an export's options."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from slipway import project
from slipway.errors import SlipwayError
from slipway.export import deployed as module
from slipway.export.cli import _planned
from slipway.export.deployed import read
from tests.unit.slipway.exports import GIVEN, IMAGE, MODEL

OUTPUTS = {
    "image": IMAGE,
    "artifact": MODEL,
    "model": "model-1",
    "endpoint_config": "config-1",
    "endpoint": "slipway-dev",
}
NOTHING = dict.fromkeys((*GIVEN, "name", "min", "max", "gpu", "namespace"), "")
GPUS = {"GpuInfo": {"Gpus": [{"Manufacturer": "NVIDIA", "Count": 4}, {"Manufacturer": "AMD", "Count": 1}]}}


class Aws:
    """A stack whose services answer with what the test says; an exception is raised."""

    def __init__(self, name: str = "dev", **facts: Any) -> None:
        self.name, self.prefix, self.root = name, f"slipway-{name}", Path()
        self.local, self.region = project.is_local(name), "eu-west-1"
        self._facts: dict[str, Any] = {
            "describe_model": {"PrimaryContainer": {"Environment": {"SLIPWAY_MAX_BATCH": "64", "OTHER": "x"}}},
            "describe_endpoint_config": {
                "ProductionVariants": [{"VariantName": "m5-large", "InstanceType": "ml.m5.large"}]
            },
            "describe_instance_types": {
                "InstanceTypes": [{"VCpuInfo": {"DefaultVCpus": 4}, "MemoryInfo": {"SizeInMiB": 16384}}]
            },
            "describe_scalable_targets": {"ScalableTargets": [{"MinCapacity": 2, "MaxCapacity": 6}]},
        } | facts

    def client(self, service: str) -> Any:
        def answer(name: str) -> Any:
            def call(**words: Any) -> Any:
                if isinstance(self._facts[name], Exception):
                    raise self._facts[name]
                return self._facts[name]

            return call

        return SimpleNamespace(**{name: answer(name) for name in self._facts})


def answered(outputs: dict[str, Any] = OUTPUTS, **facts: Any) -> module.Deployed:
    stack: Any = Aws(**facts)
    return read(stack, outputs)


def test_a_pod_is_smaller_than_the_instance_that_it_is_like() -> None:
    found = answered()
    assert found.options == {
        "name": "slipway-dev",
        "image": IMAGE,
        "model": MODEL,
        "cpu": "3",
        "memory": "12288Mi",
        "gpu": "0",
        "min": "2",
        "max": "6",
    }
    assert found.region == "eu-west-1"


def test_the_servers_variables_are_taken_over_and_the_others_are_named() -> None:
    found = answered()
    assert found.environment == ["SLIPWAY_MAX_BATCH=64"]
    assert found.notes == ["variables of the stack that are not exported: OTHER; give them with --env or --env-secret"]


def test_gpus_are_those_of_nvidia() -> None:
    types = {"InstanceTypes": [{"VCpuInfo": {"DefaultVCpus": 48}, "MemoryInfo": {"SizeInMiB": 196608}, **GPUS}]}
    assert answered(describe_instance_types=types).options["gpu"] == "4"


@pytest.mark.parametrize(
    "types",
    [
        {"InstanceTypes": []},
        ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}, "DescribeInstanceTypes"),
        ClientError({"Error": {"Code": "InvalidInstanceType", "Message": "no"}}, "DescribeInstanceTypes"),
    ],
)
def test_an_instance_that_ec2_does_not_tell_of_must_be_given(types: Any) -> None:
    assert {"cpu", "memory", "gpu"}.isdisjoint(answered(describe_instance_types=types).options)


def test_another_refusal_is_not_hidden() -> None:
    refusal = ClientError({"Error": {"Code": "Throttling", "Message": "slow down"}}, "DescribeInstanceTypes")
    with pytest.raises(ClientError, match="slow down"):
        answered(describe_instance_types=refusal)


def test_a_serverless_endpoint_has_no_size() -> None:
    variant = {"VariantName": "serverless", "ServerlessConfig": {"MemorySizeInMB": 3072}}
    assert "cpu" not in answered(describe_endpoint_config={"ProductionVariants": [variant]}).options


def test_an_asynchronous_endpoint_may_have_no_instance_but_a_deployment_has_a_pod() -> None:
    config = {"ProductionVariants": [{"VariantName": "m5-large"}], "AsyncInferenceConfig": {}}
    targets = {"ScalableTargets": [{"MinCapacity": 0, "MaxCapacity": 0}]}
    found = answered(describe_endpoint_config=config, describe_scalable_targets=targets)
    assert (found.options["min"], found.options["max"]) == ("1", "1")
    assert any("answers asynchronously" in note for note in found.notes)


def test_an_endpoint_that_is_switched_off_has_no_bounds() -> None:
    assert "min" not in answered(OUTPUTS | {"endpoint": None}).options


@pytest.mark.parametrize(
    ("outputs", "told"), [({}, "it was never up"), ({"bucket": "b"}, "model is off, or no run is approved yet")]
)
def test_a_stack_without_a_model_says_why(outputs: dict[str, str], told: str) -> None:
    with pytest.raises(SlipwayError, match=rf"stack dev has no model to serve \({told}\)"):
        answered(outputs)


def test_what_is_given_comes_before_what_the_stack_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_stack", lambda name: Aws("local"))
    monkeypatch.setattr(module.Engine, "outputs", lambda self: OUTPUTS)
    plan, answer = _planned(NOTHING | {"cpu": "1", "name": "mine"}, ["SLIPWAY_MAX_BATCH=8", "MORE=1"], "local")
    assert (plan.name, plan.cpu, plan.memory, plan.fewest, plan.most) == ("mine", "1", "12288Mi", 2, 6)
    assert plan.environment == {"SLIPWAY_MAX_BATCH": "8", "MORE": "1"} and plan.region == "eu-west-1"
    assert answer and any("on the embedded AWS" in note for note in answer.notes)


def test_with_everything_given_no_stack_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_stack", lambda name: pytest.fail("it was"))
    assert _planned(NOTHING | GIVEN, [], "local")[1] is None


def test_what_the_stack_does_not_know_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_stack", lambda name: Aws(describe_instance_types={"InstanceTypes": []}))
    monkeypatch.setattr(module.Engine, "outputs", lambda self: OUTPUTS)
    with pytest.raises(SlipwayError, match="not given: --cpu, --memory; stack dev does not tell"):
        _planned(NOTHING, [], "dev")
