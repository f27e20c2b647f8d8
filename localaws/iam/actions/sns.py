"""SNS: a topic's ARN ends in its name."""

from localaws.iam.rules import ANY, Rule, Service, on

TOPIC = "{TopicArn}"

SERVICE = Service(
    client="sns",
    prefix="sns",
    denied="AuthorizationError",
    rules={
        "CreateTopic": Rule(resources=("{Name}",), tags="Tags", tag_action="TagResource"),
        **on(TOPIC, "DeleteTopic", "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission"),
        **on(TOPIC, "ListSubscriptionsByTopic", "ConfirmSubscription"),
        "Publish": Rule(resources=(TOPIC,)),
        "Subscribe": Rule(resources=(TOPIC,), conditions={"sns:Endpoint": "Endpoint", "sns:Protocol": "Protocol"}),
        "TagResource": Rule(resources=("{ResourceArn}",), tags="Tags"),
        "UntagResource": Rule(resources=("{ResourceArn}",), conditions={"aws:TagKeys": "TagKeys[]"}),
        **on("{ResourceArn}", "ListTagsForResource"),
        **on(ANY, "ListTopics", "ListSubscriptions", "Unsubscribe"),
        **on(ANY, "GetSubscriptionAttributes", "SetSubscriptionAttributes"),
    },
)
