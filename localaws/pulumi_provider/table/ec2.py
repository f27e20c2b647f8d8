"""A private network: VPC, subnets, route tables and VPC endpoints."""

from __future__ import annotations

from typing import Any

from localaws.pulumi_provider import waiters
from localaws.pulumi_provider.aws import CallError, Context
from localaws.pulumi_provider.schema import (
    Form,
    Hooks,
    Input,
    Look,
    Properties,
    Read,
    ResourceType,
    Step,
    TagStyle,
    each,
)

BUSY = ("DependencyViolation",)
ENDPOINT_LIMIT_SECONDS = 10 * 60  # pulumi-aws' default, for creation and deletion
# What an update of an endpoint takes as differences: property -> (members to add and remove, path in the answer).
_ENDPOINT_LISTS = {
    "routeTableIds": ("AddRouteTableIds", "RemoveRouteTableIds"),
    "securityGroupIds": ("AddSecurityGroupIds", "RemoveSecurityGroupIds"),
    "subnetIds": ("AddSubnetIds", "RemoveSubnetIds"),
}


def tag_style(resource_type: str, key: str = "id") -> TagStyle:
    """Tags of one of EC2's types: part of every answer, written and removed by operations for all types."""
    return TagStyle(
        key={"Resources": key},
        create="TagSpecifications",
        resource_type=resource_type,
        add="CreateTags",
        remove="DeleteTags",
        remove_member="Tags",
        remove_pairs=True,
    )


def _attribute(name: str) -> Look:
    """One attribute of a VPC: DescribeVpcAttribute tells one at a time."""
    return Look(
        operation="DescribeVpcAttribute", into=name, request=lambda known: {"VpcId": known["id"], "Attribute": name}
    )


def _first(operation: str, into: str, **filters: str) -> Look:
    """The parts that AWS makes with a VPC, found by filters on the VPC's own list."""
    wanted = [{"Name": name.replace("_", "-").replace("--", "."), "Values": [value]} for name, value in filters.items()]
    return Look(
        operation=operation,
        into=into,
        request=lambda known: {"Filters": [{"Name": "vpc-id", "Values": [known["id"]]}, *wanted]},
    )


def _replace_association(context: Context, properties: Properties) -> None:
    """Moves the subnet to another table; AWS gives the association a new id."""
    context.call(
        "ReplaceRouteTableAssociation",
        {"AssociationId": properties["id"], "RouteTableId": properties["routeTableId"]},
    )


def _association_id(_context: Context, state: Properties, found: Any) -> None:
    state["id"] = found["RouteTableAssociationId"]


def _disassociate(context: Context, state: Properties) -> None:
    context.call("DisassociateRouteTable", {"AssociationId": state["id"]})


def _update_endpoint(context: Context, properties: Properties) -> None:
    """Sends settings as they are to be, and lists as differences from what the endpoint has now."""
    found = context.call("DescribeVpcEndpoints", {"VpcEndpointIds": [properties["id"]]})["VpcEndpoints"][0]
    request: dict[str, Any] = {}
    present = {
        "routeTableIds": found.get("RouteTableIds", []),
        "securityGroupIds": [group["GroupId"] for group in found.get("Groups", [])],
        "subnetIds": found.get("SubnetIds", []),
    }
    for name, (add, remove) in _ENDPOINT_LISTS.items():
        wanted = properties.get(name)
        if wanted is not None:
            request[add] = [item for item in wanted if item not in present[name]]
            request[remove] = [item for item in present[name] if item not in wanted]
    if properties.get("policy") is None:
        request["ResetPolicy"] = True
    else:
        request["PolicyDocument"] = properties["policy"]
    if properties.get("privateDnsEnabled") is not None and properties["vpcEndpointType"] == "Interface":
        request["PrivateDnsEnabled"] = properties["privateDnsEnabled"]
    given = {name: value for name, value in request.items() if value != []}
    context.call("ModifyVpcEndpoint", {"VpcEndpointId": properties["id"], **given})


