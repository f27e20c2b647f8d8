"""CloudWatch Logs. AWS writes a log group that is meant as a whole as `log-group:NAME:log-stream:`."""

from localaws.iam.rules import ANY, Parameters, Rule, Service, on

GROUP = "log-group:{logGroupName}:log-stream:"
STREAM = "log-group:{logGroupName}:log-stream:{logStreamName}"
TAGGED = "log-group:{resourceArn}"


def _normalise(parameters: Parameters, region: str) -> Parameters:
    """A group may be given by its name or its ARN."""
    given = parameters.get("logGroupName") or parameters.get("logGroupIdentifier")
    return {**parameters, "logGroupName": given.split("log-group:")[-1].removesuffix(":*")} if given else parameters


SERVICE = Service(
    client="logs",
    prefix="logs",
    normalise=_normalise,
    rules={
        "CreateLogGroup": Rule(resources=(GROUP,), tags="tags", tag_action="TagResource"),
        **on(GROUP, "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy"),
        **on(GROUP, "AssociateKmsKey", "DisassociateKmsKey", "DescribeLogStreams", "FilterLogEvents"),
        **on(GROUP, "ListTagsLogGroup", "DescribeMetricFilters", "DescribeSubscriptionFilters"),
        **on(GROUP, "PutMetricFilter", "DeleteMetricFilter"),
        **on(STREAM, "CreateLogStream", "DeleteLogStream", "GetLogEvents", "PutLogEvents"),
        "TagResource": Rule(resources=(TAGGED,), tags="tags"),
        "UntagResource": Rule(resources=(TAGGED,), conditions={"aws:TagKeys": "tagKeys[]"}),
        **on(TAGGED, "ListTagsForResource"),
        **on("log-group:{logGroupNames[]}:log-stream:", "StartQuery"),
        **on(ANY, "DescribeLogGroups", "DescribeResourcePolicies"),
    },
)
