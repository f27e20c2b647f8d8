"""VpcConfig: AWS's checks at the call, and whether a job inside of the VPC can reach S3 at all.

A container in private subnets reaches S3 through a gateway endpoint in its route table, an interface endpoint in the
VPC, or a NAT gateway. An internet gateway does not help: the network interface has no public address.
"""

from collections.abc import Mapping
from typing import Any

from localaws.cloud import backend
from localaws.errors import validation

NO_ROUTE_TO_S3 = (
    "ClientError: Data download failed: Please ensure that the subnet's route table has a route to an S3 VPC endpoint "
    "or a NAT device, and both the security groups and the subnet's network ACL allow outbound traffic to S3."
)


def check(request: Mapping[str, Any], region: str) -> None:
    """Refuse subnets and security groups that do not exist or lie in different VPCs."""
    config = request.get("VpcConfig")
    if config is None:
        return
    subnets = {name: _subnet(region, name) for name in config["Subnets"]}
    groups = {name: _group(region, name) for name in config["SecurityGroupIds"]}
    for kind, found in (("subnet", subnets), ("security group", groups)):
        for name, resource in found.items():
            if resource is None:
                raise validation(f"The {kind} ID '{name}' does not exist")
    if len({subnet.vpc_id for subnet in subnets.values()}) > 1:
        raise validation("All subnets of VpcConfig must be in the same VPC.")
    vpc = next(iter(subnets.values())).vpc_id
    for name, group in groups.items():
        if group.vpc_id != vpc:
            raise validation(f"Security group {name} and subnet {next(iter(subnets))} belong to different networks.")


def reaches_s3(record: Mapping[str, Any], region: str) -> bool:
    """Whether every subnet of the job, if it has any, has a way to S3."""
    return all(_has_way(region, name) for name in record.get("VpcConfig", {}).get("Subnets", []))


def _subnet(region: str, name: str) -> Any:
    zones = backend("ec2", region).subnets.values()
    return next((zone[name] for zone in zones if name in zone), None)


def _group(region: str, name: str) -> Any:
    vpcs = backend("ec2", region).groups.values()
    return next((vpc[name] for vpc in vpcs if name in vpc), None)


def _has_way(region: str, name: str) -> bool:
    subnet, ec2 = _subnet(region, name), backend("ec2", region)
    if subnet is None:
        return False
    table = _route_table(region, subnet)
    if any(route.nat_gateway or route.transit_gateway for route in table.routes):
        return True
    return any(
        endpoint.vpc_endpoint_type == "Interface" or table.id in endpoint.route_table_ids
        for endpoint in list(ec2.vpc_end_points.values())
        if endpoint.vpc_id == subnet.vpc_id
        and endpoint.service_name.endswith(".s3")
        and endpoint.state.lower() == "available"
    )


def _route_table(region: str, subnet: Any) -> Any:
    """The subnet's own route table, or the VPC's main one."""
    tables = [table for table in list(backend("ec2", region).route_tables.values()) if table.vpc_id == subnet.vpc_id]
    own = [table for table in tables if any(item.get("SubnetId") == subnet.id for item in table.associations)]
    return (own or [table for table in tables if table.main_association_id])[0]
