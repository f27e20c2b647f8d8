"""CloudTrail."""

from localaws.iam.rules import ANY, Rule, Service, on

TRAIL, NAMED = "trail/{Name}", "trail/{TrailName}"

SERVICE = Service(
    client="cloudtrail",
    prefix="cloudtrail",
    rules={
        "CreateTrail": Rule(resources=(TRAIL,), tags="TagsList", tag_action="AddTags"),
        **on(TRAIL, "DeleteTrail", "GetTrail", "GetTrailStatus", "StartLogging", "StopLogging", "UpdateTrail"),
        **on(NAMED, "PutEventSelectors", "GetEventSelectors", "PutInsightSelectors", "GetInsightSelectors"),
        "AddTags": Rule(resources=("trail/{ResourceId}",), tags="TagsList"),
        "RemoveTags": Rule(resources=("trail/{ResourceId}",), tags="TagsList"),
        **on("trail/{ResourceIdList[]}", "ListTags"),
        **on(ANY, "DescribeTrails", "ListTrails", "LookupEvents"),
    },
)
