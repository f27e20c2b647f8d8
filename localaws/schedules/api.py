"""EventBridge Scheduler's operations: schedules and groups, which really fire (clockwork.py)."""

from collections.abc import Mapping
from typing import Any

from localaws.cloud import Call, Handler, arn
from localaws.paging import page
from localaws.schedules import checks, firing
from localaws.schedules.clockwork import Entry, clockwork
from localaws.schedules.expressions import Rate, Timetable
from localaws.schedules.store import DEFAULT, Group, conflict, group, group_arn, invalid, missing, schedule, schedules

DEFAULT_RESULTS = 100
MOMENT_SECONDS = 1e-3  # a rate without a begin fires at once: its first time is not past yet
DEFAULTS = {"ScheduleExpressionTimezone": "UTC", "State": "ENABLED", "ActionAfterCompletion": "NONE"}

DIFFERENCES = (
    ("a stepped clock that jumps", "of the times that it jumps over, each schedule's last 3 fire, in order"),
    ("precision", "a schedule fires at its time, not within the minute; a flexible window's begin is its time"),
    ("targets", "functions, SNS topics, universal targets; dead letter queues are stored only"),
    ("retries", "a minute apart, of calls that were throttled or got no answer"),
)


def create_schedule(call: Call) -> Mapping[str, Any]:
    """fires by the clock: at, rate, cron in time zones; functions, SNS topics, universal targets"""
    name, into = call.request["Name"], group(call, call.request.get("GroupName"))
    with schedules(call).lock:
        if name in into.schedules:
            raise conflict(f"Schedule {name} already exists.")
        record = _record(call, into, call.cloud.clock.now())
        times = checks.timetable(record, call.cloud.clock.now())
        checks.check(record, into.arn)
        into.schedules[name] = record
        _wind(call, into, record, times)
    return {"ScheduleArn": record["Arn"]}


def update_schedule(call: Call) -> Mapping[str, Any]:
    """replaces the whole schedule, as in AWS; a rate whose times are the same keeps its rhythm"""
    old, into = schedule(call), group(call, call.request.get("GroupName"))
    now = call.cloud.clock.now()
    record = _record(call, into, old["CreationDate"])
    times = checks.timetable(record, now)
    checks.check(record, into.arn)
    kept = _same_times(old, record) and old["State"] == "ENABLED"
    with schedules(call).lock:
        before = clockwork(call.cloud).entries.get(record["Arn"])
        into.schedules[record["Name"]] = record
        if kept and before is not None:
            _wind(call, into, record, before.timetable, before.fired)
        else:
            _wind(call, into, record, times)
    return {"ScheduleArn": record["Arn"]}


