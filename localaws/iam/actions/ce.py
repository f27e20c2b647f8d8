"""Cost Explorer: no resources of its own."""

from localaws.iam.rules import ANY, Service, on

SERVICE = Service(
    client="ce",
    prefix="ce",
    rules={
        **on(ANY, "GetCostAndUsage", "GetCostAndUsageWithResources", "GetCostForecast"),
        **on(ANY, "GetTags", "GetDimensionValues"),
        **on(ANY, "ListCostAllocationTags", "UpdateCostAllocationTagsStatus"),
    },
)
