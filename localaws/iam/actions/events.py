"""EventBridge rules on the default bus."""

from localaws.iam.rules import ANY, Rule, Service, on

RULE, OF_RULE = "rule/{Name}", "rule/{Rule}"

SERVICE = Service(
    client="events",
    prefix="events",
    rules={
        "PutRule": Rule(
            resources=(RULE,), passes={"RoleArn": "events.amazonaws.com"}, tags="Tags", tag_action="TagResource"
        ),
        **on(RULE, "DescribeRule", "DeleteRule", "EnableRule", "DisableRule"),
        "PutTargets": Rule(
            resources=(OF_RULE,),
            passes={"Targets[].RoleArn": "events.amazonaws.com"},
            conditions={"events:TargetArn": "Targets[].Arn"},
        ),
        **on(OF_RULE, "RemoveTargets", "ListTargetsByRule"),
        "TagResource": Rule(resources=("rule/{ResourceARN}",), tags="Tags"),
        "UntagResource": Rule(resources=("rule/{ResourceARN}",), conditions={"aws:TagKeys": "TagKeys[]"}),
        **on("rule/{ResourceARN}", "ListTagsForResource"),
        **on(ANY, "ListRules", "ListRuleNamesByTarget"),
    },
)
