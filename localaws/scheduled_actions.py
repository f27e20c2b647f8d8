"""Scheduled actions of Application Auto Scaling: checked and stored; nothing happens at their time."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localaws.cloud import Call, Handler
from localaws.scalable_targets import backend, invalid, missing, target

SCHEDULE = re.compile(r"(at|rate|cron)\((.+)\)")
RATE = re.compile(r"[1-9]\d* (minute|hour|day)s?")
CRON_FIELDS = 6


def put_scheduled_action(call: Call) -> None:
    """checked and stored; nothing happens at its time"""
    request, found_target = call.request, target(call)
    if found_target is None:
        raise missing(call, "scalable target")
    name, found = request["ScheduledActionName"], backend(call.region)
    key = (request["ServiceNamespace"], request["ResourceId"], request["ScalableDimension"], name)
    known = any(
        (item.service_namespace, item.resource_id, item.scalable_dimension, item.scheduled_action_name) == key
        for item in found.scheduled_actions
    )
    if "Schedule" in request:
        _check_schedule(request["Schedule"])
    elif not known:
        raise invalid("Schedule is required to create a scheduled action.")
    _check_action(request.get("ScalableTargetAction"), found_target, new=not known)
    try:
        ZoneInfo(request.get("Timezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise invalid(f"Timezone {request['Timezone']!r} is not a name of the IANA time zone database.") from error
    found.put_scheduled_action(
        service_namespace=request["ServiceNamespace"],
        schedule=request.get("Schedule"),
        timezone=request.get("Timezone"),
        scheduled_action_name=name,
        resource_id=request["ResourceId"],
        scalable_dimension=request["ScalableDimension"],
        start_time=request.get("StartTime"),
        end_time=request.get("EndTime"),
        scalable_target_action=request.get("ScalableTargetAction"),
    )


def _check_schedule(schedule: str) -> None:
    match = SCHEDULE.fullmatch(schedule)
    kind, inner = match.groups() if match else ("", "")
    try:
        at = kind == "at" and bool(datetime.fromisoformat(inner))
    except ValueError:
        at = False
    if not (at or (kind == "rate" and RATE.fullmatch(inner)) or (kind == "cron" and len(inner.split()) == CRON_FIELDS)):
        raise invalid(
            f"Schedule is {schedule!r}; allowed: at(yyyy-mm-ddThh:mm:ss), rate(value unit), cron(fields) of minutes, "
            "hours, day of month, month, day of week, year."
        )


def _check_action(action: Mapping[str, int] | None, target: Any, *, new: bool) -> None:
    if not action:
        if new:
            raise invalid("ScalableTargetAction needs a MinCapacity, a MaxCapacity, or both.")
        return
    low, high = action.get("MinCapacity", target.min_capacity), action.get("MaxCapacity", target.max_capacity)
    if low > high:
        raise invalid("Maximum capacity cannot be less than minimum capacity")


def delete_scheduled_action(call: Call) -> None:
    request, found = call.request, backend(call.region)
    wanted = (request["ResourceId"], request["ScalableDimension"], request["ScheduledActionName"])
    left = [
        item
        for item in found.scheduled_actions
        if (item.resource_id, item.scalable_dimension, item.scheduled_action_name) != wanted
    ]
    if len(left) == len(found.scheduled_actions):
        raise missing(call, "scheduled action")
    found.scheduled_actions = left


OPERATIONS: dict[str, Handler] = {
    "DeleteScheduledAction": delete_scheduled_action,
    "PutScheduledAction": put_scheduled_action,
}
