"""Functions, permissions, schedules and budgets against scripted answers: what the engine test cannot show."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from localaws.pulumi_provider import lifecycle, waiters
from localaws.pulumi_provider.check import check
from localaws.pulumi_provider.diff import changes
from localaws.pulumi_provider.inputs import complete
from localaws.pulumi_provider.refresh import refreshed_inputs
from localaws.pulumi_provider.values import ARCHIVE, SIGNATURE
from tests.unit.pulumi_provider.stub import row, scripted

ACCOUNT = "123456789012"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
KEY = {"FunctionName": "f"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
BUDGET = {"AccountId": ACCOUNT, "BudgetName": "b"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "FIRST_PAUSE_SECONDS", 0.0)


def archive(content: bytes) -> dict[str, Any]:
    """A zip file as the engine hands it over."""
    return {SIGNATURE: ARCHIVE, "path": "f.zip", "hash": hashlib.sha256(content).hexdigest()}


def read_function(script: Any, **configuration: Any) -> None:
    found = {"FunctionName": "f", "FunctionArn": ARN, "Role": ROLE, "Version": "$LATEST", **configuration}
    script.answer("GetFunction", KEY, {"Configuration": found})
    script.answer("ListVersionsByFunction", KEY, {"Versions": [{"Version": "$LATEST"}]})


def test_new_code_is_sent_alone_and_settings_that_are_gone_are_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.zip").write_bytes(b"new")
    old = {"name": "f", "role": ROLE, "handler": "a.b", "code": archive(b"old"), "publish": False}
    new = {**old, "code": archive(b"new")}
    with scripted("Function") as (context, script):
        script.answer("UpdateFunctionCode", {**KEY, "Publish": False, "ZipFile": b"new"})
        read_function(script, CodeSha256=base64.b64encode(b"sha").decode(), Layers=[])
        state = lifecycle.update(context, old, {**old, "arn": ARN}, new)
    assert state["codeSha256"] == base64.b64encode(b"sha").decode()
    assert (state["qualifiedArn"], state["reservedConcurrentExecutions"]) == (f"{ARN}:$LATEST", -1)
    with_variables = {**old, "environment": {"variables": {"A": "b"}}, "layers": ["arn:l"]}
    settings = {"Role": ROLE, "Handler": "a.b", "Environment": {"Variables": {}}, "Layers": [], "Description": ""}
    with scripted("Function") as (context, script):
        cleared = {"DeadLetterConfig": {"TargetArn": ""}, "KMSKeyArn": ""}
        script.answer("UpdateFunctionConfiguration", {**KEY, **settings, **cleared})
        read_function(script)
        lifecycle.update(context, with_variables, {**with_variables, "arn": ARN}, old)


def test_a_function_whose_role_lambda_cannot_assume_yet_is_tried_again() -> None:
    inputs = {"name": "f", "role": ROLE, "s3Bucket": "code", "s3Key": "k"}
    request = {**KEY, "Role": ROLE, "Code": {"S3Bucket": "code", "S3Key": "k"}, "Publish": False}
    with scripted("Function") as (context, script):
        message = "The role defined for the function cannot be assumed by Lambda."
        script.fail("CreateFunction", request, "InvalidParameterValueException", message)
        script.answer("CreateFunction", request)
        read_function(script)
        assert lifecycle.create(context, inputs)[0] == "f"
    with scripted("Function") as (context, _), pytest.raises(ValueError, match="needs its code"):
        lifecycle.create(context, {"name": "f", "role": ROLE})


def test_a_function_needs_a_role_and_has_pulumis_defaults() -> None:
    entry = row("Function")
    inputs, failures = complete(entry, "guard", {}, {"code": archive(b"")}, {}, b"seed")
    assert failures == []
    assert (inputs["memorySize"], inputs["timeout"], inputs["packageType"]) == (128, 3, "Zip")
    assert [failure.path for failure in check(entry, inputs)] == ["role"]


def test_a_function_that_is_to_stay_is_not_deleted() -> None:
    with scripted("Function") as (context, script):
        lifecycle.delete(context, {"name": "f", "skipDestroy": True})
        script.fail("DeleteFunction", KEY, "ResourceNotFoundException", "Function not found")
        lifecycle.delete(context, {"name": "f"})


def test_a_permission_is_one_statement_of_the_policy() -> None:
    statement = {
        "Sid": "s",
        "Action": "lambda:InvokeFunction",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Condition": {"ArnLike": {"AWS:SourceArn": "arn:topic"}},
    }
    policy = {"Policy": json.dumps({"Statement": [{**statement, "Sid": "other"}, statement]})}
    with scripted("Permission") as (context, script):
        script.answer("GetPolicy", KEY, policy)
        state = lifecycle.read(context, {"function": "f", "statementId": "s"})
        script.answer("GetPolicy", KEY, policy)
        assert lifecycle.read(context, {"function": "f", "statementId": "gone"}) is None
        script.fail("GetPolicy", KEY, "ResourceNotFoundException", "no policy")
        assert lifecycle.read(context, {"function": "f", "statementId": "s"}) is None
    assert state is not None
    assert (state["principal"], state["sourceArn"]) == ("sns.amazonaws.com", "arn:topic")


def test_an_update_of_a_schedule_sends_all_of_it() -> None:
    target = {"arn": ARN, "roleArn": ROLE, "input": "{}"}
    old = {
        "name": "s",
        "groupName": "g",
        "flexibleTimeWindow": {"mode": "OFF"},
        "scheduleExpression": "rate(1 hour)",
        "scheduleExpressionTimezone": "UTC",
        "state": "ENABLED",
        "target": target,
    }
    whole = {
        "GroupName": "g",
        "Name": "s",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ScheduleExpression": "rate(1 hour)",
        "ScheduleExpressionTimezone": "UTC",
        "Target": {"Arn": ARN, "RoleArn": ROLE, "Input": "{}"},
    }
    with scripted("Schedule") as (context, script):
        script.answer("UpdateSchedule", {**whole, "State": "DISABLED"}, {"ScheduleArn": "arn:s"})
        script.answer("GetSchedule", {"GroupName": "g", "Name": "s"}, {**whole, "State": "DISABLED", "Arn": "arn:s"})
        state = lifecycle.update(context, old, {**old, "arn": "arn:s"}, {**old, "state": "DISABLED"})
    assert (state["state"], state["arn"]) == ("DISABLED", "arn:s")


def notice(threshold: float, *emails: str) -> dict[str, Any]:
    return {
        "comparisonOperator": "GREATER_THAN",
        "notificationType": "ACTUAL",
        "threshold": threshold,
        "thresholdType": "PERCENTAGE",
        "subscriberEmailAddresses": list(emails),
    }


def api_notice(threshold: float) -> dict[str, Any]:
    return {
        "NotificationType": "ACTUAL",
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": threshold,
        "ThresholdType": "PERCENTAGE",
    }


def read_notices(script: Any, **emails: str) -> None:
    notices = [api_notice(float(threshold[1:])) for threshold in emails]
    script.answer("DescribeNotificationsForBudget", BUDGET, {"Notifications": notices})
    for item, address in zip(notices, emails.values(), strict=True):
        subscribers = [{"SubscriptionType": "EMAIL", "Address": address}]
        request = {**BUDGET, "Notification": item}
        script.answer("DescribeSubscribersForNotification", request, {"Subscribers": subscribers})


def test_only_notifications_that_differ_are_made_anew() -> None:
    common = {"name": "b", "accountId": ACCOUNT, "budgetType": "COST", "timeUnit": "MONTHLY", "limitAmount": "5"}
    old = {**common, "notifications": [notice(50, "a@x"), notice(80, "a@x"), notice(90, "a@x")]}
    new = {**common, "notifications": [notice(50, "a@x"), notice(80, "b@x"), notice(100, "a@x")]}
    period = {"Start": datetime.fromtimestamp(0, UTC), "End": datetime(2087, 6, 15, tzinfo=UTC)}
    found = {"BudgetName": "b", "BudgetType": "COST", "TimeUnit": "MONTHLY", "TimePeriod": period}
    with scripted("Budget") as (context, script):
        read_notices(script, t50="a@x", t80="a@x", t90="a@x")
        for gone in (80, 90):
            script.answer("DeleteNotification", {**BUDGET, "Notification": api_notice(gone)})
        for threshold, address in ((80, "b@x"), (100, "a@x")):
            subscribers = [{"SubscriptionType": "EMAIL", "Address": address}]
            made = {**BUDGET, "Notification": api_notice(threshold), "Subscribers": subscribers}
            script.answer("CreateNotification", made)
        script.answer("DescribeBudget", BUDGET, {"Budget": found})
        read_notices(script, t50="a@x", t80="b@x", t100="a@x")
        script.answer("ListTagsForResource", {"ResourceARN": f"arn:aws:budgets::{ACCOUNT}:budget/b"})
        state = lifecycle.update(context, old, old, new)
    assert (state["timePeriodStart"], state["timePeriodEnd"]) == ("1970-01-01_00:00", "2087-06-15_00:00")


def test_amounts_are_compared_by_value_and_times_have_their_own_form() -> None:
    entry = row("Budget")
    one, other = {"limitAmount": "20"}, {"limitAmount": "20.0"}
    assert changes(entry, one, other) == []
    assert [change.path for change in changes(entry, one, {"limitAmount": "20.01"})] == ["limitAmount"]
    assert refreshed_inputs(entry, one, other) == one
    inputs = {"name": "b", "accountId": ACCOUNT, "budgetType": "COST", "timeUnit": "MONTHLY"}
    with scripted("Budget") as (context, _), pytest.raises(ValueError, match="yyyy-mm-dd_hh:mm"):
        lifecycle.create(context, {**inputs, "timePeriodStart": "2026-01-01"})
