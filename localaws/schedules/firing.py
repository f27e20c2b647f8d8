"""One firing of a schedule: its input, the call, the metrics, and another attempt where the target was out of reach."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from localaws.clock import Event
from localaws.cloud import ACCOUNT, Cloud
from localaws.money import ledger
from localaws.sagemaker import metrics
from localaws.schedules import targets
from localaws.schedules.clockwork import Entry, Firing, clockwork
from localaws.schedules.expressions import At, Timetable
from localaws.schedules.store import Schedules
from localaws.schedules.targets import Target, TargetError

NAMESPACE = "AWS/Scheduler"
RETRY_SECONDS = 60


def fire(cloud: Cloud, region: str, schedule: Mapping[str, Any], scheduled: float) -> Event | None:
    """Call the schedule's target for a scheduled time."""
    return _attempt(cloud, region, schedule, scheduled, str(uuid4()), 1)


def _attempt(
    cloud: Cloud, region: str, schedule: Mapping[str, Any], scheduled: float, execution: str, number: int
) -> Event | None:
    wanted = schedule["Target"]
    text = wanted.get("Input")
    text = _default(region, schedule, scheduled) if text is None and ":lambda:" in wanted["Arn"] else text or ""
    filled = _filled(text, schedule["Arn"], scheduled, execution, number)
    group = cloud.store(region, Schedules).groups.get(schedule["GroupName"])  # schedules have no tags of their own
    ledger.count(cloud, region, "Scheduler:Invocation", schedule["Arn"], 1, group.tags if group else None)
    started, error = None, None
    try:
        target = Target(cloud=cloud, region=region, arn=wanted["Arn"], role=wanted["RoleArn"], input=filled)
        started = targets.call(target)
    except TargetError as failed:
        error = failed
        _again(cloud, region, schedule, scheduled, execution, number, failed)
    _record(cloud, region, schedule, scheduled, number, error)
    return started


def _filled(text: str, arn: str, scheduled: float, execution: str, number: int) -> str:
    """The input with the context attributes filled in. Source: "Adding context attributes"."""
    attributes = {
        "schedule-arn": arn,
        "scheduled-time": stamp(scheduled),
        "execution-id": execution,
        "attempt-number": str(number),
    }
    for name, value in attributes.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def stamp(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _default(region: str, schedule: Mapping[str, Any], scheduled: float) -> str:
    """What a function gets from a schedule without an Input."""
    event = {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT,
        "time": stamp(scheduled),
        "region": region,
        "resources": [schedule["Arn"]],
        "detail": "{}",
    }
    return json.dumps(event)


def _again(
    cloud: Cloud,
    region: str,
    schedule: Mapping[str, Any],
    scheduled: float,
    execution: str,
    number: int,
    error: TargetError,
) -> None:
    """Put another attempt into the clockwork, where the error may pass and the retry policy allows one."""
    policy, due = schedule["Target"]["RetryPolicy"], cloud.clock.now() + RETRY_SECONDS
    too_old = due - scheduled > policy["MaximumEventAgeInSeconds"]
    if not error.passing or number > policy["MaximumRetryAttempts"] or too_old:
        return
    clockwork(cloud).put(
        cloud,
        Entry(
            key=f"{schedule['Arn']}#{execution}",
            timetable=Timetable(expression=At(time=due)),
            fired=cloud.clock.now(),
            fire=lambda time: _attempt(cloud, region, schedule, scheduled, execution, number + 1),
        ),
    )


def _record(
    cloud: Cloud,
    region: str,
    schedule: Mapping[str, Any],
    scheduled: float,
    number: int,
    error: TargetError | None,
) -> None:
    now, reason = cloud.clock.now(), str(error) if error else ""
    counted = ["InvocationAttemptCount", *(["TargetErrorCount"] if error else [])]
    data = [{"MetricName": name, "Value": 1.0, "Unit": "Count"} for name in counted]
    metrics.put(region, NAMESPACE, data, now, {"ScheduleGroup": schedule["GroupName"]})
    firing = Firing(key=schedule["Arn"], scheduled=scheduled, at=now, attempt=number, error=reason)
    clockwork(cloud).history.append(firing)
    if error:
        print(f"localaws: {schedule['Arn']} failed: {reason}", file=sys.stderr)