def _await_available(context: Context, properties: Properties) -> None:
    key = {"VpcEndpointIds": [properties["id"]]}

    def settled() -> str | None:
        state = context.call("DescribeVpcEndpoints", key)["VpcEndpoints"][0]["State"].lower()
        return None if state == "pending" else str(state)

    what = f"VPC endpoint {properties['id']} becoming available"
    if (state := waiters.until(context, what, ENDPOINT_LIMIT_SECONDS, settled)) not in (
        "available",
        "pendingacceptance",
    ):
        raise waiters.WaitError(f"VPC endpoint {properties['id']} is {state} instead of available")


def _delete_endpoint(context: Context, state: Properties) -> None:
    """Deletes the endpoint and waits until it is gone: until then its subnets and groups cannot be deleted."""
    key = {"VpcEndpointIds": [state["id"]]}
    for item in context.call("DeleteVpcEndpoints", key).get("Unsuccessful") or []:
        error = item["Error"]
        raise CallError("DeleteVpcEndpoints", error.get("Code", "Unknown"), error.get("Message", ""))

    def gone() -> bool | None:
        try:
            found = context.call("DescribeVpcEndpoints", key)["VpcEndpoints"]
        except CallError as error:
            if error.matches(context.row.gone):
                return True
            raise
        return all(item["State"].lower() == "deleted" for item in found) or None

    waiters.until(context, f"the deletion of VPC endpoint {state['id']}", ENDPOINT_LIMIT_SECONDS, gone)


def _prefix_list(context: Context, state: Properties, _found: object) -> None:
    """The addresses behind a gateway endpoint, which rules of security groups name by their list."""
    if state.get("vpcEndpointType") != "Gateway":
        return
    wanted = [{"Name": "prefix-list-name", "Values": [state["serviceName"]]}]
    for found in context.call("DescribePrefixLists", {"Filters": wanted}).get("PrefixLists", []):
        state["prefixListId"] = found["PrefixListId"]
        state["cidrBlocks"] = found.get("Cidrs", [])


VPC = ResourceType(
    token="aws:ec2/vpc:Vpc",
    service="ec2",
    create="CreateVpc",
    read=Read(
        operation="DescribeVpcs",
        result="Vpcs[0]",
        key={"VpcIds": "id"},
        looks=(
            _attribute("enableDnsHostnames"),
            _attribute("enableDnsSupport"),
            _attribute("enableNetworkAddressUsageMetrics"),
            _first("DescribeRouteTables", "MainTable", association__main="true"),
            _first("DescribeSecurityGroups", "DefaultGroup", group_name="default"),
            _first("DescribeNetworkAcls", "DefaultAcl", default="true"),
        ),
    ),
    delete="DeleteVpc",
    key={"VpcId": "id"},
    list_keys=("Resources", "VpcIds"),
    created={"id": "Vpc.VpcId"},
    id="{id}",
    import_id=r"(?P<id>vpc-\w+)",
    inputs={
        "cidrBlock": Input(replaces=True),
        "instanceTenancy": Input(default="default", replaces=True),
        "enableDnsHostnames": Input(
            api="EnableDnsHostnames.Value",
            read="enableDnsHostnames.EnableDnsHostnames.Value",
            initial=False,
            cleared=False,
        ),
        "enableDnsSupport": Input(
            api="EnableDnsSupport.Value",
            read="enableDnsSupport.EnableDnsSupport.Value",
            default=True,
            initial=True,
        ),
        "enableNetworkAddressUsageMetrics": Input(
            api="EnableNetworkAddressUsageMetrics.Value",
            read="enableNetworkAddressUsageMetrics.EnableNetworkAddressUsageMetrics.Value",
            initial=False,
            cleared=False,
        ),
    },
    outputs={
        "defaultNetworkAclId": "DefaultAcl.NetworkAcls[0].NetworkAclId",
        "defaultRouteTableId": "MainTable.RouteTables[0].RouteTableId",
        "defaultSecurityGroupId": "DefaultGroup.SecurityGroups[0].GroupId",
        "dhcpOptionsId": "DhcpOptionsId",
        "mainRouteTableId": "MainTable.RouteTables[0].RouteTableId",
        "ownerId": "OwnerId",
    },
    derived={"arn": "arn:aws:ec2:{region}:{ownerId}:vpc/{id}"},
    # Each call changes one attribute; DNS host names need DNS support.
    steps=tuple(
        Step(operation="ModifyVpcAttribute", properties=(name,), on_create=True)
        for name in ("enableDnsSupport", "enableDnsHostnames", "enableNetworkAddressUsageMetrics")
    ),
    tags=tag_style("vpc"),
    gone=("InvalidVpcID.NotFound",),
    busy=BUSY,
    refused=(
        "assignGeneratedIpv6CidrBlock",
        "ipv4IpamPoolId",
        "ipv4NetmaskLength",
        "ipv6CidrBlock",
        "ipv6CidrBlockNetworkBorderGroup",
        "ipv6IpamPoolId",
        "ipv6NetmaskLength",
    ),
)

