"""SNS topics, their policies and subscriptions. Settings are attributes: a map of texts, written one at a time."""

from __future__ import annotations

import json
from typing import Any

from localaws.pulumi_provider.aws import Context
from localaws.pulumi_provider.schema import (
    AutoName,
    Form,
    Hooks,
    Input,
    Properties,
    Read,
    ResourceType,
    Step,
    TagStyle,
)

GONE = ("NotFound", "NotFoundException")
# pulumi-aws' property -> SNS' attribute.
_DELIVERY = {
    f"{ours}{result}Feedback{what}": f"{theirs}{result}Feedback{what}"
    for ours, theirs in (
        ("application", "Application"),
        ("firehose", "Firehose"),
        ("http", "HTTP"),
        ("lambda", "Lambda"),
        ("sqs", "SQS"),
    )
    for result, what in (("Failure", "RoleArn"), ("Success", "RoleArn"), ("Success", "SampleRate"))
}
_TOPIC_TEXTS = {
    **{name: attribute for name, attribute in _DELIVERY.items() if name.endswith("RoleArn")},
    "displayName": "DisplayName",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "tracingConfig": "TracingConfig",
}
_TOPIC_NUMBERS = {
    **{name: attribute for name, attribute in _DELIVERY.items() if name.endswith("SampleRate")},
    "signatureVersion": "SignatureVersion",
}
_TOPIC_DOCUMENTS = {"deliveryPolicy": "DeliveryPolicy", "policy": "Policy"}
_SUBSCRIPTION_DOCUMENTS = {
    "deliveryPolicy": "DeliveryPolicy",
    "filterPolicy": "FilterPolicy",
    "redrivePolicy": "RedrivePolicy",
    "replayPolicy": "ReplayPolicy",
}
_SUBSCRIPTION_TEXTS = {"filterPolicyScope": "FilterPolicyScope", "subscriptionRoleArn": "SubscriptionRoleArn"}
# What a topic's owner may do with it when nobody has said anything: SNS' own policy of a new topic.
_OWNER_ACTIONS = (
    "SNS:GetTopicAttributes",
    "SNS:SetTopicAttributes",
    "SNS:AddPermission",
    "SNS:RemovePermission",
    "SNS:DeleteTopic",
    "SNS:Subscribe",
    "SNS:ListSubscriptionsByTopic",
    "SNS:Publish",
)


def _inputs(names: dict[str, str], form: Form = Form.SAME, cleared: str | None = "") -> dict[str, Input]:
    return {name: Input(api=f"Attributes.{attribute}", form=form, cleared=cleared) for name, attribute in names.items()}


def _steps(operation: str, names: dict[str, str]) -> tuple[Step, ...]:
    return tuple(
        Step(
            operation=operation,
            properties=(name,),
            params={name: "AttributeValue"},
            constants={"AttributeName": attribute},
        )
        for name, attribute in names.items()
    )


def _topic_name(_context: Context, state: Properties, _found: object) -> None:
    state["name"] = state["arn"].rpartition(":")[2]


def _policy_attribute(_context: Context, _properties: Properties, request: dict[str, Any]) -> None:
    request["AttributeName"] = "Policy"


def _restore_policy(context: Context, state: Properties) -> None:
    """A topic always has a policy: taking one away means to put SNS' own back."""
    account = state["arn"].split(":")[4]
    owner = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": list(_OWNER_ACTIONS),
        "Resource": state["arn"],
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    policy = json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [owner]})
    context.call("SetTopicAttributes", {"TopicArn": state["arn"], "AttributeName": "Policy", "AttributeValue": policy})


def _return_arn(_context: Context, _properties: Properties, request: dict[str, Any]) -> None:
    """Without this the answer for a subscription that waits for its confirmation is a text, no ARN."""
    request["ReturnSubscriptionArn"] = True


