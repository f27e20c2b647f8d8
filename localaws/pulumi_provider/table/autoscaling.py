"""Application Auto Scaling: what may scale, and by which rule."""

from __future__ import annotations

from localaws.pulumi_provider.schema import AutoName, Input, Read, ResourceType, TagStyle, each

# moto answers ValidationException where AWS documents ObjectNotFoundException.
GONE = ("ObjectNotFoundException", "ValidationException:No scalable target", "ValidationException:No scaling policy")
_IDENTITY = (
    r"(?P<serviceNamespace>[^/]+)/(?P<resourceId>.+)/(?P<scalableDimension>[a-z0-9-]+:[a-zA-Z0-9-]+:[a-zA-Z0-9]+)"
)
_IDENTIFYING = each(Input(required=True, replaces=True), "resourceId", "scalableDimension", "serviceNamespace")
_KEY = {
    "ServiceNamespace": "serviceNamespace",
    "ResourceId": "resourceId",
    "ScalableDimension": "scalableDimension",
}

TARGET = ResourceType(
    token="aws:appautoscaling/target:Target",
    service="application-autoscaling",
    create="RegisterScalableTarget",
    read=Read(
        operation="DescribeScalableTargets",
        result="ScalableTargets[0]",
        key={
            "ServiceNamespace": "serviceNamespace",
            "ResourceIds": "resourceId",
            "ScalableDimension": "scalableDimension",
        },
    ),
    delete="DeregisterScalableTarget",
    key=_KEY,
    list_keys=("ResourceIds",),
    id="{resourceId}",
    import_id=_IDENTITY,
    inputs={
        **_IDENTIFYING,
        **each(Input(required=True), "maxCapacity", "minCapacity"),
        "roleArn": Input(api="RoleARN"),
        "suspendedState": Input(),
    },
    outputs={"arn": "ScalableTargetARN"},
    upsert=True,
    tags=TagStyle(
        key={"ResourceARN": "arn"},
        create="Tags",
        add="TagResource",
        remove="UntagResource",
        pairs=None,
        list="ListTagsForResource",
    ),
    gone=GONE,
)

POLICY = ResourceType(
    token="aws:appautoscaling/policy:Policy",
    service="application-autoscaling",
    create="PutScalingPolicy",
    read=Read(
        operation="DescribeScalingPolicies",
        result="ScalingPolicies[?PolicyName=='{name}'] | [0]",
        key=_KEY,
    ),
    delete="DeleteScalingPolicy",
    key={**_KEY, "PolicyName": "name"},
    id="{name}",
    import_id=_IDENTITY + r"/(?P<name>.+)",
    inputs={
        **_IDENTIFYING,
        "name": Input(api="PolicyName", replaces=True),
        # The API's own default, too; without it nobody would see which of the two configurations counts.
        "policyType": Input(default="StepScaling"),
        **each(Input(), "stepScalingPolicyConfiguration", "targetTrackingScalingPolicyConfiguration"),
    },
    outputs={"alarmArns": "Alarms[].AlarmARN", "arn": "PolicyARN"},
    upsert=True,
    auto_name=AutoName(limit=256),
    gone=GONE,
    refused=("predictiveScalingPolicyConfiguration",),
)

SCHEDULED_ACTION = ResourceType(
    token="aws:appautoscaling/scheduledAction:ScheduledAction",
    service="application-autoscaling",
    create="PutScheduledAction",
    read=Read(
        operation="DescribeScheduledActions",
        result="ScheduledActions[?ScheduledActionName=='{name}'] | [0]",
        key=_KEY,
    ),
    delete="DeleteScheduledAction",
    key={**_KEY, "ScheduledActionName": "name"},
    id="{name}-{serviceNamespace}-{resourceId}",
    import_id=_IDENTITY + r"/(?P<name>.+)",
    inputs={
        **_IDENTIFYING,
        "name": Input(api="ScheduledActionName", replaces=True),
        **each(Input(required=True), "scalableTargetAction", "schedule"),
        "timezone": Input(default="UTC"),
        **each(Input(), "endTime", "startTime"),
    },
    outputs={"arn": "ScheduledActionARN"},
    upsert=True,
    auto_name=AutoName(limit=256),
    gone=(*GONE, "ValidationException:No scheduled action"),
)

ROWS = (TARGET, POLICY, SCHEDULED_ACTION)