SUBNET = ResourceType(
    token="aws:ec2/subnet:Subnet",
    service="ec2",
    create="CreateSubnet",
    read=Read(operation="DescribeSubnets", result="Subnets[0]", key={"SubnetIds": "id"}),
    delete="DeleteSubnet",
    key={"SubnetId": "id"},
    list_keys=("Resources", "SubnetIds"),
    created={"id": "Subnet.SubnetId"},
    id="{id}",
    import_id=r"(?P<id>subnet-\w+)",
    inputs={
        "vpcId": Input(required=True, replaces=True),
        **each(Input(replaces=True), "availabilityZone", "availabilityZoneId", "cidrBlock"),
        "mapPublicIpOnLaunch": Input(
            api="MapPublicIpOnLaunch.Value", read="MapPublicIpOnLaunch", default=False, initial=False
        ),
    },
    outputs={"arn": "SubnetArn", "ownerId": "OwnerId"},
    steps=(Step(operation="ModifySubnetAttribute", properties=("mapPublicIpOnLaunch",), on_create=True),),
    tags=tag_style("subnet"),
    gone=("InvalidSubnetID.NotFound",),
    busy=BUSY,
    refused=(
        "assignIpv6AddressOnCreation",
        "customerOwnedIpv4Pool",
        "enableDns64",
        "enableLniAtDeviceIndex",
        "enableResourceNameDnsAaaaRecordOnLaunch",
        "enableResourceNameDnsARecordOnLaunch",
        "ipv4IpamPoolId",
        "ipv4NetmaskLength",
        "ipv6CidrBlock",
        "ipv6IpamPoolId",
        "ipv6Native",
        "ipv6NetmaskLength",
        "mapCustomerOwnedIpOnLaunch",
        "outpostArn",
        "privateDnsHostnameTypeOnLaunch",
    ),
)

ROUTE_TABLE = ResourceType(
    token="aws:ec2/routeTable:RouteTable",
    service="ec2",
    create="CreateRouteTable",
    read=Read(operation="DescribeRouteTables", result="RouteTables[0]", key={"RouteTableIds": "id"}),
    delete="DeleteRouteTable",
    key={"RouteTableId": "id"},
    list_keys=("Resources", "RouteTableIds"),
    created={"id": "RouteTable.RouteTableId"},
    id="{id}",
    import_id=r"(?P<id>rtb-\w+)",
    inputs={"vpcId": Input(required=True, replaces=True)},
    outputs={"ownerId": "OwnerId"},
    derived={"arn": "arn:aws:ec2:{region}:{ownerId}:route-table/{id}"},
    tags=tag_style("route-table"),
    gone=("InvalidRouteTableID.NotFound",),
    busy=BUSY,
    refused=("propagatingVgws", "routes"),
)

