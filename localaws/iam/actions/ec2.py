"""EC2: the network of a stack. What is being created is named `*`, what exists by its id."""

from localaws.iam.rules import ANY, Parameters, Rule, Service, on

VPC, SUBNET, TABLE = "vpc/{VpcId}", "subnet/{SubnetId}", "route-table/{RouteTableId}"
GROUP, RULE, ENDPOINT = "security-group/{GroupId}", "security-group-rule/*", "vpc-endpoint/{VpcEndpointIds[]}"
INTERFACE = "network-interface/{NetworkInterfaceId}"
# The kind of resource behind an id, which CreateTags has alone.
KINDS = {
    "vpc": "vpc",
    "subnet": "subnet",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "vpce": "vpc-endpoint",
    "eni": "network-interface",
}


def _create(*resources: str) -> Rule:
    return Rule(resources=resources, tags="TagSpecifications[].Tags[]", tag_action="CreateTags")


def _normalise(parameters: Parameters, region: str) -> Parameters:
    """CreateTags names resources by their ids alone."""
    if "Resources" not in parameters:
        return parameters
    named = [f"{KINDS.get(name.rpartition('-')[0], ANY)}/{name}" for name in parameters["Resources"]]
    return {**parameters, "Resources": named}


SERVICE = Service(
    client="ec2",
    prefix="ec2",
    normalise=_normalise,
    denied="UnauthorizedOperation",
    rules={
        "CreateVpc": _create("vpc/*"),
        **on(VPC, "DeleteVpc", "ModifyVpcAttribute", "DescribeVpcAttribute"),
        "CreateSubnet": _create("subnet/*", VPC),
        **on(SUBNET, "DeleteSubnet", "ModifySubnetAttribute"),
        "CreateRouteTable": _create("route-table/*", VPC),
        **on(TABLE, "DeleteRouteTable", "CreateRoute", "DeleteRoute"),
        **on((TABLE, SUBNET), "AssociateRouteTable"),
        **on(TABLE, "ReplaceRouteTableAssociation", "DisassociateRouteTable"),
        "CreateSecurityGroup": _create("security-group/*", VPC),
        **on(GROUP, "DeleteSecurityGroup"),
        "AuthorizeSecurityGroupIngress": _create(GROUP, RULE),
        "AuthorizeSecurityGroupEgress": _create(GROUP, RULE),
        **on(GROUP, "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"),
        **on((GROUP, RULE), "ModifySecurityGroupRules"),
        "CreateVpcEndpoint": _create(
            "vpc-endpoint/*",
            VPC,
            "route-table/{RouteTableIds[]}",
            "subnet/{SubnetIds[]}",
            "security-group/{SecurityGroupIds[]}",
        ),
        **on("vpc-endpoint/{VpcEndpointId}", "ModifyVpcEndpoint"),
        **on(ENDPOINT, "DeleteVpcEndpoints"),
        "CreateNetworkInterface": _create("network-interface/*", SUBNET, "security-group/{Groups[]}"),
        **on(INTERFACE, "DeleteNetworkInterface", "CreateNetworkInterfacePermission"),
        "CreateTags": Rule(resources=("{Resources[]}",), tags="Tags"),
        "DeleteTags": Rule(resources=("{Resources[]}",), conditions={"aws:TagKeys": "Tags[].Key"}),
        **on(ANY, "DescribeVpcs", "DescribeSubnets", "DescribeRouteTables", "DescribeSecurityGroups"),
        **on(ANY, "DescribeSecurityGroupRules", "DescribeVpcEndpoints", "DescribeAvailabilityZones"),
        **on(ANY, "DescribeNatGateways", "DescribeAddresses"),
        **on(ANY, "DescribeNetworkInterfaces", "DescribePrefixLists", "DescribeTags", "DescribeDhcpOptions"),
        **on(ANY, "DescribeRegions", "DescribeVpcEndpointServices", "DescribeNetworkAcls"),
        **on(ANY, "DescribeInstanceTypes", "DescribeManagedPrefixLists"),
    },
)
