"""SNS: e-mail subscriptions wait for a person."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, unique


@pytest.fixture
def topic(aws: Aws) -> str:
    found: str = aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    return found


def listed(aws: Aws, topic: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return found


def test_an_email_subscription_is_pending_until_somebody_confirms_it(aws: Aws, topic: str) -> None:
    sns = aws.client("sns")
    request = {"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"}
    assert sns.subscribe(**request)["SubscriptionArn"] == "pending confirmation"
    arn = sns.subscribe(**request, ReturnSubscriptionArn=True)["SubscriptionArn"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert (attributes["PendingConfirmation"], attributes["SubscriptionArn"]) == ("true", arn)
    assert [item["SubscriptionArn"] for item in listed(aws, topic)] == ["PendingConfirmation"]
    counts = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (counts["SubscriptionsPending"], counts["SubscriptionsConfirmed"]) == ("1", "0")


def test_a_pending_subscription_goes_with_its_topic_only(aws: Aws, topic: str) -> None:
    sns = aws.client("sns")
    request = {"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"}
    arn = sns.subscribe(**request, ReturnSubscriptionArn=True)["SubscriptionArn"]
    with pytest.raises(ClientError, match=r"InvalidParameter.*Cannot unsubscribe .* pending confirmation"):
        sns.unsubscribe(SubscriptionArn=arn)
    sns.delete_topic(TopicArn=topic)
    with pytest.raises(ClientError, match="NotFound"):
        sns.get_subscription_attributes(SubscriptionArn=arn)


def test_an_email_subscription_needs_an_address(aws: Aws, topic: str) -> None:
    with pytest.raises(ClientError, match=r"InvalidParameter.*Email address"):
        aws.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="nobody")


def test_a_queue_is_confirmed_at_once(aws: Aws, topic: str) -> None:
    url = aws.client("sqs").create_queue(QueueName=unique("queue"))["QueueUrl"]
    queue = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    arn = aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    assert [item["SubscriptionArn"] for item in listed(aws, topic)] == [arn]
    aws.client("sns").unsubscribe(SubscriptionArn=arn)
    assert listed(aws, topic) == []
