"""What EventBridge Scheduler checks of a schedule before it takes it."""

from collections.abc import Mapping
from typing import Any

from localaws import roles
from localaws.schedules import expressions, targets
from localaws.schedules.expressions import At, Timetable
from localaws.schedules.store import invalid

START_LEEWAY_SECONDS = 300
RETRIES = 185
EVENT_AGE_SECONDS = 86_400
CANNOT_ASSUME = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."


def timetable(request: Mapping[str, Any], now: float) -> Timetable:
    """The times of a schedule that is written now. Raises AwsError. One-time schedules have no begin or end."""
    begin, end = request.get("StartDate"), request.get("EndDate")
    try:
        zone = expressions.zone(request.get("ScheduleExpressionTimezone", "UTC"))
    except ValueError as error:
        raise invalid(f"Invalid Schedule Expression Timezone: {error}") from error
    try:
        found = expressions.parse(request["ScheduleExpression"], zone, now if begin is None else begin)
    except ValueError as error:
        raise invalid(f"Invalid Schedule Expression {request['ScheduleExpression']}: {error}") from error
    if isinstance(found, At):
        return Timetable(expression=found)
    if begin is not None and begin < now - START_LEEWAY_SECONDS:
        raise invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
    if end is not None and end <= max(now, begin or now):
        raise invalid("The EndDate you specify must be in the future and later than the StartDate.")
    return Timetable(
        expression=found,
        start=float("-inf") if begin is None else begin,
        end=float("inf") if end is None else end,
    )


def check(request: Mapping[str, Any], group_arn: str) -> None:
    """Window, target and role. Raises AwsError."""
    window, target = request["FlexibleTimeWindow"], request["Target"]
    if (window["Mode"] == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
        raise invalid("MaximumWindowInMinutes belongs to a FlexibleTimeWindow with the mode FLEXIBLE, and to no other.")
    if problem := targets.problem(target["Arn"], target.get("Input")):
        raise invalid(problem)
    if not roles.assumable(target["RoleArn"], "scheduler.amazonaws.com", group_arn):
        raise invalid(CANNOT_ASSUME)


def retry_policy(target: Mapping[str, Any]) -> dict[str, int]:
    """The target's, completed by AWS's defaults."""
    defaults = {"MaximumEventAgeInSeconds": EVENT_AGE_SECONDS, "MaximumRetryAttempts": RETRIES}
    return {**defaults, **target.get("RetryPolicy", {})}
