"""Scheduled actions of Application Auto Scaling: at their time the target's bounds change, and its count follows.

Setting a minimum above the running count scales out, a maximum below it scales in, as registering the target does. An
action of an endpoint that is being changed sets the bounds and fails to scale; the activities say so. A rate without a
start time begins one period after it was written (AWS does not document it).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from localaws.cloud import Call, Cloud, Handler
from localaws.errors import AwsError
from localaws.scalable_targets import backend, invalid, missing, target
from localaws.scaling import Scaling
from localaws.schedules import expressions
from localaws.schedules.clockwork import Entry, Firing, clockwork
from localaws.schedules.expressions import At, Timetable

SUSPENDED = "ScheduledScalingSuspended"


def put_scheduled_action(call: Call) -> None:
    """acts at its time: at, rate, cron in time zones; sets the target's bounds, the running count follows"""
    request, found_target = call.request, target(call)
    if found_target is None:
        raise missing(call, "scalable target")
    found, old = backend(call.region), _stored(call)
    if "Schedule" not in request and old is None:
        raise invalid("Schedule is required to create a scheduled action.")
    _check_action(request.get("ScalableTargetAction"), found_target, new=old is None)
    schedule = request.get("Schedule") or old.schedule
    timezone = request.get("Timezone") or (old.timezone if old else None)
    times = _timetable(call.cloud, schedule, timezone, request.get("StartTime"), request.get("EndTime"))
    found.put_scheduled_action(
        service_namespace=request["ServiceNamespace"],
        schedule=request.get("Schedule"),
        timezone=request.get("Timezone"),
        scheduled_action_name=request["ScheduledActionName"],
        resource_id=request["ResourceId"],
        scalable_dimension=request["ScalableDimension"],
        start_time=request.get("StartTime"),
        end_time=request.get("EndTime"),
        scalable_target_action=request.get("ScalableTargetAction"),
    )
    _wind(call, times)


def _stored(call: Call) -> Any:
    """moto's record of the action that a call names, or None."""
    request = call.request
    wanted = (request["ResourceId"], request["ScalableDimension"], request["ScheduledActionName"])
    actions = list(backend(call.region).scheduled_actions)
    return next((item for item in actions if _identity(item) == wanted), None)


def _identity(action: Any) -> tuple[str, str, str]:
    return action.resource_id, action.scalable_dimension, action.scheduled_action_name


def _timetable(cloud: Cloud, schedule: str, timezone: str | None, begin: float | None, end: float | None) -> Timetable:
    try:
        zone = expressions.zone(timezone or "UTC")
    except ValueError as error:
        raise invalid(f"Timezone is {error}.") from error
    try:
        found = expressions.parse(schedule, zone, cloud.clock.now() if begin is None else begin)
    except ValueError as error:
        raise invalid(f"Schedule is {schedule!r}: {error}.") from error
    if isinstance(found, At):
        return Timetable(expression=found)
    return Timetable(
        expression=found,
        start=float("-inf") if begin is None else begin,
        end=float("inf") if end is None else end,
    )


def _check_action(action: Mapping[str, int] | None, target: Any, *, new: bool) -> None:
    if not action:
        if new:
            raise invalid("ScalableTargetAction needs a MinCapacity, a MaxCapacity, or both.")
        return
    low, high = action.get("MinCapacity", target.min_capacity), action.get("MaxCapacity", target.max_capacity)
    if low > high:
        raise invalid("Maximum capacity cannot be less than minimum capacity")


@dataclass(frozen=True, kw_only=True)
class _Action:
    """An action in the clockwork; moto's record has its newest form."""

    cloud: Cloud
    region: str
    record: Any

    @property
    def key(self) -> str:
        found: str = self.record.arn
        return found

    def fire(self, scheduled: float) -> None:
        """Set the bounds, unless the action is gone or the target's schedule is suspended."""
        if self.record not in backend(self.region).scheduled_actions:
            clockwork(self.cloud).remove(self.key)
            return
        where = backend(self.region).targets[self.record.scalable_dimension][self.record.resource_id]
        if (where.suspended_state or {}).get(SUSPENDED):
            return
        error = self._set_bounds(where)
        now = self.cloud.clock.now()
        clockwork(self.cloud).history.append(Firing(key=self.key, scheduled=scheduled, at=now, error=error))

    def _set_bounds(self, where: Any) -> str:
        """Do it, and write it down. Returns the error, if any."""
        from localaws.autoscaling import register_scalable_target  # which imports this

        wanted = {"MinCapacity": where.min_capacity, "MaxCapacity": where.max_capacity}
        wanted |= self.record.scalable_target_action
        request = {
            "ServiceNamespace": self.record.service_namespace,
            "ResourceId": self.record.resource_id,
            "ScalableDimension": self.record.scalable_dimension,
            **wanted,
        }
        error = ""
        try:
            register_scalable_target(
                Call(cloud=self.cloud, region=self.region, operation="RegisterScalableTarget", request=request)
            )
        except AwsError as failed:
            error = failed.message
            if wanted["MinCapacity"] <= wanted["MaxCapacity"]:
                where.min_capacity, where.max_capacity = wanted["MinCapacity"], wanted["MaxCapacity"]
        activity = _activity(self.record, wanted, error, self.cloud.clock.now())
        self.cloud.store(self.region, Scaling).activities.insert(0, activity)
        return error


def _activity(record: Any, wanted: Mapping[str, int], error: str, now: float) -> dict[str, Any]:
    """What DescribeScalingActivities tells of it."""
    what = f"min capacity to {wanted['MinCapacity']} and max capacity to {wanted['MaxCapacity']}"
    return {
        "ActivityId": str(uuid4()),
        "ServiceNamespace": record.service_namespace,
        "ResourceId": record.resource_id,
        "ScalableDimension": record.scalable_dimension,
        "Description": f"Setting {what}",
        "Cause": f"scheduled action name {record.scheduled_action_name} was triggered",
        "StartTime": now,
        "EndTime": now,
        "StatusCode": "Failed" if error else "Successful",
        "StatusMessage": f"Failed to set {what}. Reason: {error}" if error else f"Successfully set {what}",
    }


def _wind(call: Call, times: Timetable) -> None:
    action = _Action(cloud=call.cloud, region=call.region, record=_stored(call))
    now = call.cloud.clock.now()
    entry = Entry(key=action.key, timetable=times, fired=now, fire=action.fire)
    clockwork(call.cloud).put(call.cloud, entry)


def delete_scheduled_action(call: Call) -> None:
    found = _stored(call)
    if found is None:
        raise missing(call, "scheduled action")
    backend(call.region).scheduled_actions.remove(found)
    clockwork(call.cloud).remove(found.arn)


OPERATIONS: dict[str, Handler] = {
    "DeleteScheduledAction": delete_scheduled_action,
    "PutScheduledAction": put_scheduled_action,
}