def _same_times(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    names = ("ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "EndDate")
    return all(old.get(name) == new.get(name) for name in names)


def _record(call: Call, into: Group, created: float) -> dict[str, Any]:
    """The schedule as GetSchedule shows it."""
    request = call.request
    target = {**request["Target"], "RetryPolicy": checks.retry_policy(request["Target"])}
    return {
        **DEFAULTS,
        **{name: value for name, value in request.items() if name != "ClientToken"},
        "Target": target,
        "Arn": arn("scheduler", call.region, f"schedule/{into.name}/{request['Name']}"),
        "GroupName": into.name,
        "CreationDate": created,
        "LastModificationDate": call.cloud.clock.now(),
    }


def _wind(call: Call, into: Group, record: dict[str, Any], times: Timetable, fired: float | None = None) -> None:
    """Put the schedule into the clockwork, or take a disabled one out."""
    cloud, region, work, name = call.cloud, call.region, clockwork(call.cloud), record["Name"]
    if record["State"] != "ENABLED":
        work.remove(record["Arn"])
        return
    now = cloud.clock.now()

    def over() -> None:
        if record["ActionAfterCompletion"] == "DELETE" and into.schedules.get(name) is record:
            del into.schedules[name]

    past = now - MOMENT_SECONDS if isinstance(times.expression, Rate) else now
    work.put(
        cloud,
        Entry(
            key=record["Arn"],
            timetable=times,
            fired=past if fired is None else fired,
            fire=lambda scheduled: firing.fire(cloud, region, record, scheduled),
            over=over,
        ),
    )


def get_schedule(call: Call) -> Mapping[str, Any]:
    return schedule(call)


def delete_schedule(call: Call) -> None:
    record = schedule(call)
    group(call, record["GroupName"]).schedules.pop(record["Name"], None)
    clockwork(call.cloud).remove(record["Arn"])


def list_schedules(call: Call) -> Mapping[str, Any]:
    request = call.request
    wanted, prefix, state = request.get("GroupName"), request.get("NamePrefix", ""), request.get("State")
    records = [record for item in list(schedules(call).groups.values()) for record in list(item.schedules.values())]
    found = [
        {**record, "Target": {"Arn": record["Target"]["Arn"]}}
        for record in sorted(records, key=lambda record: (record["GroupName"], record["Name"]))
        if wanted in (None, record["GroupName"])
        and record["Name"].startswith(prefix)
        and state in (None, record["State"])
    ]
    shown, token = page(found, request.get("NextToken"), request.get("MaxResults", DEFAULT_RESULTS))
    return {"Schedules": shown, "NextToken": token}


def create_schedule_group(call: Call) -> Mapping[str, Any]:
    name, found = call.request["Name"], schedules(call)
    tags = {tag["Key"]: tag["Value"] for tag in call.request.get("Tags", [])}
    with found.lock:
        if name in found.groups:
            raise conflict(f"Schedule group {name} already exists.")
        made = Group(name=name, arn=group_arn(call.region, name), created=call.cloud.clock.now(), tags=tags)
        found.groups[name] = made
    return {"ScheduleGroupArn": made.arn}


def get_schedule_group(call: Call) -> Mapping[str, Any]:
    return group(call, call.request["Name"]).described()


def delete_schedule_group(call: Call) -> None:
    """its schedules go too"""
    found = group(call, call.request["Name"])
    if found.name == DEFAULT:
        raise invalid("The default schedule group cannot be deleted.")
    with schedules(call).lock:
        schedules(call).groups.pop(found.name, None)
    for record in list(found.schedules.values()):
        clockwork(call.cloud).remove(record["Arn"])


def list_schedule_groups(call: Call) -> Mapping[str, Any]:
    prefix = call.request.get("NamePrefix", "")
    groups = sorted(schedules(call).groups.values(), key=lambda item: (item.name != DEFAULT, item.name))
    found = [item.described() for item in groups if item.name.startswith(prefix)]
    shown, token = page(found, call.request.get("NextToken"), call.request.get("MaxResults", DEFAULT_RESULTS))
    return {"ScheduleGroups": shown, "NextToken": token}


def _tagged(call: Call) -> Group:
    wanted = call.request["ResourceArn"]
    found = next((item for item in schedules(call).groups.values() if item.arn == wanted), None)
    if found is None:
        raise missing(f"Schedule group {wanted.rsplit('/', 1)[-1]} does not exist.")
    return found


def list_tags_for_resource(call: Call) -> Mapping[str, Any]:
    return {"Tags": [{"Key": key, "Value": value} for key, value in _tagged(call).tags.items()]}


def tag_resource(call: Call) -> None:
    """of groups; AWS has no tags of schedules"""
    _tagged(call).tags.update({tag["Key"]: tag["Value"] for tag in call.request["Tags"]})


def untag_resource(call: Call) -> None:
    tags = _tagged(call).tags
    for key in call.request["TagKeys"]:
        tags.pop(key, None)


OPERATIONS: dict[str, Handler] = {
    "CreateSchedule": create_schedule,
    "CreateScheduleGroup": create_schedule_group,
    "DeleteSchedule": delete_schedule,
    "DeleteScheduleGroup": delete_schedule_group,
    "GetSchedule": get_schedule,
    "GetScheduleGroup": get_schedule_group,
    "ListScheduleGroups": list_schedule_groups,
    "ListSchedules": list_schedules,
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "UpdateSchedule": update_schedule,
}
