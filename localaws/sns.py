"""SNS subscriptions that a person must confirm stay pending, because nobody here reads the mail; functions really run.

moto takes every subscription for confirmed. In AWS an e-mail address is PendingConfirmation until somebody follows
the link, gets no messages before that, and cannot be unsubscribed; it disappears with its topic. Functions get
their messages asynchronously, where their policy lets SNS invoke them (functions/deliveries.py).
"""

import re
from copy import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import SNSBackend, Subscription
from moto.sns.responses import SNSResponse

from localaws.functions import deliveries

CONFIRMED_BY_A_PERSON = ("email", "email-json")
PENDING = "PendingConfirmation"
FUNCTION_ARN = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+(:[\w$-]+)?")
_subscribe, _unsubscribe, _delete_topic = SNSBackend.subscribe, SNSBackend.unsubscribe, SNSBackend.delete_topic
_list, _list_by_topic = SNSBackend.list_subscriptions, SNSBackend.list_subscriptions_by_topic
_publish = Subscription.publish
_respond, _describe = SNSResponse.subscribe, SNSResponse.get_topic_attributes


def install() -> None:
    """Put the rules into moto's SNS. Doing it twice does no harm."""
    SNSBackend.subscribe = _backend_subscribe
    SNSBackend.unsubscribe = _backend_unsubscribe
    Subscription.publish = _subscription_publish
    SNSBackend.delete_topic = _backend_delete_topic
    SNSBackend.list_subscriptions = lambda self, *args, **words: _hidden(_list(self, *args, **words))
    SNSBackend.list_subscriptions_by_topic = lambda self, *args, **words: _hidden(_list_by_topic(self, *args, **words))
    SNSResponse.subscribe = _response_subscribe
    SNSResponse.get_topic_attributes = _response_topic


def is_pending(subscription: Any) -> bool:
    return bool(subscription.protocol in CONFIRMED_BY_A_PERSON and not subscription.confirmed)


def _backend_subscribe(self: SNSBackend, topic_arn: str, endpoint: str, protocol: str) -> Any:
    if protocol in CONFIRMED_BY_A_PERSON and "@" not in endpoint:
        raise SNSInvalidParameter(f"Invalid parameter: Email address: {endpoint}")
    if protocol == "lambda" and not FUNCTION_ARN.fullmatch(endpoint):
        raise SNSInvalidParameter("Invalid parameter: Lambda endpoint ARN")
    found = _subscribe(self, topic_arn, endpoint, protocol)
    if is_pending(found):
        found.attributes |= {PENDING: True, "ConfirmationWasAuthenticated": False}
    return found


def _backend_unsubscribe(self: SNSBackend, subscription_arn: str) -> None:
    found = self.subscriptions.get(subscription_arn)
    if found is not None and is_pending(found):
        raise SNSInvalidParameter(
            "Invalid parameter: SubscriptionArn Reason: Cannot unsubscribe a subscription that is pending confirmation"
        )
    _unsubscribe(self, subscription_arn)


def _backend_delete_topic(self: SNSBackend, arn: str) -> None:
    _delete_topic(self, arn)
    for name, subscription in list(self.subscriptions.items()):
        if subscription.topic.arn == arn:
            del self.subscriptions[name]


def _subscription_publish(
    self: Subscription,
    message: str,
    message_id: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    message_structure: str | None = None,
    **fifo: Any,
) -> None:
    """moto's own, but for functions, which moto would run in docker, in the middle of the request to publish."""
    if self.protocol != "lambda":
        _publish(self, message, message_id, subject, message_attributes, message_structure=message_structure, **fifo)
        return
    matcher = self._filter_policy_matcher
    if matcher is None or matcher.matches(message_attributes, message):
        text = self._parse_message_structure(message, "lambda") if message_structure == "json" else message
        deliveries.from_sns(self, text, message_id, subject, message_attributes)


def _hidden(page: tuple[list[Any], Any]) -> tuple[list[Any], Any]:
    """A listing shows the word PendingConfirmation in the place of the ARN."""
    found = []
    for subscription in page[0]:
        shown = copy(subscription)
        if is_pending(subscription):
            shown.arn = PENDING
        found.append(shown)
    return found, page[1]


def _response_subscribe(self: SNSResponse) -> ActionResult:
    answer = _respond(self)
    arn = answer.result["SubscriptionArn"]
    asked = str(self._get_param("ReturnSubscriptionArn", False)).lower() == "true"
    if not asked and is_pending(self.backend.subscriptions[arn]):
        return ActionResult({"SubscriptionArn": "pending confirmation"})
    return answer


def _response_topic(self: SNSResponse) -> ActionResult:
    answer = _describe(self)
    attributes = answer.result["Attributes"]
    mine = [item for item in self.backend.subscriptions.values() if item.topic.arn == attributes["TopicArn"]]
    pending = sum(is_pending(item) for item in mine)
    attributes |= {"SubscriptionsPending": pending, "SubscriptionsConfirmed": len(mine) - pending}
    return answer
