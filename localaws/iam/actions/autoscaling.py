"""Application Auto Scaling. A target's ARN ends in an id that no call carries, so policies name `scalable-target/*`."""

from localaws.iam.rules import ANY, Rule, Service, on

PREFIX = "application-autoscaling"
TARGET = "scalable-target/*"
_CONDITIONS = {
    f"{PREFIX}:service-namespace": "ServiceNamespace",
    f"{PREFIX}:scalable-dimension": "ScalableDimension",
}
_CHANGE = Rule(resources=(TARGET,), conditions=_CONDITIONS)

SERVICE = Service(
    client=PREFIX,
    prefix=PREFIX,
    rules={
        "RegisterScalableTarget": Rule(
            resources=(TARGET,), tags="Tags", tag_action="TagResource", conditions=_CONDITIONS
        ),
        "DeregisterScalableTarget": _CHANGE,
        "PutScalingPolicy": _CHANGE,
        "DeleteScalingPolicy": _CHANGE,
        "PutScheduledAction": _CHANGE,
        "DeleteScheduledAction": _CHANGE,
        "TagResource": Rule(resources=("scalable-target/{ResourceARN}",), tags="Tags"),
        "UntagResource": Rule(resources=("scalable-target/{ResourceARN}",), conditions={"aws:TagKeys": "TagKeys[]"}),
        **on("scalable-target/{ResourceARN}", "ListTagsForResource"),
        **on(ANY, "DescribeScalableTargets", "DescribeScalingPolicies", "DescribeScalingActivities"),
        **on(ANY, "DescribeScheduledActions"),
    },
)
