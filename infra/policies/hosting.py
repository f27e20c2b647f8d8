"""Rules for models, endpoints and their scaling."""

import re
from collections.abc import Iterator

from infra.policies.kinds import kind_of, limit, limit_schema
from infra.policies.rule import (
    ADVISORY,
    Problems,
    Resource,
    StackProblem,
    listed,
    read,
    resource_rule,
    stack_rule,
    token,
)

MODEL = token("sagemaker", "Model")
ENDPOINT_CONFIGURATION = token("sagemaker", "EndpointConfiguration")
ENDPOINT = token("sagemaker", "Endpoint")
TARGET = token("appautoscaling", "Target")
SCHEDULED_ACTION = token("appautoscaling", "ScheduledAction")
AUTO_SUFFIX = r"-[0-9a-f]{7}"
IN_STEPS = ("CANARY", "LINEAR")


@resource_rule(
    "no-fixed-names", "Models and endpoint configurations are named by Pulumi.", MODEL, ENDPOINT_CONFIGURATION
)
def no_fixed_names(one: Resource) -> Problems:
    # An auto-name has been filled in before a rule sees it.
    name = one.get("name")
    if name and not re.fullmatch(re.escape(one.name) + AUTO_SUFFIX, name):
        yield (
            f"its name is fixed to {name}: a change would replace it under the endpoint, which moves only to a "
            "configuration of another name (terraform-provider-aws#21811); leave name out"
        )


@resource_rule("variant-names-instance", "A variant's name tells its instance type.", ENDPOINT_CONFIGURATION)
def variant_names_instance(one: Resource) -> Problems:
    for variant in listed(one.get("productionVariants")):
        instance_type, name = variant.get("instanceType"), variant.get("variantName") or ""
        if instance_type:
            wanted = instance_type.removeprefix("ml.").replace(".", "-")
            if wanted not in name:
                yield (
                    f"variant {name!r} runs on {instance_type}; its name must contain {wanted!r}, because SageMaker "
                    "refuses another type for a variant that scales"
                )


@stack_rule(
    "initial-count",
    "A variant starts with no fewer instances than it scales to.",
    ENDPOINT_CONFIGURATION,
    TARGET,
    level=ADVISORY,  # after the minimum was raised it is so until the next configuration, and scaling has seen to it
)
def initial_count(resources: list[Resource]) -> Iterator[StackProblem]:
    # An update resets the count to the initial one (terraform-provider-aws#48990).
    minimum = {}
    for target in resources:
        if target.type == TARGET and target.get("serviceNamespace") == "sagemaker":
            minimum[target.get("resourceId").rpartition("/variant/")[2]] = target.get("minCapacity")
    for config in [one for one in resources if one.type == ENDPOINT_CONFIGURATION]:
        for variant in listed(config.get("productionVariants")):
            name, count = variant.get("variantName"), variant.get("initialInstanceCount")
            if count is not None and name in minimum and count < minimum[name]:
                message = (
                    f"variant {name} starts with {count:g} instance(s) and scales from {minimum[name]:g}; an update "
                    "would drop to the first. Give initial_instance_count slipway:serving.instances.min"
                )
                yield StackProblem(resource=config, message=message)


@resource_rule(
    "scaling-ceiling",
    "An endpoint scales to no more instances than the stack's kind allows.",
    TARGET,
    SCHEDULED_ACTION,
    ENDPOINT_CONFIGURATION,
    schema=limit_schema("endpoint_instances", "instances that one variant may have"),
)
def scaling_ceiling(one: Resource) -> Problems:
    ceiling = limit(one, "endpoint_instances")
    for count in _most(one):
        if count > ceiling:
            yield (
                f"up to {count:g} instances; allowed in {kind_of(one)}: {ceiling}. Set slipway:serving.instances.max, "
                "or raise endpoint_instances of scaling-ceiling in the pack's configuration"
            )


def _most(one: Resource) -> list[float]:
    if one.type == ENDPOINT_CONFIGURATION:
        return [variant.get("initialInstanceCount") or 0 for variant in listed(one.get("productionVariants"))]
    if one.get("serviceNamespace") != "sagemaker" or "DesiredInstanceCount" not in (one.get("scalableDimension") or ""):
        return []
    path = ("scalableTargetAction", "maxCapacity") if one.type == SCHEDULED_ACTION else ("maxCapacity",)
    return [one.get(*path) or 0]


@resource_rule("rollback-alarms", "In prod an endpoint that moves in steps rolls back by alarms.", ENDPOINT)
def rollback_alarms(endpoint: Resource) -> Problems:
    deployment = endpoint.get("deploymentConfig") or {}
    routing = read(deployment, "blueGreenUpdatePolicy", "trafficRoutingConfiguration", "type")
    strategy = "ROLLING" if deployment.get("rollingUpdatePolicy") else routing
    stepwise = strategy == "ROLLING" or strategy in IN_STEPS
    if kind_of(endpoint) == "prod" and stepwise and not read(deployment, "autoRollbackConfiguration", "alarms"):
        yield (
            f"the deployment is {strategy} and no alarm watches its steps; "
            "set slipway:monitoring.alarms and slipway:serving.deployment.rollback to true"
        )


RULES = (
    no_fixed_names,
    variant_names_instance,
    initial_count,
    scaling_ceiling,
    rollback_alarms,
)
