"""What other services send to functions. moto knows of no Cloud, so the one of this process is kept here.

A service may invoke a function where the function's resource policy (AddPermission) lets it, as in AWS.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localaws.clock import Event
from localaws.cloud import ACCOUNT, Cloud
from localaws.errors import AwsError
from localaws.functions import events, runner
from localaws.iam import policies
from localaws.iam.evaluator import Policies, evaluate
from localaws.iam.patterns import PolicyError
from localaws.iam.principals import Principal
from localaws.iam.statements import Ask

_clouds: list[Cloud] = []


def connect(cloud: Cloud) -> None:
    """moto's state is one a process, and so is its Cloud."""
    _clouds[:] = [cloud]


def forget(function: Any) -> None:
    """moto has deleted a function."""
    for cloud in _clouds:
        runner.forget(cloud, function)


def hand_over(function: Any, event: str) -> None:
    """An event that moto has for a function."""
    for cloud in _clouds:
        events.submit(cloud, function, event, function.function_arn)


def allowed(function_arn: str, service: str, source_arn: str) -> bool:
    """Whether the function's policy lets a service such as "sns.amazonaws.com" invoke it for a resource."""
    context = {
        "aws:sourcearn": (source_arn,),
        "aws:sourceaccount": (ACCOUNT,),
        "aws:principalisawsservice": ("true",),
        "aws:securetransport": ("true",),
    }
    who = Principal(arn=service, kind="Service", account="")
    ask = Ask(action="lambda:InvokeFunction", resource=function_arn, context=context)
    try:
        return evaluate(ask, who, Policies(resource=policies.of_resource(function_arn))).allowed
    except PolicyError:
        return False


def from_sns(subscription: Any, message: str, message_id: str, subject: str | None, attributes: Any) -> Event | None:
    """Hand a notification to the subscribed function. Returns what is set after its first run, None if undelivered."""
    topic, arn = subscription.topic.arn, subscription.endpoint
    for cloud in _clouds:
        try:
            function = runner.find(arn.split(":")[3], arn)
        except AwsError as error:
            _undelivered(topic, error.message)
            continue
        if not allowed(arn, "sns.amazonaws.com", topic):
            text = f"the policy of {arn} does not let sns.amazonaws.com invoke it for {topic}; add a permission"
            _undelivered(topic, text)
            continue
        record = _record(cloud, subscription, message, message_id, subject, attributes)
        return events.submit(cloud, function, json.dumps({"Records": [record]}), arn)[1]
    return None


def _undelivered(topic: str, reason: str) -> None:
    print(f"localaws: {topic} could not deliver a message: {reason}", file=sys.stderr)


def _record(
    cloud: Cloud,
    subscription: Any,
    message: str,
    message_id: str,
    subject: str | None,
    attributes: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """One notification in the form that functions get; it is not signed."""
    now = datetime.fromtimestamp(cloud.clock.now(), UTC)
    region = subscription.topic.arn.split(":")[3]
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": subscription.topic.arn,
            "Subject": subject,
            "Message": message,
            "Timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
            "SignatureVersion": "1",
            "Signature": "",
            "SigningCertUrl": f"https://sns.{region}.amazonaws.com/",
            "UnsubscribeUrl": f"{cloud.url}/?Action=Unsubscribe&SubscriptionArn={subscription.arn}",
            "MessageAttributes": {
                name: {"Type": item["Type"], "Value": item["Value"]} for name, item in (attributes or {}).items()
            },
        },
    }