TOPIC = ResourceType(
    token="aws:sns/topic:Topic",
    service="sns",
    create="CreateTopic",
    read=Read(operation="GetTopicAttributes"),
    delete="DeleteTopic",
    key={"TopicArn": "arn"},
    created={"arn": "TopicArn"},
    id="{arn}",
    import_id=r"(?P<arn>arn:.+)",
    inputs={
        "name": Input(api="Name", replaces=True),
        **_inputs(_TOPIC_TEXTS),
        **_inputs(_TOPIC_NUMBERS, Form.NUMBER_TEXT, cleared=None),
        **_inputs(_TOPIC_DOCUMENTS, Form.JSON),
    },
    outputs={"beginningArchiveTime": "Attributes.BeginningArchiveTime", "owner": "Attributes.Owner"},
    steps=_steps("SetTopicAttributes", {**_TOPIC_TEXTS, **_TOPIC_NUMBERS, **_TOPIC_DOCUMENTS}),
    auto_name=AutoName(prefix_property="namePrefix", limit=256),
    tags=TagStyle(
        key={"ResourceArn": "arn"}, create="Tags", add="TagResource", remove="UntagResource", list="ListTagsForResource"
    ),
    gone=GONE,
    hooks=Hooks(after_read=_topic_name),
    refused=(
        "archivePolicy",
        "contentBasedDeduplication",
        "fifoThroughputScope",
        "fifoTopic",
        "maximumMessageSize",
    ),
)

TOPIC_POLICY = ResourceType(
    token="aws:sns/topicPolicy:TopicPolicy",
    service="sns",
    create="SetTopicAttributes",
    read=Read(operation="GetTopicAttributes"),
    delete=None,
    key={"TopicArn": "arn"},
    id="{arn}",
    import_id=r"(?P<arn>arn:.+)",
    inputs={
        "arn": Input(api="TopicArn", read="Attributes.TopicArn", required=True, replaces=True),
        "policy": Input(api="AttributeValue", read="Attributes.Policy", required=True, form=Form.JSON),
    },
    outputs={"owner": "Attributes.Owner"},
    upsert=True,
    gone=GONE,
    lagging=("InvalidParameter:Invalid principal",),
    hooks=Hooks(prepare=_policy_attribute, before_delete=_restore_policy),
)

TOPIC_SUBSCRIPTION = ResourceType(
    token="aws:sns/topicSubscription:TopicSubscription",
    service="sns",
    create="Subscribe",
    read=Read(operation="GetSubscriptionAttributes"),
    delete="Unsubscribe",
    key={"SubscriptionArn": "arn"},
    created={"arn": "SubscriptionArn"},
    id="{arn}",
    import_id=r"(?P<arn>arn:.+)",
    inputs={
        "endpoint": Input(read="Attributes.Endpoint", required=True, replaces=True),
        "protocol": Input(read="Attributes.Protocol", required=True, replaces=True),
        "topic": Input(api="TopicArn", read="Attributes.TopicArn", required=True, replaces=True),
        "confirmationTimeoutInMinutes": Input(local=True, kind="integer", default=1),
        "endpointAutoConfirms": Input(local=True, kind="boolean", default=False),
        "rawMessageDelivery": Input(api="Attributes.RawMessageDelivery", form=Form.BOOLEAN_TEXT, cleared="false"),
        **_inputs(_SUBSCRIPTION_TEXTS, cleared=None),
        **_inputs(_SUBSCRIPTION_DOCUMENTS, Form.JSON, cleared="{}"),
    },
    outputs={
        "confirmationWasAuthenticated": "Attributes.ConfirmationWasAuthenticated == 'true'",
        "ownerId": "Attributes.Owner",
        "pendingConfirmation": "Attributes.PendingConfirmation == 'true'",
    },
    steps=_steps(
        "SetSubscriptionAttributes",
        {**_SUBSCRIPTION_TEXTS, **_SUBSCRIPTION_DOCUMENTS, "rawMessageDelivery": "RawMessageDelivery"},
    ),
    # One that nobody has confirmed cannot be taken back; SNS drops it by itself.
    gone=(*GONE, "InvalidParameter:pending confirmation"),
    hooks=Hooks(prepare=_return_arn),
)

ROWS = (TOPIC, TOPIC_POLICY, TOPIC_SUBSCRIPTION)
