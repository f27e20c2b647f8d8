"""EventBridge Scheduler: a schedule lies in a group, `default` unless the call names one."""

from localaws.iam.rules import ANY, Rule, Service, on

SCHEDULE, GROUP = "schedule/{GroupName}/{Name}", "schedule-group/{Name}"
_CHANGE = Rule(resources=(SCHEDULE,), passes={"Target.RoleArn": "scheduler.amazonaws.com"})

SERVICE = Service(
    client="scheduler",
    prefix="scheduler",
    normalise=lambda parameters, region: {"GroupName": "default", **parameters},
    rules={
        "CreateSchedule": _CHANGE,
        "UpdateSchedule": _CHANGE,
        **on(SCHEDULE, "GetSchedule", "DeleteSchedule"),
        "CreateScheduleGroup": Rule(resources=(GROUP,), tags="Tags", tag_action="TagResource"),
        **on(GROUP, "GetScheduleGroup", "DeleteScheduleGroup"),
        "TagResource": Rule(resources=("schedule-group/{ResourceArn}",), tags="Tags"),
        "UntagResource": Rule(resources=("schedule-group/{ResourceArn}",), conditions={"aws:TagKeys": "TagKeys[]"}),
        **on("schedule-group/{ResourceArn}", "ListTagsForResource"),
        **on(ANY, "ListSchedules", "ListScheduleGroups"),
    },
)
