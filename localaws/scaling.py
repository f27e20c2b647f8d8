"""Target tracking acts: endpoint variants follow their metric, minute by minute of the clock, within their bounds.

As Application Auto Scaling does it: out when the metric is above the target for 3 minutes, in when it is below 90 % of
the target for 15 minutes; cooldowns of 300 s unless the policy says otherwise; nothing while the endpoint changes.
Step scaling and the 10-second metrics are stored only; scheduled actions have a file of their own.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from localaws import quotas
from localaws.alarms.series import Index, Metric, dimensions
from localaws.cloud import Call, Cloud, Store, backend
from localaws.paging import page
from localaws.sagemaker.invocations import NAMESPACE
from localaws.sagemaker.state import SageMaker
from localaws.scalable_dimensions import INSTANCES

SERVICE = "application-autoscaling"
PERIOD_SECONDS = 60
OUT_PERIODS = 3
IN_PERIODS = 15
IN_SHARE = 0.9
COOLDOWN_SECONDS = 300
DEFAULT_RESULTS = 50


class Scaling(Store):
    """One region: what was done, and when each target last went out or in (cloud time)."""

    def __init__(self) -> None:
        self.activities: list[dict[str, Any]] = []
        self.judged = 0.0
        self.last: dict[tuple[str, str], float] = {}


def act(cloud: Cloud, region: str) -> None:
    """Judge the policies once a minute. The largest count that a policy asks for wins."""
    scaling = cloud.store(region, Scaling)
    tick = cloud.clock.now() // PERIOD_SECONDS * PERIOD_SECONDS
    if tick <= scaling.judged:
        return
    scaling.judged = tick
    records = backend(SERVICE, region)
    for resource, target in list(records.targets.get(INSTANCES, {}).items()):
        policies = [
            policy
            for policy in list(records.policies.values())
            if (policy.resource_id, policy.scalable_dimension) == (resource, INSTANCES)
            and policy.target_tracking_scaling_policy_configuration
        ]
        if policies:
            _judge(cloud, region, scaling, target, policies, tick)


def _judge(cloud: Cloud, region: str, scaling: Scaling, target: Any, policies: Sequence[Any], tick: float) -> None:
    _, endpoint, _, variant = target.resource_id.split("/")
    records = cloud.store(region, SageMaker)
    with records.lock:
        deployment = records.endpoints.get(endpoint)
        fleet = deployment.fleet if deployment else None
        if deployment is None or fleet is None or deployment.record["EndpointStatus"] != "InService":
            return
        count = fleet.counts[variant]
        wishes = [(_wish(cloud, region, target, policy, count, tick), policy) for policy in policies]
        wanted, policy = max(wishes, key=lambda wish: wish[0])
        wanted = min(max(wanted, target.min_capacity), target.max_capacity)
        suspended = target.suspended_state or {}
        way = "Out" if wanted > count else "In"
        if wanted == count or suspended.get(f"DynamicScaling{way}Suspended"):
            return
        config = policy.target_tracking_scaling_policy_configuration
        rest = config.get(f"Scale{way}Cooldown", COOLDOWN_SECONDS)
        if tick < scaling.last.get((target.resource_id, way), float("-inf")) + rest:
            return
        scaling.last[target.resource_id, way] = tick
        refusal = quotas.refusal(cloud, records, fleet, {variant: wanted})
        if not refusal:
            deployment.scale({variant: wanted}, {})
    outcome = _failed(wanted, refusal) if refusal else {}
    scaling.activities.insert(0, _activity(target, policy, way, wanted, tick) | outcome)


def _wish(cloud: Cloud, region: str, target: Any, policy: Any, count: int, tick: float) -> int:
    """The count that the policy asks for; `count` where it is content."""
    config = policy.target_tracking_scaling_policy_configuration
    metric = _metric(config, target.resource_id)
    if metric is None:
        return count
    goal = config["TargetValue"]
    begin = tick - IN_PERIODS * PERIOD_SECONDS
    found = cloud.store(region, Index).values(region, metric, begin, tick)
    values = [found.get(begin + number * PERIOD_SECONDS) for number in range(IN_PERIODS)]
    recent = [value for value in values[-OUT_PERIODS:] if value is not None]
    if len(recent) == OUT_PERIODS and all(value > goal for value in recent):
        return max(math.ceil(count * recent[-1] / goal), count)
    full = [value for value in values if value is not None]
    low = len(full) == IN_PERIODS and all(value < IN_SHARE * goal for value in full)
    if low and not config.get("DisableScaleIn"):
        return min(math.ceil(count * max(full) / goal), count)
    return count


def _metric(config: Mapping[str, Any], resource: str) -> Metric | None:
    """The metric of a policy; None for those that are stored only."""
    predefined = config.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    custom = config.get("CustomizedMetricSpecification", {})
    if predefined == "SageMakerVariantInvocationsPerInstance":
        _, endpoint, _, variant = resource.split("/")
        names = frozenset({("EndpointName", endpoint), ("VariantName", variant)})
        return Metric(
            namespace=NAMESPACE, name="InvocationsPerInstance", dimensions=names, period=PERIOD_SECONDS, stat="Sum"
        )
    if "MetricName" not in custom:
        return None
    return Metric(
        namespace=custom["Namespace"],
        name=custom["MetricName"],
        dimensions=dimensions(custom.get("Dimensions", [])),
        period=PERIOD_SECONDS,
        stat=custom["Statistic"],
        unit=custom.get("Unit"),
    )


def _failed(wanted: int, reason: str) -> dict[str, str]:
    text = f"Failed to set desired instance count to {wanted}. Reason: {reason}"
    return {"StatusCode": "Failed", "StatusMessage": text}


def _activity(target: Any, policy: Any, way: str, wanted: int, tick: float) -> dict[str, Any]:
    level = "AlarmHigh" if way == "Out" else "AlarmLow"
    return {
        "ActivityId": str(uuid4()),
        "ServiceNamespace": target.service_namespace,
        "ResourceId": target.resource_id,
        "ScalableDimension": target.scalable_dimension,
        "Description": f"Setting desired instance count to {wanted}.",
        "Cause": f"monitor alarm TargetTracking-{target.resource_id}-{level} in state ALARM triggered policy "
        f"{policy.policy_name}",
        "StartTime": tick,
        "EndTime": tick,
        "StatusCode": "Successful",
        "StatusMessage": f"Successfully set desired instance count to {wanted}. Change successfully fulfilled by "
        "sagemaker.",
    }


def describe_scaling_activities(call: Call) -> Mapping[str, Any]:
    """what target tracking and scheduled actions have done"""
    request = call.request
    wanted = {
        name: request[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension") if name in request
    }
    activities = list(call.cloud.store(call.region, Scaling).activities)
    found = [item for item in activities if all(item[name] == value for name, value in wanted.items())]
    shown, token = page(found, request.get("NextToken"), request.get("MaxResults", DEFAULT_RESULTS))
    return {"ScalingActivities": shown, "NextToken": token}
