"""EventBridge Scheduler: schedules and their groups. Only groups have tags."""

from __future__ import annotations

from localaws.pulumi_provider.aws import Context
from localaws.pulumi_provider.schema import AutoName, Hooks, Input, Properties, Read, ResourceType, Step, TagStyle, each

GONE = ("ResourceNotFoundException",)
# An update replaces the whole schedule: what it leaves out is lost.
_WHOLE = (
    "actionAfterCompletion",
    "description",
    "endDate",
    "flexibleTimeWindow",
    "kmsKeyArn",
    "scheduleExpression",
    "scheduleExpressionTimezone",
    "startDate",
    "state",
    "target",
)

SCHEDULE = ResourceType(
    token="aws:scheduler/schedule:Schedule",
    service="scheduler",
    create="CreateSchedule",
    read=Read(operation="GetSchedule"),
    delete="DeleteSchedule",
    key={"GroupName": "groupName", "Name": "name"},
    id="{groupName}/{name}",
    import_id=r"(?P<groupName>[^/]+)/(?P<name>[^/]+)",
    inputs={
        "name": Input(replaces=True),
        "groupName": Input(default="default", replaces=True),
        **each(Input(required=True), "flexibleTimeWindow", "scheduleExpression", "target"),
        "scheduleExpressionTimezone": Input(default="UTC"),
        "state": Input(default="ENABLED"),
        **each(Input(), "actionAfterCompletion", "description", "endDate", "kmsKeyArn", "startDate"),
    },
    outputs={"arn": "Arn"},
    steps=(Step(operation="UpdateSchedule", properties=_WHOLE),),
    auto_name=AutoName(prefix_property="namePrefix", limit=64),
    gone=GONE,
    lagging=("ValidationException:must allow AWS EventBridge Scheduler to assume the role",),
    refused=(
        "target.ecsParameters",
        "target.eventbridgeParameters",
        "target.kinesisParameters",
        "target.sagemakerPipelineParameters",
        "target.sqsParameters",
    ),
    absent=(
        "target.ecsParameters",
        "target.eventBridgeParameters",
        "target.eventBridgePutEventsV2Parameters",
        "target.eventBridgePutRawEventsParameters",
        "target.kinesisParameters",
        "target.sageMakerPipelineParameters",
        "target.sqsParameters",
    ),
)


def _dates(_context: Context, state: Properties, _found: object) -> None:
    for name in ("creationDate", "lastModificationDate"):
        state[name] = state[name].strftime("%Y-%m-%dT%H:%M:%SZ")


SCHEDULE_GROUP = ResourceType(
    token="aws:scheduler/scheduleGroup:ScheduleGroup",
    service="scheduler",
    create="CreateScheduleGroup",
    read=Read(operation="GetScheduleGroup"),
    delete="DeleteScheduleGroup",
    key={"Name": "name"},
    id="{name}",
    import_id=r"(?P<name>[^/]+)",
    inputs={"name": Input(replaces=True)},
    outputs={
        "arn": "Arn",
        "creationDate": "CreationDate",
        "lastModificationDate": "LastModificationDate",
        "state": "State",
    },
    auto_name=AutoName(prefix_property="namePrefix", limit=64),
    tags=TagStyle(
        key={"ResourceArn": "arn"}, create="Tags", add="TagResource", remove="UntagResource", list="ListTagsForResource"
    ),
    gone=GONE,
    hooks=Hooks(after_read=_dates),
)

ROWS = (SCHEDULE, SCHEDULE_GROUP)
