"""The Pricing API: no resources of its own."""

from localaws.iam.rules import ANY, Service, on

SERVICE = Service(
    client="pricing",
    prefix="pricing",
    rules={**on(ANY, "DescribeServices", "GetAttributeValues", "GetProducts")},
)
