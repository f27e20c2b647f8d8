"""An endpoint's scaling, written down and put back: targets with their bounds, policies and scheduled actions.

Application Auto Scaling forgets all of it when the endpoint goes. A policy that is made again has another ARN, so
alarms of the stack that call a policy (the one that wakes a sleeping endpoint) are pointed to the new one.
"""

from collections.abc import Mapping
from typing import Any

from .events import epoch

NAMESPACE = "sagemaker"
OF_TARGET = ("ServiceNamespace", "ResourceId", "ScalableDimension")
TARGET = (*OF_TARGET, "MinCapacity", "MaxCapacity", "SuspendedState")
POLICY = (
    *OF_TARGET,
    "PolicyName",
    "PolicyType",
    "StepScalingPolicyConfiguration",
    "TargetTrackingScalingPolicyConfiguration",
)
SCHEDULED = (*OF_TARGET, "ScheduledActionName", "Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")
ALARM = (
    *("AlarmName", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions"),
    *("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit", "Metrics"),
    *("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData"),
)
CALLED = "StepScaling"
"""The type of policy that an alarm of the stack's own calls."""
Record = dict[str, Any]


def record(scaling: Any, resources: list[str]) -> list[Record]:
    """One record for each scalable target of these resources."""
    found: list[Record] = []
    if not resources:
        return found
    listed = scaling.describe_scalable_targets(ServiceNamespace=NAMESPACE, ResourceIds=resources)
    for target in listed["ScalableTargets"]:
        of_target = {name: target[name] for name in OF_TARGET}
        policies = scaling.describe_scaling_policies(**of_target)["ScalingPolicies"]
        scheduled = scaling.describe_scheduled_actions(**of_target)["ScheduledActions"]
        found.append(
            {
                "target": _only(target, TARGET),
                "tags": scaling.list_tags_for_resource(ResourceARN=target["ScalableTargetARN"])["Tags"],
                "policies": [{"arn": one["PolicyARN"], **_only(one, POLICY)} for one in policies],
                "scheduled": [_only(one, SCHEDULED) for one in scheduled],
            }
        )
    return found


def put_back(scaling: Any, cloudwatch: Any, prefix: str, one: Record, now: float) -> None:
    """Register what `record` wrote down. Again: nothing changes."""
    target = one["target"]
    known = scaling.describe_scalable_targets(ServiceNamespace=NAMESPACE, ResourceIds=[target["ResourceId"]])
    there = [found for found in known["ScalableTargets"] if found["ScalableDimension"] == target["ScalableDimension"]]
    tags = {} if there or not one["tags"] else {"Tags": one["tags"]}  # they are taken of a new target only
    scaling.register_scalable_target(**target, **tags)
    moved = {}
    for policy in one["policies"]:
        made = scaling.put_scaling_policy(**_only(policy, POLICY))
        if policy["PolicyType"] == CALLED and policy["arn"] != made["PolicyARN"]:
            moved[policy["arn"]] = made["PolicyARN"]
    for action in one["scheduled"]:
        if not _is_past(action["Schedule"], now):
            scaling.put_scheduled_action(**action)
    if moved:
        _point_alarms(cloudwatch, prefix, moved)


def _point_alarms(cloudwatch: Any, prefix: str, moved: Mapping[str, str]) -> None:
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{prefix}-alarm-")
    for alarm in (alarm for page in pages for alarm in page["MetricAlarms"]):
        actions = [moved.get(action, action) for action in alarm["AlarmActions"]]
        if actions != alarm["AlarmActions"]:
            cloudwatch.put_metric_alarm(**_only(alarm, ALARM) | {"AlarmActions": actions})


def _is_past(schedule: str, now: float) -> bool:
    return schedule.startswith("at(") and epoch(schedule[3:-1]) <= now


def _only(found: Mapping[str, Any], names: tuple[str, ...]) -> Record:
    return {name: found[name] for name in names if found.get(name) is not None}
