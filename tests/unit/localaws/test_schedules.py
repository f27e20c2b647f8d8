"""EventBridge Scheduler fires by the stepped clock: functions, operations, in order, with its role's rights."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.acting import ALLOWED, fired, function, printed, role
from tests.unit.localaws.aws import ACCOUNT, Aws, running, unique, wait_for

OFF = {"Mode": "OFF"}
UNIVERSAL = "arn:aws:scheduler:::aws-sdk"
INPUT = json.dumps(
    {
        "time": "<aws.scheduler.scheduled-time>",
        "arn": "<aws.scheduler.schedule-arn>",
        "try": "<aws.scheduler.attempt-number>",
    }
)


@pytest.fixture(scope="module")
def clock() -> Iterator[Aws]:
    """A localaws whose clock stands still."""
    with running() as (url, _):
        found = Aws(url)
        found.post("/_localaws/clock", {"mode": "stepped"})
        yield found


@pytest.fixture(scope="module")
def target(clock: Aws) -> dict[str, str]:
    """A function that prints its event, and a role that may call it."""
    name = function(clock, "import json\ndef handle(event, context): print(json.dumps(event))")
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    return {"Arn": arn, "RoleArn": role(clock, *ALLOWED), "Input": INPUT}


def now(aws: Aws) -> datetime:
    return datetime.fromtimestamp(aws.get("/_localaws/clock")["now"], UTC)


def advance(aws: Aws, seconds: float) -> None:
    aws.post("/_localaws/clock", {"advance_seconds": seconds})


def until_next(aws: Aws, hour: int) -> float:
    """Seconds to the next time that it is this hour in UTC, at least one."""
    at = now(aws)
    wanted = at.replace(hour=hour, minute=0, second=0, microsecond=0)
    wanted += timedelta(days=1) if wanted <= at + timedelta(seconds=1) else timedelta()
    return (wanted - at).total_seconds()


def schedule(aws: Aws, target: dict[str, Any], expression: str, **more: Any) -> str:
    name = unique("schedule")
    aws.client("scheduler").create_schedule(
        Name=name, ScheduleExpression=expression, FlexibleTimeWindow=OFF, Target=target, **more
    )
    return name


def events(aws: Aws, target: dict[str, str], name: str) -> list[dict[str, str]]:
    """What the function got from a schedule."""
    lines = [json.loads(line) for line in printed(aws, target["Arn"].rsplit(":", 1)[-1])]
    return [event for event in lines if event.get("arn", "").endswith(f"/{name}")]


def test_a_rate_begins_at_once_and_a_long_jump_leaves_its_last_three(clock: Aws, target: dict[str, str]) -> None:
    begin = now(clock)
    name = schedule(clock, target, "rate(5 minutes)")
    assert len(fired(clock, name)) == 1
    advance(clock, 299)
    assert len(fired(clock, name)) == 1
    advance(clock, 1)
    assert len(fired(clock, name)) == 2
    advance(clock, 30 * 86_400)
    assert len(fired(clock, name)) == 5
    times = [(begin + timedelta(days=30, minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ") for minutes in (-5, 0, 5)]
    got = wait_for(lambda: len(found := events(clock, target, name)) == 5 and found, "five events")
    assert [event["time"] for event in got[2:]] == times
    assert {event["try"] for event in got} == {"1"}
    clock.client("scheduler").delete_schedule(Name=name)


def test_schedules_fire_in_the_order_of_their_times(clock: Aws, target: dict[str, str]) -> None:
    names = [schedule(clock, target, f"cron(0 {hour} * * ? *)") for hour in (22, 6)]
    advance(clock, until_next(clock, 12))
    for name in names:
        fired(clock, name)
    before = len(clock.get("/_localaws/schedules")["fired"])
    advance(clock, 86_400)
    fired(clock, names[0])
    order = [item["schedule"].rsplit("/", 1)[-1] for item in clock.get("/_localaws/schedules")["fired"][before:]]
    assert order == names
    for name in names:
        clock.client("scheduler").delete_schedule(Name=name)


def test_an_update_counts_from_then_on_and_a_disabled_schedule_rests(clock: Aws, target: dict[str, str]) -> None:
    scheduler = clock.client("scheduler")
    name = schedule(clock, target, "rate(1 hour)")
    request = {"Name": name, "FlexibleTimeWindow": OFF, "Target": target}
    advance(clock, 1800)
    scheduler.update_schedule(**request, ScheduleExpression="rate(1 hour)", Description="the same times")
    advance(clock, 1800)
    assert len(fired(clock, name)) == 2  # the rhythm stayed
    scheduler.update_schedule(**request, ScheduleExpression="rate(1 hour)", State="DISABLED")
    advance(clock, 7200)
    assert len(fired(clock, name)) == 2
    begin = now(clock) + timedelta(hours=3)
    dates = {"StartDate": begin, "EndDate": begin + timedelta(hours=1)}
    scheduler.update_schedule(**request, ScheduleExpression="rate(40 minutes)", **dates, ActionAfterCompletion="DELETE")
    advance(clock, 10_799)
    assert len(fired(clock, name)) == 2
    advance(clock, 86_400)
    assert len(fired(clock, name)) == 4
    with pytest.raises(ClientError, match="ResourceNotFoundException"):  # behind its end it is gone
        scheduler.get_schedule(Name=name)


def test_a_one_time_schedule_calls_an_operation_with_its_roles_rights(clock: Aws, target: dict[str, str]) -> None:
    soon = (now(clock) + timedelta(minutes=10)).strftime("at(%Y-%m-%dT%H:%M:%S)")
    topic, kept = unique("made"), unique("kept")
    allowed = {**target, "Arn": f"{UNIVERSAL}:sns:createTopic", "Input": json.dumps({"Name": topic})}
    denied = {**target, "Arn": f"{UNIVERSAL}:sagemaker:deleteEndpoint", "Input": json.dumps({"EndpointName": kept})}
    made = schedule(clock, allowed, soon, ActionAfterCompletion="DELETE")
    refused = schedule(clock, denied, soon)
    past = schedule(clock, allowed, "at(2020-01-01T00:00:00)")
    advance(clock, 600)
    [good], [bad] = fired(clock, made), fired(clock, refused)
    assert good["error"] == ""
    assert "is not authorized to perform: sagemaker:DeleteEndpoint" in bad["error"]
    assert fired(clock, past) == []
    topics = [item["TopicArn"].rsplit(":", 1)[-1] for item in clock.client("sns").list_topics()["Topics"]]
    assert topic in topics
    names = [item["Name"] for item in clock.client("scheduler").list_schedules()["Schedules"]]
    assert (made in names, refused in names) == (False, True)


def test_a_schedule_without_input_sends_scheduled_event_and_a_role_without_rights_nothing(
    clock: Aws, target: dict[str, str]
) -> None:
    plain = {name: target[name] for name in ("Arn", "RoleArn")}
    name = schedule(clock, plain, "rate(1 day)")
    fired(clock, name)

    def sent() -> Any:
        lines = [json.loads(line) for line in printed(clock, target["Arn"].rsplit(":", 1)[-1])]
        return [line for line in lines if line.get("source") == "aws.scheduler"]

    [event] = wait_for(sent, "the event")
    assert event["detail-type"] == "Scheduled Event"
    assert event["resources"][0].endswith(f"/default/{name}")
    powerless = schedule(clock, {**target, "RoleArn": role(clock, "logs:*")}, "rate(1 day)")
    [firing] = fired(clock, powerless)
    assert "is not authorized to perform: lambda:InvokeFunction" in firing["error"]
    for done in (name, powerless):
        clock.client("scheduler").delete_schedule(Name=done)


def test_groups_have_tags_and_take_their_schedules_along(clock: Aws, target: dict[str, str]) -> None:
    scheduler, group = clock.client("scheduler"), unique("group")
    tags = [{"Key": "slipway:stack", "Value": group}]
    arn = scheduler.create_schedule_group(Name=group, Tags=tags)["ScheduleGroupArn"]
    assert clock.tagged(group) == [arn]
    with pytest.raises(ClientError, match="ConflictException"):
        scheduler.create_schedule_group(Name=group)
    scheduler.untag_resource(ResourceArn=arn, TagKeys=["slipway:stack", "other"])
    scheduler.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    name = schedule(clock, target, "rate(1 hour)", GroupName=group)
    found = scheduler.get_schedule(Name=name, GroupName=group)
    assert (found["State"], found["ScheduleExpressionTimezone"], found["GroupName"]) == ("ENABLED", "UTC", group)
    assert found["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    assert [item["Name"] for item in scheduler.list_schedules(GroupName=group)["Schedules"]] == [name]
    count = len(fired(clock, name))
    scheduler.delete_schedule_group(Name=group)
    advance(clock, 7200)
    assert len(fired(clock, name)) == count
    with pytest.raises(ClientError, match=r"ResourceNotFoundException.*Schedule group"):
        scheduler.get_schedule(Name=name, GroupName=group)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"ScheduleExpression": "cron(0 8 * * * *)"}, r"Invalid Schedule Expression cron\(0 8 \* \* \* \*\)"),
        ({"ScheduleExpressionTimezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"StartDate": 0}, "The StartDate you specify cannot be earlier than 5 minutes ago"),
        ({"EndDate": 0}, "The EndDate"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes"),
        ({"Target.Arn": f"{UNIVERSAL}:sagemaker:listEndpoints"}, "listEndpoints only reads"),
        ({"Target.Arn": f"{UNIVERSAL}:sagemaker:StopTrainingJob"}, "camel case"),
        ({"Target.Arn": f"{UNIVERSAL}:nothing:doIt"}, "nothing"),
        ({"Target.RoleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}, "must allow AWS EventBridge Scheduler to assume"),
        ({"GroupName": "nowhere"}, "ResourceNotFoundException"),
    ],
)
def test_what_scheduler_refuses(clock: Aws, target: dict[str, str], wrong: dict[str, Any], text: str) -> None:
    request: dict[str, Any] = {
        "Name": unique("wrong"),
        "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": OFF,
        "Target": dict(target),
    }
    for name, value in wrong.items():
        place, _, member = name.partition(".")
        request[place] = {**request[place], member: value} if member else value
    with pytest.raises(ClientError, match=text):
        clock.client("scheduler").create_schedule(**request)
