"""Each check of `slipway verify`: what holds, and what a person is told when it does not."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from slipway import verify as module
from slipway.errors import SlipwayError
from slipway.view import Steps

OUTPUTS = {
    "endpoint": "slipway-dev",
    "endpoint_config": "config-2",
    "artifact": "s3://bucket/model.tar.gz",
    "bucket": "bucket",
    "alarms": ["errors", "latency"],
}
EXAMPLE = {"instance": [[0]], "target": "7", "prediction": {"label": "7", "score": 0.9}}
VARIANT = {"VariantName": "m5-large", "CurrentInstanceCount": 2}


class Aws:
    """A stack whose services answer with what the test says."""

    def __init__(self, **facts: Any) -> None:
        self.name, self.root = "dev", Path()
        endpoint = {"EndpointConfigName": "config-2", "EndpointStatus": "InService", "ProductionVariants": [VARIANT]}
        self._facts: dict[str, Any] = {
            "describe_endpoint": endpoint | facts.pop("endpoint", {}),
            "describe_endpoint_config": {},
            "describe_scalable_targets": {"ScalableTargets": [{"MinCapacity": 1, "MaxCapacity": 4}]},
            "describe_scaling_policies": {"ScalingPolicies": [{}]},
            "describe_alarms": {
                "MetricAlarms": [{"AlarmName": name, "StateValue": "OK"} for name in OUTPUTS["alarms"]]
            },
            "invoke_endpoint": {"predictions": [{"label": "7", "score": 0.9004}]},
        } | facts

    def client(self, service: str) -> Any:
        def answer(name: str) -> Any:
            if name == "invoke_endpoint":
                return lambda **words: {"Body": io.BytesIO(json.dumps(self._facts[name]).encode())}
            return lambda **words: facts.pop(0) if isinstance(facts := self._facts[name], list) else facts

        return SimpleNamespace(**{name: answer(name) for name in self._facts})


@pytest.fixture(autouse=True)
def stack_and_artifact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "read_manifest", lambda stack, artifact: {"examples": [EXAMPLE]})
    monkeypatch.setattr(module.Engine, "outputs", lambda self: OUTPUTS)
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)


@pytest.mark.parametrize(
    ("recorded", "answers", "refuses"),
    [
        ({"value": 152.0}, {"value": 152.2, "unit": "mg"}, {"value": 157.0}),
        ({"value": 0.0}, {"value": 0.5}, {"value": 0.6}),
        ({"latent": [0.5, -2.0]}, {"latent": [0.5001, -2.0]}, {"latent": [0.5, 2.0]}),
        ({"latent": [0.5, -2.0]}, {"latent": [0.5, -2.01]}, {"latent": [0.5]}),
    ],
)
def test_every_recorded_field_of_any_task_is_compared(
    monkeypatch: pytest.MonkeyPatch, recorded: Any, answers: Any, refuses: Any
) -> None:
    example = {"instance": [1], "target": None, "prediction": recorded}
    manifest = {"examples": [example], "metrics": {"test_rmse": 55.0}}
    monkeypatch.setattr(module, "read_manifest", lambda stack, artifact: manifest)
    assert "as recorded" in verified(Aws(invoke_endpoint={"predictions": [answers]}))[1].saw
    with pytest.raises(SlipwayError, match="recorded: "):
        verified(Aws(invoke_endpoint={"predictions": [refuses]}))


def test_an_artifact_may_declare_that_its_program_is_less_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = {"examples": [EXAMPLE], "exports": {"model.onnx": {"tolerance": 0.05}}}
    monkeypatch.setattr(module, "read_manifest", lambda stack, artifact: manifest)
    assert verified(Aws(invoke_endpoint={"predictions": [{"label": "7", "score": 0.86}]}))


def verified(stack: Aws) -> list[Any]:
    with Steps(Console(file=io.StringIO())) as steps:
        return module.verify(stack, steps)  # type: ignore[arg-type]


def test_a_stack_in_order_is_proven_check_by_check() -> None:
    assert [one.check for one in verified(Aws())] == ["in service", "example", "scaling", "alarms"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"endpoint": {"EndpointConfigName": "config-1", "FailureReason": "no ping"}}, "config-1.*config-2.*no ping"),
        ({"endpoint": {"FailureReason": "rolled back"}}, "rolled back"),
        ({"endpoint": {"EndpointStatus": "Updating"}}, "is Updating"),
        (
            {"invoke_endpoint": {"predictions": [{"label": "1", "score": 0.9}]}},
            r"with label 1, score 0.9; recorded: label 7, score 0.9 \(other: label\)",
        ),
        ({"invoke_endpoint": {"predictions": [{"label": "7", "score": 0.8}]}}, r"score 0.8; .*\(other: score\)"),
        ({"invoke_endpoint": {"predictions": [{"label": "7"}]}}, r"score missing; .*\(other: score\)"),
        ({"describe_scalable_targets": {"ScalableTargets": []}}, "does not scale"),
        ({"describe_scaling_policies": {"ScalingPolicies": []}}, "pulumi up --refresh"),
        (
            {"describe_alarms": {"MetricAlarms": [{"AlarmName": "errors", "StateValue": "OK"}]}},
            "latency: does not exist",
        ),
        (
            {
                "describe_alarms": {
                    "MetricAlarms": [
                        {"AlarmName": "errors", "StateValue": "ALARM", "StateReason": "3 datapoints"},
                        {"AlarmName": "latency", "StateValue": "OK"},
                    ]
                }
            },
            "1 of 2 alarms.*errors: 3 datapoints",
        ),
    ],
)
def test_what_is_not_in_order_is_said(facts: dict[str, Any], words: str) -> None:
    with pytest.raises(SlipwayError, match=f"(?s){words}"):
        verified(Aws(**facts))


def test_a_serverless_variant_has_no_scaling_of_its_own() -> None:
    variant = {"VariantName": "serverless", "CurrentServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 2}}
    stack = Aws(endpoint={"ProductionVariants": [variant]}, describe_scalable_targets={"ScalableTargets": []})
    assert "scaled by SageMaker" in verified(stack)[2].saw


@pytest.mark.parametrize("outputs", [{}, {"bucket": "b"}])
def test_a_stack_that_serves_nothing_has_nothing_to_prove(
    monkeypatch: pytest.MonkeyPatch, outputs: dict[str, Any]
) -> None:
    monkeypatch.setattr(module.Engine, "outputs", lambda self: outputs)
    assert verified(Aws()) == []


def test_an_endpoint_that_scaling_is_changing_is_waited_for() -> None:
    stack = Aws()
    steady = stack._facts["describe_endpoint"]
    stack._facts["describe_endpoint"] = [steady | {"EndpointStatus": "Updating"}] * 2 + [steady] * 2
    assert verified(stack)[0].saw == "slipway-dev is InService with 2 x m5-large as configured"
