"""Application Auto Scaling: moto's records, with AWS's errors and the effects of registering a target.

Policies are stored; nothing acts on metrics yet.
"""

from collections.abc import Mapping
from typing import Any

from localaws.cloud import Call, Handler, Store, arn, backend
from localaws.errors import AwsError
from localaws.sagemaker.state import SageMaker

SERVICE = "application-autoscaling"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


class TargetTags(Store):
    """Tags of scalable targets by ARN; moto keeps none."""

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, str]] = {}


def _backend(region: str) -> Any:
    return backend(SERVICE, region)


def _target(call: Call) -> Any:
    request = call.request
    return _backend(call.region).targets.get(request["ScalableDimension"], {}).get(request["ResourceId"])


def _missing(call: Call, what: str) -> AwsError:
    request = call.request
    name = f", policy name: {request['PolicyName']}" if "PolicyName" in request else ""
    return AwsError(
        "ObjectNotFoundException",
        f"No {what} found for service namespace: {request['ServiceNamespace']}, "
        f"resource ID: {request['ResourceId']}, scalable dimension: {request['ScalableDimension']}{name}",
    )


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def register_scalable_target(call: Call) -> Mapping[str, Any]:
    """checks the endpoint's variant and brings its count into [min, max]"""
    request, old = call.request, _target(call)
    low = request.get("MinCapacity", old.min_capacity if old else None)
    high = request.get("MaxCapacity", old.max_capacity if old else None)
    if low is None or high is None:
        raise _invalid("MinCapacity and MaxCapacity are required to register a new scalable target.")
    if low > high:
        raise _invalid("Maximum capacity cannot be less than minimum capacity")
    if request["ServiceNamespace"] == "sagemaker" and request["ScalableDimension"] == DIMENSION:
        _clamp(call, low, high)
    target = _backend(call.region).register_scalable_target(
        request["ServiceNamespace"],
        request["ResourceId"],
        request["ScalableDimension"],
        min_capacity=low,
        max_capacity=high,
        role_arn=request.get("RoleARN") or _service_role(call),
        suspended_state=request.get("SuspendedState", old.suspended_state if old else None),
    )
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
        raise _invalid(f"ResourceId is {call.request['ResourceId']!r}; it must be endpoint/<name>/variant/<variant>.")
    records = call.cloud.store(call.region, SageMaker)
    with records.lock:
        deployment = records.endpoints.get(words[1])
        fleet = deployment.fleet if deployment else None
        if deployment is None or fleet is None or words[3] not in fleet.counts:
            raise _invalid(f"SageMaker endpoint variant doesn't exist: {call.request['ResourceId']}")
        if deployment.record["EndpointStatus"] != "InService":
            raise _invalid(f"SageMaker endpoint is not in service: {words[1]}")
        count = fleet.counts[words[3]]
        if not low <= count <= high:
            deployment.scale({words[3]: min(max(count, low), high)}, {})


def deregister_scalable_target(call: Call) -> None:
    """its policies and scheduled actions go too"""
    if _target(call) is None:
        raise _missing(call, "scalable target")
    _deregister(call.region, call.request["ScalableDimension"], call.request["ResourceId"])


def _deregister(region: str, dimension: str, resource: str) -> None:
    found = _backend(region)
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
    targets = _backend(region).targets
    for dimension, resources in targets.items():
        for resource in [name for name in resources if name.startswith(f"endpoint/{endpoint}/variant/")]:
            _deregister(region, dimension, resource)


def delete_scaling_policy(call: Call) -> None:
    request, found = call.request, _backend(call.region)
    wanted = (request["ResourceId"], request["ScalableDimension"], request["PolicyName"])
    for key, policy in list(found.policies.items()):
        if (policy.resource_id, policy.scalable_dimension, policy.policy_name) == wanted:
            del found.policies[key]
            return
    raise _missing(call, "scaling policy")


def _tags(call: Call) -> dict[str, str]:
    resource = call.request["ResourceARN"]
    targets = _backend(call.region).targets
    if not any(target.arn == resource for resources in targets.values() for target in resources.values()):
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
    "DeleteScalingPolicy": delete_scaling_policy,
    "DeregisterScalableTarget": deregister_scalable_target,
    "ListTagsForResource": list_tags_for_resource,
    "RegisterScalableTarget": register_scalable_target,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
