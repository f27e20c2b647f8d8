"""Application Auto Scaling: moto's records, with AWS's errors and the effects of registering a target.

Target tracking acts (scaling.py), and so do scheduled actions (scheduled_actions.py); step scaling is stored.
"""

from collections.abc import Mapping
from typing import Any

from localaws import minutes, quotas, scheduled_actions
from localaws import scalable_targets as targets
from localaws.cloud import Call, Handler, Store, arn
from localaws.errors import AwsError
from localaws.sagemaker.state import SageMaker
from localaws.scalable_dimensions import INSTANCES, OF_VARIANTS
from localaws.scaling import describe_scaling_activities


class TargetTags(Store):
    """Tags of scalable targets by ARN; moto keeps none."""

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, str]] = {}


def register_scalable_target(call: Call) -> Mapping[str, Any]:
    """checks the endpoint's variant and brings its count into [min, max]"""
    request, old = call.request, targets.target(call)
    low = request.get("MinCapacity", old.min_capacity if old else None)
    high = request.get("MaxCapacity", old.max_capacity if old else None)
    if low is None or high is None:
        raise targets.invalid("MinCapacity and MaxCapacity are required to register a new scalable target.")
    if low > high:
        raise targets.invalid("Maximum capacity cannot be less than minimum capacity")
    if request["ServiceNamespace"] == "sagemaker" and request["ScalableDimension"] in OF_VARIANTS:
        _clamp(call, low, high)
    target = targets.backend(call.region).register_scalable_target(
        request["ServiceNamespace"],
        request["ResourceId"],
        request["ScalableDimension"],
        min_capacity=low,
        max_capacity=high,
        role_arn=request.get("RoleARN") or _service_role(call),
        suspended_state=request.get("SuspendedState", old.suspended_state if old else None),
    )
    minutes.watch(call.cloud)
    if request.get("Tags"):
        call.cloud.store(call.region, TargetTags).tags[target.arn] = dict(request["Tags"])
    return {"ScalableTargetARN": target.arn}


def _service_role(call: Call) -> str:
    name = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    role = f"role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/{name}"
    return arn("iam", "", role) if call.request["ServiceNamespace"] == "sagemaker" else ""


def _clamp(call: Call, low: int, high: int) -> None:
    words = call.request["ResourceId"].split("/")
    if len(words) != 4 or words[0] != "endpoint" or words[2] != "variant":
        raise targets.invalid(
            f"ResourceId is {call.request['ResourceId']!r}; it must be endpoint/<name>/variant/<variant>."
        )
    records = call.cloud.store(call.region, SageMaker)
    with records.lock:
        deployment = records.endpoints.get(words[1])
        fleet = deployment.fleet if deployment else None
        if deployment is None or fleet is None or words[3] not in fleet.counts:
            raise targets.invalid(f"SageMaker endpoint variant doesn't exist: {call.request['ResourceId']}")
        if deployment.record["EndpointStatus"] != "InService":
            raise targets.invalid(f"SageMaker endpoint is not in service: {words[1]}")
        if low == 0 and not fleet.asynchronous:
            raise targets.invalid("MinCapacity must be at least 1 for a variant of a real-time endpoint.")
        count = fleet.counts[words[3]]
        within = {words[3]: min(max(count, low), high)}
        if within[words[3]] != count and not quotas.refusal(call.cloud, records, fleet, within):
            deployment.scale(within, {})


def deregister_scalable_target(call: Call) -> None:
    """its policies and scheduled actions go too"""
    if targets.target(call) is None:
        raise targets.missing(call, "scalable target")
    _deregister(call.region, call.request["ScalableDimension"], call.request["ResourceId"])


def _deregister(region: str, dimension: str, resource: str) -> None:
    found = targets.backend(region)
    del found.targets[dimension][resource]
    doomed = [key for key, policy in found.policies.items() if policy.resource_id == resource]
    for key in doomed:
        if found.policies[key].scalable_dimension == dimension:
            del found.policies[key]
    found.scheduled_actions = [
        action
        for action in found.scheduled_actions
        if (action.resource_id, action.scalable_dimension) != (resource, dimension)
    ]


def deregister_endpoint(region: str, endpoint: str) -> None:
    """DeleteEndpoint takes the endpoint's scalable targets along."""
    for dimension, resources in targets.backend(region).targets.items():
        for resource in [name for name in resources if name.startswith(f"endpoint/{endpoint}/variant/")]:
            _deregister(region, dimension, resource)


def deregister_variant(region: str, endpoint: str, variant: str) -> None:
    """An update that removes a variant takes its scalable target along."""
    resource = f"endpoint/{endpoint}/variant/{variant}"
    for dimension in OF_VARIANTS:
        if resource in targets.backend(region).targets.get(dimension, {}):
            _deregister(region, dimension, resource)


def is_target(region: str, endpoint: str, variant: str) -> bool:
    """Whether the variant's instance count is a registered scalable target."""
    return f"endpoint/{endpoint}/variant/{variant}" in targets.backend(region).targets.get(INSTANCES, {})


def delete_scaling_policy(call: Call) -> None:
    request, found = call.request, targets.backend(call.region)
    wanted = (request["ResourceId"], request["ScalableDimension"], request["PolicyName"])
    for key, policy in list(found.policies.items()):
        if (policy.resource_id, policy.scalable_dimension, policy.policy_name) == wanted:
            del found.policies[key]
            return
    raise targets.missing(call, "scaling policy")


def _tags(call: Call) -> dict[str, str]:
    resource = call.request["ResourceARN"]
    registered = targets.backend(call.region).targets.values()
    if not any(target.arn == resource for resources in registered for target in resources.values()):
        text = f"The specified resource doesn't exist. {resource}"
        raise AwsError("ResourceNotFoundException", text, ResourceName=resource)
    return call.cloud.store(call.region, TargetTags).tags.setdefault(resource, {})


def list_tags_for_resource(call: Call) -> Mapping[str, Any]:
    return {"Tags": _tags(call)}


def tag_resource(call: Call) -> None:
    _tags(call).update(call.request["Tags"])


def untag_resource(call: Call) -> None:
    tags = _tags(call)
    for key in call.request["TagKeys"]:
        tags.pop(key, None)


OPERATIONS: dict[str, Handler] = {
    **scheduled_actions.OPERATIONS,
    "DeleteScalingPolicy": delete_scaling_policy,
    "DeregisterScalableTarget": deregister_scalable_target,
    "DescribeScalingActivities": describe_scaling_activities,
    "ListTagsForResource": list_tags_for_resource,
    "RegisterScalableTarget": register_scalable_target,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
