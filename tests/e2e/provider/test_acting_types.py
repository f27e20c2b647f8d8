"""Functions, who may call them, schedules and budgets through the real engine: made, changed in place, acting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.provider.conftest import Project
from tests.unit.localaws.aws import running

PROGRAM = """
trust = {"Effect": "Allow", "Action": "sts:AssumeRole",
         "Principal": {"Service": ["lambda.amazonaws.com", "scheduler.amazonaws.com"]}}
role = aws.iam.Role("guard", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
rights = aws.iam.RolePolicy("rights", role=role.name, policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["lambda:InvokeFunction", "logs:*"], "Resource": "*"}]}))
function = aws.lambda_.Function("check", runtime="python3.12", handler="guard.handle", role=role.arn,
    code=pulumi.AssetArchive({"guard.py": pulumi.StringAsset("def handle(event, context): return 'CODE'")}),
    memory_size=MEMORY, timeout=10, environment={"variables": {"MODE": "a"}}, tags={"team": "ml"},
    reserved_concurrent_executions=RESERVED)
topic = aws.sns.Topic("spending")
aws.lambda_.Permission("sns", action="lambda:InvokeFunction", function=function.name, principal="sns.amazonaws.com",
    source_arn=topic.arn)
aws.sns.TopicSubscription("guard", topic=topic.arn, protocol="lambda", endpoint=function.arn)
aws.lambda_.FunctionEventInvokeConfig("once", function_name=function.name, maximum_retry_attempts=0)
group = aws.scheduler.ScheduleGroup("times", tags={"team": "ml"})
aws.scheduler.Schedule("often", group_name=group.name, schedule_expression="RATE", flexible_time_window={"mode": "OFF"},
    target={"arn": function.arn, "role_arn": role.arn, "input": json.dumps({"time": "<aws.scheduler.scheduled-time>"}),
            "retry_policy": {"maximum_retry_attempts": 2}}, opts=pulumi.ResourceOptions(depends_on=[rights]))
notice = {"comparison_operator": "GREATER_THAN", "threshold_type": "PERCENTAGE", "notification_type": "ACTUAL",
          "subscriber_sns_topic_arns": [topic.arn]}
aws.budgets.Budget("month", budget_type="COST", time_unit="MONTHLY", limit_amount="LIMIT", limit_unit="USD",
    cost_filters=[{"name": "TagKeyValue", "values": ["user:team$ml"]}], tags={"team": "ml"},
    notifications=[{**notice, "threshold": 50}, {**notice, "threshold": THRESHOLD,
                                                 "subscriber_email_addresses": ["a@example.com"]}])
"""
FIRST = {"CODE": "one", "MEMORY": "256", "RESERVED": "-1", "RATE": "rate(5 minutes)", "LIMIT": "20", "THRESHOLD": "80"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A localaws instead of moto: functions run."""
    with running() as (url, _):
        yield url


def write(project: Project, **changes: str) -> None:
    text = PROGRAM
    for name, value in {**FIRST, **changes}.items():
        text = text.replace(name, value)
    project.program(text)


def answer(project: Project, function: str) -> Any:
    return json.load(project.client("lambda").invoke(FunctionName=function)["Payload"])


def thresholds(project: Project) -> dict[float, list[str]]:
    """The kinds of subscribers by the threshold of the only budget's notifications."""
    budgets = project.client("budgets")
    [budget] = budgets.describe_budgets(AccountId="123456789012")["Budgets"]
    key = {"AccountId": "123456789012", "BudgetName": budget["BudgetName"]}
    return {
        item["Threshold"]: sorted(
            found["SubscriptionType"]
            for found in budgets.describe_subscribers_for_notification(**key, Notification=item)["Subscribers"]
        )
        for item in budgets.describe_notifications_for_budget(**key)["Notifications"]
    }


@pytest.mark.rehearsal
def test_functions_schedules_and_budgets_live_and_act(project: Project) -> None:
    write(project)
    project.up()
    function = project.state()["check"]["outputs"]
    assert answer(project, function["name"]) == "one"
    assert function["invokeArn"].endswith(f"/functions/{function['arn']}/invocations")
    assert thresholds(project) == {50: ["SNS"], 80: ["EMAIL", "SNS"]}
    write(project, LIMIT="20.0")
    assert project.up() == {}

    write(project, CODE="two", MEMORY="512", RESERVED="3", RATE="rate(10 minutes)", LIMIT="30", THRESHOLD="90")
    changed = project.up()
    assert {name: step["op"] for name, step in changed.items()} == dict.fromkeys(("check", "often", "month"), "update")
    assert thresholds(project) == {50: ["SNS"], 90: ["EMAIL", "SNS"]}
    assert answer(project, function["name"]) == "two"
    assert project.state()["check"]["outputs"]["codeSha256"] != function["codeSha256"]

    project.client("lambda").put_function_concurrency(FunctionName=function["name"], ReservedConcurrentExecutions=0)
    project.steps("refresh", "--yes", "--skip-preview")
    assert project.state()["check"]["inputs"]["reservedConcurrentExecutions"] == 0
    repaired = project.up()
    assert {name: list(step["detailedDiff"]) for name, step in repaired.items()} == {
        "check": ["reservedConcurrentExecutions"]
    }

    project.steps("destroy", "--yes", "--skip-preview")
    assert project.client("lambda").list_functions()["Functions"] == []
    assert project.client("budgets").describe_budgets(AccountId="123456789012").get("Budgets", []) == []
    assert project.client("scheduler").list_schedules()["Schedules"] == []
