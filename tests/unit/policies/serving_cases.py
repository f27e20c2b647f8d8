"""Cases for the rules of infra/policies/hosting.py."""

from typing import Any

from infra.policies.hosting import ENDPOINT, ENDPOINT_CONFIGURATION, MODEL, SCHEDULED_ACTION, TARGET
from tests.unit.policies.judge import Given, bad, good

PLACE = {"serviceNamespace": "sagemaker", "scalableDimension": "sagemaker:variant:DesiredInstanceCount"}
CANARY = {"blueGreenUpdatePolicy": {"trafficRoutingConfiguration": {"type": "CANARY"}}}
ROLLING = {"rollingUpdatePolicy": {"waitIntervalInSeconds": 60}}
ALARMS = {"autoRollbackConfiguration": {"alarms": [{"alarmName": "errors"}]}}


def named(kind: str, name: str) -> Given:
    return Given(type=kind, name="slipway-dev-model", inputs={"name": name})


def config(name: str = "m5-large", instance_type: str | None = "ml.m5.large", count: int = 1) -> Given:
    variant = {"variantName": name, "initialInstanceCount": count}
    variant |= {"instanceType": instance_type} if instance_type else {"serverlessConfig": {"maxConcurrency": 5}}
    return Given(type=ENDPOINT_CONFIGURATION, inputs={"productionVariants": [variant]})


def target(low: int, high: int, variant: str = "m5-large", kind: str = "dev", **place: str) -> Given:
    inputs = {"resourceId": f"endpoint/e/variant/{variant}", "minCapacity": low, "maxCapacity": high}
    return Given(type=TARGET, name="target", inputs={**inputs, **PLACE, **place}, kind=kind)


def scheduled(high: int) -> Given:
    return Given(type=SCHEDULED_ACTION, inputs={"scalableTargetAction": {"maxCapacity": high}, **PLACE})


def endpoint(deployment: dict[str, Any], kind: str = "prod") -> Given:
    return Given(type=ENDPOINT, inputs={"deploymentConfig": deployment}, kind=kind)


CASES = [
    good("no-fixed-names", named(MODEL, "slipway-dev-model-0a1b2c3"), Given(type=ENDPOINT_CONFIGURATION)),
    bad("no-fixed-names", "fixed to current", named(ENDPOINT_CONFIGURATION, "current")),
    bad("no-fixed-names", "leave name out", named(MODEL, "slipway-dev-model")),
    good("variant-names-instance", config(), config("shadow-m5-large"), config("any", instance_type=None)),
    bad("variant-names-instance", "must contain 'm5-large'", config("all-traffic")),
    good("initial-count", config(count=2), target(2, 3)),
    good("initial-count", config(count=1), target(5, 9, variant="other"), target(5, 9, serviceNamespace="ecs")),
    bad("initial-count", "starts with 1 instance(s) and scales from 2", config(count=1), target(2, 3)),
    good("scaling-ceiling", target(1, 4), scheduled(4), config(count=4), target(1, 20, kind="prod")),
    good("scaling-ceiling", target(1, 99, serviceNamespace="ecs"), target(1, 99, scalableDimension="x")),
    good("scaling-ceiling", target(1, 50), config={"endpoint_instances": 50}),
    bad("scaling-ceiling", "up to 5 instances; allowed in dev: 4", target(1, 5)),
    bad("scaling-ceiling", "allowed in pull_request: 2", target(1, 3, kind="pull_request")),
    bad("scaling-ceiling", "up to 5", scheduled(5)),
    bad("scaling-ceiling", "up to 5", config(count=5)),
    good("rollback-alarms", endpoint({**CANARY, **ALARMS}), endpoint({}), endpoint(CANARY, kind="dev")),
    bad("rollback-alarms", "the deployment is CANARY", endpoint(CANARY)),
    bad("rollback-alarms", "the deployment is ROLLING", endpoint(ROLLING)),
]
