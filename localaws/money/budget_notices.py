"""The Budgets API's part on notifications and their subscribers, and what its operations share."""

from collections.abc import Mapping, Sequence
from typing import Any

from localaws.cloud import ACCOUNT, Call, Handler
from localaws.errors import AwsError
from localaws.money import budget_records
from localaws.money.budget_records import Budget, Notification, identity

MAX_NOTIFICATIONS = 10
MAX_EMAILS, MAX_TOPICS = 10, 1  # of one notification
DEFAULT_RESULTS = 100


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def all_budgets(call: Call) -> dict[str, Budget]:
    """All of the account. Raises AwsError for another account's."""
    if call.request["AccountId"] != ACCOUNT:
        raise AwsError("AccessDeniedException", f"AccountId is {call.request['AccountId']}; this account is {ACCOUNT}")
    return budget_records.store(call.cloud).budgets


def named(call: Call) -> Budget:
    """The budget of the request's name. Raises AwsError."""
    found = all_budgets(call).get(call.request["BudgetName"])
    if found is None:
        name = call.request["BudgetName"]
        raise AwsError("NotFoundException", f"Unable to get budget: {name} - the budget doesn't exist.")
    return found


def page(items: Sequence[Any], request: Mapping[str, Any]) -> tuple[Sequence[Any], str | None]:
    """The page that the request asks for and the token of the next one. Raises AwsError."""
    token, size = request.get("NextToken"), request.get("MaxResults", DEFAULT_RESULTS)
    if token is not None and not (token.isdigit() and int(token) <= len(items)):
        raise AwsError("InvalidNextTokenException", f"NextToken is {token!r}; give that of the previous answer.")
    begin = int(token or 0)
    return items[begin : begin + size], str(begin + size) if begin + size < len(items) else None


def _notification(budget: Budget, given: Mapping[str, Any]) -> Notification:
    wanted = identity(given)
    found = next((item for item in budget.notifications if item.identity == wanted), None)
    if found is None:
        raise AwsError("NotFoundException", f"Budget {budget.name} has no notification {' '.join(map(str, wanted))}.")
    return found


def add(budget: Budget, given: Mapping[str, Any], subscribers: Sequence[Mapping[str, str]]) -> None:
    """Give the budget a notification. Raises AwsError."""
    wanted = identity(given)
    if any(item.identity == wanted for item in budget.notifications):
        raise AwsError("DuplicateRecordException", f"Budget {budget.name} has this notification already.")
    if len(budget.notifications) >= MAX_NOTIFICATIONS:
        text = f"Budget {budget.name} has {MAX_NOTIFICATIONS} notifications, as many as it can."
        raise AwsError("CreationLimitExceededException", text)
    _check_subscribers(subscribers)
    kind, comparison, threshold, threshold_type = wanted
    budget.notifications.append(
        Notification(
            type=kind,
            operator=comparison,
            threshold=threshold,
            threshold_type=threshold_type,
            subscribers=[dict(item) for item in subscribers],
        )
    )


def _check_subscribers(subscribers: Sequence[Mapping[str, str]]) -> None:
    kinds = [item["SubscriptionType"] for item in subscribers]
    if kinds.count("SNS") > MAX_TOPICS or kinds.count("EMAIL") > MAX_EMAILS:
        text = f"A notification has at most {MAX_TOPICS} SNS topic and {MAX_EMAILS} e-mail addresses."
        raise AwsError("CreationLimitExceededException", text)
    for item in subscribers:
        form = "arn:aws:sns:" if item["SubscriptionType"] == "SNS" else ""
        if not item["Address"].startswith(form) or (not form and "@" not in item["Address"]):
            raise invalid(f"Address is {item['Address']!r}, which is no address for {item['SubscriptionType']}.")


def create_notification(call: Call) -> None:
    add(named(call), call.request["Notification"], call.request["Subscribers"])


def update_notification(call: Call) -> None:
    budget, (kind, comparison, threshold, threshold_type) = named(call), identity(call.request["NewNotification"])
    found = _notification(budget, call.request["OldNotification"])
    found.type, found.operator, found.threshold, found.threshold_type = kind, comparison, threshold, threshold_type
    found.state, found.fired = "OK", None


def delete_notification(call: Call) -> None:
    budget = named(call)
    budget.notifications.remove(_notification(budget, call.request["Notification"]))


def describe_notifications_for_budget(call: Call) -> Mapping[str, Any]:
    shown, token = page([item.described() for item in named(call).notifications], call.request)
    return {"Notifications": shown, "NextToken": token}


def describe_budget_notifications_for_account(call: Call) -> Mapping[str, Any]:
    found = [
        {"BudgetName": budget.name, "Notifications": [item.described() for item in budget.notifications]}
        for budget in list(all_budgets(call).values())
        if budget.notifications
    ]
    shown, token = page(found, call.request)
    return {"BudgetNotificationsForAccount": shown, "NextToken": token}


def describe_subscribers_for_notification(call: Call) -> Mapping[str, Any]:
    shown, token = page(_notification(named(call), call.request["Notification"]).subscribers, call.request)
    return {"Subscribers": shown, "NextToken": token}


def create_subscriber(call: Call) -> None:
    found, new = _notification(named(call), call.request["Notification"]), call.request["Subscriber"]
    if new in found.subscribers:
        raise AwsError("DuplicateRecordException", f"{new['Address']} is a subscriber already.")
    _check_subscribers([*found.subscribers, new])
    found.subscribers.append(dict(new))


def update_subscriber(call: Call) -> None:
    found, old = _notification(named(call), call.request["Notification"]), call.request["OldSubscriber"]
    left = _without(found, old)
    _check_subscribers([*left, call.request["NewSubscriber"]])
    found.subscribers = [*left, dict(call.request["NewSubscriber"])]


def delete_subscriber(call: Call) -> None:
    """with its last subscriber the notification goes too"""
    budget = named(call)
    found = _notification(budget, call.request["Notification"])
    found.subscribers = _without(found, call.request["Subscriber"])
    if not found.subscribers:
        budget.notifications.remove(found)


def _without(notification: Notification, subscriber: Mapping[str, str]) -> list[dict[str, str]]:
    if subscriber not in notification.subscribers:
        raise AwsError("NotFoundException", f"{subscriber['Address']} is no subscriber of the notification.")
    return [item for item in notification.subscribers if item != subscriber]


OPERATIONS: dict[str, Handler] = {
    "CreateNotification": create_notification,
    "CreateSubscriber": create_subscriber,
    "DeleteNotification": delete_notification,
    "DeleteSubscriber": delete_subscriber,
    "DescribeBudgetNotificationsForAccount": describe_budget_notifications_for_account,
    "DescribeNotificationsForBudget": describe_notifications_for_budget,
    "DescribeSubscribersForNotification": describe_subscribers_for_notification,
    "UpdateNotification": update_notification,
    "UpdateSubscriber": update_subscriber,
}