ROUTE_TABLE_ASSOCIATION = ResourceType(
    token="aws:ec2/routeTableAssociation:RouteTableAssociation",
    service="ec2",
    create="AssociateRouteTable",
    read=Read(
        operation="DescribeRouteTables",
        result="RouteTables[0].Associations[?SubnetId=='{subnetId}'] | [0]",
        key={"RouteTableIds": "routeTableId"},
    ),
    delete=None,
    key={"SubnetId": "subnetId", "RouteTableId": "routeTableId"},
    list_keys=("RouteTableIds",),
    id="{id}",
    import_id=r"(?P<subnetId>subnet-\w+)/(?P<routeTableId>rtb-\w+)",
    inputs={
        "routeTableId": Input(required=True),
        "subnetId": Input(replaces=True),
    },
    steps=(
        Step(
            operation="ReplaceRouteTableAssociation",
            act=_replace_association,
            properties=("routeTableId",),
            key={"AssociationId": "id"},
        ),
    ),
    gone=("InvalidAssociationID.NotFound", "InvalidRouteTableID.NotFound"),
    lagging=("InvalidRouteTableID.NotFound",),
    hooks=Hooks(after_read=_association_id, before_delete=_disassociate),
    refused=("gatewayId",),
)

VPC_ENDPOINT = ResourceType(
    token="aws:ec2/vpcEndpoint:VpcEndpoint",
    service="ec2",
    create="CreateVpcEndpoint",
    read=Read(operation="DescribeVpcEndpoints", result="VpcEndpoints[?State!='deleted'] | [0]"),
    delete=None,
    key={"VpcEndpointIds": "id"},
    list_keys=("Resources", "VpcEndpointIds"),
    created={"id": "VpcEndpoint.VpcEndpointId"},
    id="{id}",
    import_id=r"(?P<id>vpce-\w+)",
    inputs={
        "vpcId": Input(required=True, replaces=True),
        "serviceName": Input(replaces=True),
        "vpcEndpointType": Input(default="Gateway", replaces=True),
        "policy": Input(api="PolicyDocument", form=Form.JSON),
        "privateDnsEnabled": Input(),
        "routeTableIds": Input(),
        "securityGroupIds": Input(read="Groups[].GroupId"),
        "subnetIds": Input(),
    },
    outputs={
        "cidrBlocks": "CidrBlocks",
        "dnsEntries": "DnsEntries[].{dnsName: DnsName, hostedZoneId: HostedZoneId}",
        "networkInterfaceIds": "NetworkInterfaceIds",
        "ownerId": "OwnerId",
        "prefixListId": "PrefixListId",
        "requesterManaged": "RequesterManaged",
        "state": "State",
    },
    derived={"arn": "arn:aws:ec2:{region}:{ownerId}:vpc-endpoint/{id}"},
    volatile=("dnsEntries", "networkInterfaceIds"),
    steps=(
        Step(
            operation="ModifyVpcEndpoint",
            act=_update_endpoint,
            properties=("policy", "privateDnsEnabled", *_ENDPOINT_LISTS),
            key={"VpcEndpointId": "id"},
        ),
    ),
    tags=tag_style("vpc-endpoint"),
    gone=("InvalidVpcEndpointId.NotFound",),
    hooks=Hooks(
        complete=_await_available,
        after_update=_await_available,
        after_read=_prefix_list,
        before_delete=_delete_endpoint,
    ),
    refused=(
        "autoAccept",
        "dnsOptions",
        "ipAddressType",
        "resourceConfigurationArn",
        "serviceNetworkArn",
        "serviceRegion",
        "subnetConfigurations",
    ),
)

ROWS = (VPC, SUBNET, ROUTE_TABLE, ROUTE_TABLE_ASSOCIATION, VPC_ENDPOINT)
