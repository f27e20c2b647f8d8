"""The Resource Groups Tagging API; IAM calls it `tag`."""

from localaws.iam.rules import ANY, Service, on

SERVICE = Service(
    client="resourcegroupstaggingapi",
    prefix="tag",
    rules=on(ANY, "GetResources", "GetTagKeys", "GetTagValues", "TagResources", "UntagResources"),
)
