"""Parts of a network removed: each waits until AWS has let go of what it held, because the next part needs that."""

import time
from collections.abc import Callable
from typing import Any

from slipway.errors import SlipwayError
from slipway.project import Stack

LEAVING_SECONDS = 10 * 60
INTERFACE_SECONDS = 20 * 60  # SageMaker lets go of a job's network interfaces some minutes after its end
POLL_SECONDS = 0.5
Show = Callable[[str], None]


def nat_gateway(stack: Stack, gateway: str, show: Show) -> None:
    ec2 = stack.client("ec2")
    ec2.delete_nat_gateway(NatGatewayId=gateway)
    _until(lambda: _left(ec2.describe_nat_gateways(NatGatewayIds=[gateway])["NatGateways"], "deleted"), gateway, show)


def vpc_endpoint(stack: Stack, endpoint: str, show: Show) -> None:
    ec2 = stack.client("ec2")
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    inside = [{"Name": "vpc-endpoint-id", "Values": [endpoint]}]
    _until(lambda: _left(ec2.describe_vpc_endpoints(Filters=inside)["VpcEndpoints"], "deleted"), endpoint, show)


def interface(stack: Stack, identity: str, show: Show) -> None:
    """One that is in use belongs to a job that has just ended, and AWS detaches it; nobody else may."""
    ec2 = stack.client("ec2")
    wanted = [{"Name": "network-interface-id", "Values": [identity]}]

    def free() -> bool:
        found = ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
        return all(one["Status"] == "available" for one in found)

    _until(free, identity, show, INTERFACE_SECONDS)
    ec2.delete_network_interface(NetworkInterfaceId=identity)


def security_group(stack: Stack, group: str, show: Show) -> None:
    """Its rules first: two groups that name each other hold each other."""
    ec2 = stack.client("ec2")
    wanted = [{"Name": "group-id", "Values": [group]}]
    rules = ec2.describe_security_group_rules(Filters=wanted)["SecurityGroupRules"]
    for egress, revoke in ((False, ec2.revoke_security_group_ingress), (True, ec2.revoke_security_group_egress)):
        if chosen := [rule["SecurityGroupRuleId"] for rule in rules if rule["IsEgress"] is egress]:
            revoke(GroupId=group, SecurityGroupRuleIds=chosen)
    ec2.delete_security_group(GroupId=group)


def route_table(stack: Stack, table: str, show: Show) -> None:
    ec2 = stack.client("ec2")
    for found in ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]:
        for association in found.get("Associations", []):
            if not association.get("Main"):
                ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    ec2.delete_route_table(RouteTableId=table)


def _left(entries: list[dict[str, Any]], state: str) -> bool:
    return all(str(entry.get("State")).lower() == state for entry in entries)


def _until(done: Callable[[], bool], words: str, show: Show, seconds: int = LEAVING_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise SlipwayError(f"AWS has not let go of {words} after {seconds // 60} min; run this again later")
        show(f"waiting for AWS to let go of {words}")
        time.sleep(POLL_SECONDS)
