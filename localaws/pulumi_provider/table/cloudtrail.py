"""CloudTrail trails."""

from __future__ import annotations

from typing import Any

from localaws.pulumi_provider import convert
from localaws.pulumi_provider.aws import Context
from localaws.pulumi_provider.bind import bind
from localaws.pulumi_provider.schema import (
    AutoName,
    Form,
    Input,
    Look,
    Member,
    Properties,
    Read,
    ResourceType,
    Step,
    TagStyle,
    each,
)

# What CloudTrail records of a trail that has no selectors: management events, both reads and writes.
MANAGEMENT_EVENTS = {"ReadWriteType": "All", "IncludeManagementEvents": True}
_SELECTORS = {"eventSelectors": "EventSelectors", "advancedEventSelectors": "AdvancedEventSelectors"}
_SETTINGS = (
    "cloudWatchLogsGroupArn",
    "cloudWatchLogsRoleArn",
    "enableLogFileValidation",
    "includeGlobalServiceEvents",
    "isMultiRegionTrail",
    "isOrganizationTrail",
    "kmsKeyId",
    "s3BucketName",
    "s3KeyPrefix",
    "snsTopicName",
)


def _select_events(context: Context, properties: Properties) -> None:
    """A trail has selectors of one of the two kinds; without any it goes back to management events."""
    request: dict[str, Any] = {
        member: convert.to_api(bind(context.row)[name].node, properties[name])
        for name, member in _SELECTORS.items()
        if properties.get(name)
    }
    request = request or {"EventSelectors": [MANAGEMENT_EVENTS]}
    context.call("PutEventSelectors", {"TrailName": properties["name"], **request})


def _switch_logging(context: Context, properties: Properties) -> None:
    operation = "StartLogging" if properties["enableLogging"] else "StopLogging"
    context.call(operation, {"Name": properties["name"]})


def _look(operation: str, into: str, member: str, none: tuple[str, ...] = ()) -> Look:
    return Look(operation=operation, into=into, request=lambda known: {member: known["name"]}, none=none)


TRAIL = ResourceType(
    token="aws:cloudtrail/trail:Trail",
    service="cloudtrail",
    create="CreateTrail",
    read=Read(
        operation="GetTrail",
        result="Trail",
        looks=(
            _look("GetTrailStatus", "Status", "Name"),
            _look("GetEventSelectors", "Selectors", "TrailName"),
            _look("GetInsightSelectors", "Insights", "TrailName", none=("InsightNotEnabledException",)),
            Look(operation="ListTags", into="Tags", request=lambda known: {"ResourceIdList": [known["TrailARN"]]}),
        ),
    ),
    delete="DeleteTrail",
    key={"Name": "name"},
    id="{arn}",
    import_id=r"(?:arn:.*:trail/)?(?P<name>[^/]+)",
    inputs={
        "name": Input(replaces=True),
        "s3BucketName": Input(required=True),
        "advancedEventSelectors": Input(read="Selectors.AdvancedEventSelectors"),
        "eventSelectors": Input(read="Selectors.EventSelectors"),
        "insightSelectors": Input(read="Insights.InsightSelectors", cleared=[]),
        "cloudWatchLogsGroupArn": Input(api="CloudWatchLogsLogGroupArn", cleared=""),
        "enableLogFileValidation": Input(read="LogFileValidationEnabled", default=False),
        # A new trail records nothing until it is told to.
        "enableLogging": Input(kind="boolean", read="Status.IsLogging", default=True, initial=False),
        "includeGlobalServiceEvents": Input(default=True),
        **each(Input(default=False), "isMultiRegionTrail", "isOrganizationTrail"),
        **each(Input(cleared=""), "cloudWatchLogsRoleArn", "s3KeyPrefix", "snsTopicName"),
        "kmsKeyId": Input(form=Form.KEY, cleared=""),
    },
    nested={
        "advancedEventSelectors.fieldSelectors.endsWiths": Member(api="EndsWith"),
        "advancedEventSelectors.fieldSelectors.notEndsWiths": Member(api="NotEndsWith"),
        "advancedEventSelectors.fieldSelectors.notStartsWiths": Member(api="NotStartsWith"),
        "advancedEventSelectors.fieldSelectors.startsWiths": Member(api="StartsWith"),
        "eventSelectors.includeManagementEvents": Member(default=True),
        "eventSelectors.readWriteType": Member(default="All"),
    },
    outputs={"arn": "TrailARN", "homeRegion": "HomeRegion", "snsTopicArn": "SnsTopicARN"},
    steps=(
        Step(operation="UpdateTrail", properties=_SETTINGS),
        Step(
            operation="PutEventSelectors",
            act=_select_events,
            properties=tuple(_SELECTORS),
            on_create=True,
            key={"TrailName": "name"},
        ),
        Step(
            operation="PutInsightSelectors",
            properties=("insightSelectors",),
            on_create=True,
            key={"TrailName": "name"},
        ),
        Step(operation="StartLogging", act=_switch_logging, properties=("enableLogging",), on_create=True),
    ),
    auto_name=AutoName(limit=128),
    tags=TagStyle(
        key={"ResourceId": "arn"},
        create="TagsList",
        add="AddTags",
        add_member="TagsList",
        remove="RemoveTags",
        remove_member="TagsList",
        remove_pairs=True,
        result="Tags.ResourceTagList[0].TagsList",
    ),
    gone=("TrailNotFoundException",),
    absent=("insightSelectors.eventCategories",),
    lagging=(
        "InvalidCloudWatchLogsLogGroupArnException:Access denied",
        "InvalidCloudWatchLogsRoleArnException:Access denied",
    ),
)

ROWS = (TRAIL,)
