"""Nothing that the API model refuses gets past Check, at any depth, of any type, known or not."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.pulumi_provider.bind import Node, bind
from localaws.pulumi_provider.check import check
from localaws.pulumi_provider.convert import request
from localaws.pulumi_provider.schema import Form, Properties, ResourceType
from localaws.pulumi_provider.table import TABLE
from localaws.pulumi_provider.values import UNKNOWN
from tests.unit.pulumi_provider.stub import row

ROWS = pytest.mark.parametrize("entry", TABLE.values(), ids=[token.rpartition(":")[2] for token in TABLE])
DEPTH = 12  # deeper than any type's inputs
ROLE = "arn:aws:iam::123456789012:role/worker"
ALARM = {"name": "a", "actionsEnabled": True, "treatMissingData": "missing"}


def faults(name: str, properties: Properties) -> dict[str, str]:
    found: dict[str, str] = {}
    for fault in check(row(name), properties):
        found[fault.path] = f"{found.get(fault.path, '')}{fault.reason}\n"
    return found


def wrapped(node: Node, inner: Any) -> Any:
    """A value for the node with one unwanted member in its innermost structure; None if it has no structure."""
    if node.form is Form.LIST_OF_ONE:
        return [inner]
    if node.form is Form.ONE_OF_LIST:
        return inner
    if node.element is not None:
        below = wrapped(node.element, inner)
        if below is None:
            return None
        return {"key": below} if node.shape.type_name == "map" else [below]
    return inner if node.shape.type_name == "structure" else None


def structures(entry: ResourceType) -> list[tuple[str, Properties]]:
    """For each structure that the inputs have at any depth: its path, and inputs with an unknown member in it."""
    found: list[tuple[str, Properties]] = []

    def visit(node: Node, path: str, build: Any, depth: int) -> None:
        value = wrapped(node, {"noSuchMember": 1})
        if value is None or node.form is Form.JSON or depth > DEPTH:
            return
        found.append((path, build(value)))
        holder = node if node.members else node.element
        while holder is not None and not holder.members:
            holder = holder.element
        for name, bound in holder.members.items() if holder is not None else ():
            visit(
                bound.node,
                f"{path}.{name}",
                lambda inner, name=name: build(wrapped(node, {name: inner})),
                depth + 1,
            )

    for name, bound in bind(entry).items():
        visit(bound.node, name, lambda inner, name=name: {name: inner}, 1)
    return found


@ROWS
def test_an_unknown_member_is_named_in_every_structure_of_every_type(entry: ResourceType) -> None:
    for path, properties in structures(entry):
        reasons = [fault.reason for fault in check(entry, properties) if fault.path.endswith(".noSuchMember")]
        assert reasons, path
        assert f"{entry.token} has no property 'noSuchMember'" in reasons[0]


@ROWS
def test_an_unknown_input_is_named_for_every_type(entry: ResourceType) -> None:
    found = {fault.path: fault.reason for fault in check(entry, {"noSuchInput": 1})}
    assert f"{entry.token} has no property 'noSuchInput'" in found["noSuchInput"]


@ROWS
def test_inputs_that_are_not_known_yet_pass_for_every_type(entry: ResourceType) -> None:
    inputs = dict.fromkeys(entry.names(), UNKNOWN)
    assert check(entry, inputs) == []


@ROWS
def test_an_unknown_member_of_a_structure_passes_at_every_depth(entry: ResourceType) -> None:
    def unknown(node: Node, depth: int) -> Any:
        if depth > DEPTH or not (node.members or node.element):
            return UNKNOWN
        if node.form is not Form.LIST_OF_ONE and node.element is not None:
            below = unknown(node.element, depth + 1)
            if node.form is Form.ONE_OF_LIST:
                return below
            return {"key": below} if node.shape.type_name == "map" else [below]
        inner = {name: unknown(bound.node, depth + 1) for name, bound in node.members.items()}
        return [inner] if node.form is Form.LIST_OF_ONE else inner

    for name, bound in bind(entry).items():
        found = [fault for fault in check(entry, {name: unknown(bound.node, 0)}) if fault.path.startswith(name)]
        assert [fault for fault in found if "; allowed: " not in fault.reason] == []  # one item may be too few


@pytest.mark.parametrize(
    ("name", "inputs", "path", "words"),
    [
        ("MetricAlarm", {**ALARM, "dimensions": {"": "x"}}, 'dimensions[""]', "has 0 characters; allowed: 1 to 255"),
        ("MetricAlarm", {**ALARM, "dimensions": {"A": ["x"]}}, 'dimensions["A"]', "expected one string"),
        ("MetricAlarm", {**ALARM, "dimensions": {str(i): "x" for i in range(31)}}, "dimensions", "has 31 entries"),
        ("MetricAlarm", {**ALARM, "period": 0}, "period", "0 is out of range"),
        ("MetricAlarm", {**ALARM, "statistic": "Summ"}, "statistic", "did you mean 'Sum'?"),
        ("MetricAlarm", {**ALARM, "alarmActions": [None]}, "alarmActions[0]", "expected one string, got None"),
        (
            "MetricAlarm",
            {**ALARM, "metricQueries": [{"id": "e", "metric": {"stat": "Sum"}}]},
            "metricQueries[0].metric.period",
            "requires 'period'",
        ),
        ("TrainingJob", {"environment": {"1": "x"}}, 'environment["1"]', "does not match the API's pattern"),
        ("TrainingJob", {"trainingJobName": "j", "roleArn": ROLE}, "outputDataConfig", "requires 'outputDataConfig'"),
        ("TrainingJob", {"stoppingCondition": {"maxRuntimeInSeconds": "soon"}}, "stoppingCondition.maxRuntimeInSeconds",
         "expected a number (integer), got 'soon'"),
        ("TrainingJob", {"retryStrategy": {"maximumRetryAttempts": 31}}, "retryStrategy.maximumRetryAttempts",
         "allowed: 1 to 30"),
        ("HyperParameterTuningJob", {"name": "n" * 33}, "name", "allowed: 1 to 32"),
        ("HyperParameterTuningJob", {"config": {"strategy": "Luck"}}, "config.strategy", "'Luck' is not allowed"),
        ("HyperParameterTuningJob", {"trainingJobDefinition": {"retryStrategies": [{}]}},
         "trainingJobDefinition.retryStrategies[0].maximumRetryAttempts", "requires 'maximumRetryAttempts'"),
        ("Key", {"deletionWindowInDays": 31}, "deletionWindowInDays", "31 is out of range; allowed: 7 to 30"),
        ("Key", {"rotationPeriodInDays": 89}, "rotationPeriodInDays", "allowed: 90 to 2560"),
        ("Key", {"enableKeyRotation": "maybe"}, "enableKeyRotation", "expected true or false"),
        ("Key", {"tags": {"k" * 129: "v"}}, f"tags.{'k' * 129}", "has 129 characters"),
        ("Key", {"tags": {"k": "v" * 257}}, "tags.k", "has 257 characters"),
        ("Alias", {"name": "data"}, "name", "'data' does not match alias/.+"),
        ("Bucket", {"forceDestroy": "yes"}, "forceDestroy", "expected true or false"),
        ("Topic", {"signatureVersion": "two"}, "signatureVersion", "expected a number (integer)"),
        ("TopicSubscription", {"rawMessageDelivery": 2}, "rawMessageDelivery", "expected true or false"),
        ("ScheduledAction", {"startTime": "tomorrow"}, "startTime", "expected a time such as 2026-11-21T14:00:00Z"),
        ("SecurityGroupIngressRule", {"fromPort": "https"}, "fromPort", "expected a number (integer)"),
        ("SecurityGroup", {"ingress": []}, "ingress", "does not support it"),
        ("Role", {"tags": ["a"]}, "tags", "expected a map of strings"),
    ],
)  # fmt: skip
def test_the_api_models_rules_hold_in_lists_maps_tags_and_texts(
    name: str, inputs: Properties, path: str, words: str
) -> None:
    assert words in faults(name, inputs)[path]


def test_an_empty_list_of_one_is_not_sent() -> None:
    variant = {"variantName": "v", "routingConfigs": []}
    assert request(row("EndpointConfiguration"), {"name": "c", "productionVariants": [variant]}) == {
        "EndpointConfigName": "c",
        "ProductionVariants": [{"VariantName": "v"}],
    }


def test_a_name_that_could_not_be_generated_is_reported_once() -> None:
    assert "name" not in faults("Endpoint", {"endpointConfigName": "c"})


def test_the_value_of_an_environment_variable_is_not_shown() -> None:
    container = {"image": "i", "environment": {"TOKEN": "hunter2" * 200}}
    found = faults("Model", {"name": "m", "primaryContainer": container})
    assert "has 1400 characters" in found['primaryContainer.environment["TOKEN"]']
    assert "hunter2" not in str(found)
