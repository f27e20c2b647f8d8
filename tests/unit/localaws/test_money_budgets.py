"""Budgets look at the bill every eight hours of the clock, tell it once a period, and can be changed as in AWS."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import ACCOUNT, REGION, Aws, unique, wait_for
from tests.unit.localaws.money import DAY, HOUR, step

EIGHT_HOURS = 8 * HOUR


@pytest.fixture(scope="module")
def aws(billed: Aws) -> Iterator[Aws]:
    """A key of team red costs a dollar a month of 730 hours."""
    billed.client("kms").create_key(Tags=[{"TagKey": "team", "TagValue": "red"}])
    yield billed
    budgets = billed.client("budgets")
    for found in budgets.describe_budgets(AccountId=ACCOUNT)["Budgets"]:
        budgets.delete_budget(AccountId=ACCOUNT, BudgetName=found["BudgetName"])


@pytest.fixture(autouse=True)
def tenth_day(aws: Aws) -> None:
    """Every test begins at noon of the tenth day of a month, the first at least nine days after the account."""
    now = datetime.fromtimestamp(step(aws), UTC)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    step(aws, following.timestamp() - now.timestamp() + 9.5 * DAY)


def budget(name: str, amount: str = "0.02", **more: Any) -> dict[str, Any]:
    limit = {"Amount": amount, "Unit": "USD"}
    return {"BudgetName": name, "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit, **more}


def notice(threshold: float = 50, kind: str = "ACTUAL", **more: Any) -> dict[str, Any]:
    return {"NotificationType": kind, "ComparisonOperator": "GREATER_THAN", "Threshold": threshold, **more}


def create(aws: Aws, asked: dict[str, Any], *notices: dict[str, Any], **more: Any) -> None:
    """A budget whose notifications go to one topic, `more["Topic"]`."""
    topic = more.pop("Topic", f"arn:aws:sns:{REGION}:{ACCOUNT}:none")
    subscribers = [{"SubscriptionType": "SNS", "Address": topic}]
    given = [{"Notification": item, "Subscribers": subscribers} for item in notices]
    aws.client("budgets").create_budget(AccountId=ACCOUNT, Budget=asked, NotificationsWithSubscribers=given, **more)


def described(aws: Aws, name: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = aws.client("budgets").describe_budget(AccountId=ACCOUNT, BudgetName=name, **more)["Budget"]
    return found


def actual(aws: Aws, name: str) -> Decimal:
    return Decimal(described(aws, name)["CalculatedSpend"]["ActualSpend"]["Amount"])


def metered(aws: Aws) -> float:
    """USD of the red key in this month: the clock stands at the time of the last look."""
    now = step(aws)
    first = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    month = {"Start": f"{first:%Y-%m-%d}", "End": f"{datetime.fromtimestamp(now + DAY, UTC):%Y-%m-%d}"}
    red = {"Tags": {"Key": "team", "Values": ["red"]}}
    answer = aws.client("ce").get_cost_and_usage(
        TimePeriod=month, Granularity="MONTHLY", Metrics=["UnblendedCost"], Filter=red
    )
    return sum(float(result["Total"]["UnblendedCost"]["Amount"]) for result in answer["ResultsByTime"])


class Box:
    """A topic with a queue behind it."""

    def __init__(self, aws: Aws, *, open_to_budgets: bool = True) -> None:
        self._aws, name = aws, unique("topic")
        self.topic = aws.client("sns").create_topic(Name=name)["TopicArn"]
        self._queue = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        aws.client("sns").subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue)
        if open_to_budgets:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "budgets.amazonaws.com"},
                "Action": "SNS:Publish",
                "Resource": self.topic,
                "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
            }
            text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            aws.client("sns").set_topic_attributes(TopicArn=self.topic, AttributeName="Policy", AttributeValue=text)

    def take(self) -> list[dict[str, Any]]:
        found = self._aws.client("sqs").receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        for message in found.get("Messages", []):
            self._aws.client("sqs").delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def looked(aws: Aws, name: str) -> None:
    """The thread of the minutes has come to this budget since it was last changed."""
    wait_for(lambda: actual(aws, name) > 0, f"a look at {name}")


def test_it_tells_its_topic_after_eight_hours_once_and_again_next_month(aws: Aws) -> None:
    box, name = Box(aws), unique("budget")
    created = step(aws)
    filters = {"TagKeyValue": ["user:team$red"]}
    create(aws, budget(name, CostFilters=filters), notice(), Topic=box.topic)
    control = unique("budget")
    create(aws, budget(control))
    step(aws, EIGHT_HOURS - 60)
    assert actual(aws, name) == 0
    assert box.take() == []
    step(aws, 60)
    looked(aws, control)  # made after the other, so looked at after it
    [message] = box.take()
    assert message["Subject"] == f"AWS Budgets: {name} has exceeded your alert threshold"
    spent = float(actual(aws, name))
    assert spent == pytest.approx(metered(aws))  # which has gone on for none of the clock's time
    text = message["Message"].splitlines()
    day = datetime.fromtimestamp(created + EIGHT_HOURS, UTC)
    assert text[:3] == [f"AWS Budget Notification {day:%B %d, %Y}", f"AWS Account {ACCOUNT}", ""]
    assert (
        f"You requested that we alert you when the ACTUAL Cost associated with your {name} budget is greater than "
        f"$0.01 for the current month. The ACTUAL Cost associated with this budget is ${spent:.2f}. " in text[5]
    )
    assert text[7:13] == [
        f"Budget Name: {name}",
        "Budget Type: Cost",
        "Budgeted Amount: $0.02",
        "Alert Type: ACTUAL",
        "Alert Threshold: > $0.01",
        f"ACTUAL Amount: ${spent:.2f}",
    ]
    [found] = aws.client("budgets").describe_notifications_for_budget(AccountId=ACCOUNT, BudgetName=name)[
        "Notifications"
    ]
    assert found["NotificationState"] == "ALARM"
    before = actual(aws, control)
    step(aws, 3 * DAY)
    wait_for(lambda: actual(aws, control) > before, "another look")
    assert box.take() == []
    step(aws, 30 * DAY)
    wait_for(box.take, "the next month's message")


def test_a_forecast_warns_before_the_money_is_spent(aws: Aws) -> None:
    box, name = Box(aws), unique("budget")
    notices = notice(100, "FORECASTED"), notice(5, ThresholdType="ABSOLUTE_VALUE")
    asked = budget(
        name, "0.5", CostFilters={"Service": ["AWS Key Management Service"], "TagKeyValue": ["user:team$red"]}
    )
    create(aws, asked, *notices, Topic=box.topic)
    step(aws, EIGHT_HOURS)
    [message] = wait_for(box.take, "the forecast's message")
    assert "Alert Type: FORECASTED\nAlert Threshold: > $0.50\nFORECASTED Amount: $" in message["Message"]
    spend = described(aws, name)["CalculatedSpend"]
    assert float(spend["ForecastedSpend"]["Amount"]) == pytest.approx(1, abs=0.1)  # a month of 28 to 31 days
    assert 0.3 < float(spend["ActualSpend"]["Amount"]) < 0.4


def test_a_topic_that_lets_nobody_in_gets_nothing(aws: Aws) -> None:
    shut, open_box = Box(aws, open_to_budgets=False), Box(aws)
    for box in (shut, open_box):
        create(aws, budget(unique("budget")), notice(), Topic=box.topic)
    step(aws, EIGHT_HOURS)
    wait_for(open_box.take, "the message to the other topic")
    assert shut.take() == []


def test_filters_choose_what_counts(aws: Aws) -> None:
    expression = {"Tags": {"Key": "team", "Values": ["red"]}}
    names = [unique("budget") for _ in range(3)]
    create(aws, budget(names[0], FilterExpression=expression, Metrics=["UnblendedCost"]))
    create(aws, budget(names[1], CostFilters={"Region": ["eu-west-1"]}))
    create(aws, budget(names[2], CostFilters={"TagKeyValue": ["user:team$red"], "Region": [REGION]}))
    step(aws, EIGHT_HOURS)
    looked(aws, names[2])
    assert actual(aws, names[1]) == 0
    assert actual(aws, names[0]) == actual(aws, names[2]) > 0
    assert "FilterExpression" not in described(aws, names[0])
    assert described(aws, names[0], ShowFilterExpression=True)["FilterExpression"] == expression


def test_a_changed_budget_keeps_its_notifications_and_forgets_what_was_spent(aws: Aws) -> None:
    budgets, name = aws.client("budgets"), unique("budget")
    create(aws, budget(name), notice())
    step(aws, EIGHT_HOURS)
    looked(aws, name)
    before = described(aws, name)
    budgets.update_budget(AccountId=ACCOUNT, NewBudget=budget(name, "7"))
    after = described(aws, name)
    assert after["BudgetLimit"]["Amount"] == "7"
    assert after["TimePeriod"] == before["TimePeriod"]
    assert after["CostTypes"]["IncludeTax"] is True
    assert actual(aws, name) == 0
    assert len(budgets.describe_notifications_for_budget(AccountId=ACCOUNT, BudgetName=name)["Notifications"]) == 1
    budgets.delete_budget(AccountId=ACCOUNT, BudgetName=name)
    with pytest.raises(ClientError, match="NotFoundException"):
        described(aws, name)


def test_notifications_and_subscribers_come_and_go(aws: Aws) -> None:
    budgets, where = aws.client("budgets"), {"AccountId": ACCOUNT, "BudgetName": unique("budget")}
    create(aws, budget(where["BudgetName"]))
    mail = [{"SubscriptionType": "EMAIL", "Address": f"{name}@example.com"} for name in "ab"]
    budgets.create_notification(**where, Notification=notice(80), Subscribers=mail[:1])
    with pytest.raises(ClientError, match="DuplicateRecordException"):
        budgets.create_notification(**where, Notification=notice(80), Subscribers=mail[:1])
    budgets.create_subscriber(**where, Notification=notice(80), Subscriber=mail[1])
    topic = {"SubscriptionType": "SNS", "Address": f"arn:aws:sns:{REGION}:{ACCOUNT}:none"}
    budgets.update_subscriber(**where, Notification=notice(80), OldSubscriber=mail[0], NewSubscriber=topic)
    found = budgets.describe_subscribers_for_notification(**where, Notification=notice(80))["Subscribers"]
    assert found == [mail[1], topic]
    budgets.update_notification(**where, OldNotification=notice(80), NewNotification=notice(90))
    [shown] = budgets.describe_notifications_for_budget(**where)["Notifications"]
    assert (shown["Threshold"], shown["ThresholdType"], shown["NotificationState"]) == (90, "PERCENTAGE", "OK")
    budgets.delete_subscriber(**where, Notification=notice(90), Subscriber=topic)
    budgets.delete_subscriber(**where, Notification=notice(90), Subscriber=mail[1])
    assert budgets.describe_notifications_for_budget(**where)["Notifications"] == []
    with pytest.raises(ClientError, match="NotFoundException"):
        budgets.delete_notification(**where, Notification=notice(90))


def test_a_budget_has_tags(aws: Aws) -> None:
    budgets, name = aws.client("budgets"), unique("budget")
    create(aws, budget(name), ResourceTags=[{"Key": "team", "Value": "red"}])
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/{name}"
    budgets.tag_resource(ResourceARN=arn, ResourceTags=[{"Key": "stage", "Value": "dev"}])
    budgets.untag_resource(ResourceARN=arn, ResourceTagKeys=["team"])
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "stage", "Value": "dev"}]


def test_all_budgets_come_in_pages(aws: Aws) -> None:
    names = {unique("budget") for _ in range(3)}
    for name in names:
        create(aws, budget(name))
    pages = (
        aws.client("budgets")
        .get_paginator("describe_budgets")
        .paginate(AccountId=ACCOUNT, PaginationConfig={"PageSize": 2})
    )
    found = [[item["BudgetName"] for item in page["Budgets"]] for page in pages]
    assert names <= {name for page in found for name in page}
    assert max(map(len, found)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"BudgetType": "USAGE"}, "BudgetType is USAGE"),
        ({"BudgetLimit": {"Amount": "1", "Unit": "EUR"}}, "Unit is EUR"),
        ({"CostFilters": {"TagKeyValue": ["team=red"]}}, "TagKeyValue"),
        ({"CostFilters": {"Colour": ["red"]}}, "Colour"),
        ({"FilterExpression": {"Not": {}}, "CostFilters": {"Region": ["x"]}}, "exclude each other"),
        ({"BudgetName": "a:b"}, "pattern"),
    ],
)
def test_wrong_budgets_are_refused(aws: Aws, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        create(aws, {**budget(unique("budget")), **change})


def test_a_name_is_taken_once_and_topics_are_limited(aws: Aws) -> None:
    name = unique("budget")
    create(aws, budget(name))
    with pytest.raises(ClientError, match="DuplicateRecordException"):
        create(aws, budget(name))
    topics = [{"SubscriptionType": "SNS", "Address": f"arn:aws:sns:{REGION}:{ACCOUNT}:{n}"} for n in range(2)]
    with pytest.raises(ClientError, match="CreationLimitExceededException"):
        aws.client("budgets").create_notification(
            AccountId=ACCOUNT, BudgetName=name, Notification=notice(), Subscribers=topics
        )
