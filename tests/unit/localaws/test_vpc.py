"""VPCs: what is in use stays, VPC endpoints act on their route tables and really go."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, unique

S3 = "com.amazonaws.us-east-1.s3"
API = "com.amazonaws.us-east-1.sagemaker.api"


@pytest.fixture
def network(aws: Aws) -> dict[str, str]:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
    return {
        "vpc": vpc,
        "subnet": ec2.create_subnet(VpcId=vpc, CidrBlock="10.50.0.0/24")["Subnet"]["SubnetId"],
        "table": ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"],
        "group": ec2.create_security_group(GroupName=unique("group"), Description="d", VpcId=vpc)["GroupId"],
    }


def gateway(aws: Aws, network: dict[str, str], **extra: Any) -> str:
    made = aws.client("ec2").create_vpc_endpoint(
        VpcId=network["vpc"],
        ServiceName=S3,
        VpcEndpointType="Gateway",
        RouteTableIds=[network["table"]],
        **extra,
    )["VpcEndpoint"]
    assert (made["State"], made["PrivateDnsEnabled"]) == ("available", False)
    found: str = made["VpcEndpointId"]
    return found


def interface(aws: Aws, network: dict[str, str], service: str = API) -> str:
    found: str = aws.client("ec2").create_vpc_endpoint(
        VpcId=network["vpc"],
        ServiceName=service,
        VpcEndpointType="Interface",
        SubnetIds=[network["subnet"]],
        SecurityGroupIds=[network["group"]],
        PrivateDnsEnabled=True,
    )["VpcEndpoint"]["VpcEndpointId"]
    return found


def routes(aws: Aws, network: dict[str, str]) -> list[str]:
    table = aws.client("ec2").describe_route_tables(RouteTableIds=[network["table"]])["RouteTables"][0]
    return [route["GatewayId"] for route in table["Routes"] if route["GatewayId"] != "local"]


def test_a_gateway_endpoint_is_a_route_for_as_long_as_it_names_the_table(aws: Aws, network: dict[str, str]) -> None:
    ec2, endpoint = aws.client("ec2"), gateway(aws, network)
    assert routes(aws, network) == [endpoint]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, RemoveRouteTableIds=[network["table"]])
    assert routes(aws, network) == []
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[network["table"]])
    assert routes(aws, network) == [endpoint]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert routes(aws, network) == []


def test_a_deleted_endpoint_is_not_found(aws: Aws, network: dict[str, str]) -> None:
    ec2, endpoint = aws.client("ec2"), interface(aws, network)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    with pytest.raises(ClientError, match=r"InvalidVpcEndpointId\.NotFound"):
        ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])
    answer = ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert [item["Error"]["Code"] for item in answer["Unsuccessful"]] == ["InvalidVpcEndpointId.NotFound"]


def test_private_dns_can_be_switched(aws: Aws, network: dict[str, str]) -> None:
    ec2, endpoint = aws.client("ec2"), interface(aws, network)
    for wanted in (False, True):
        ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PrivateDnsEnabled=wanted)
        found = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0]
        assert found["PrivateDnsEnabled"] is wanted


def test_an_unknown_service_has_no_endpoints(aws: Aws, network: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="InvalidServiceName"):
        interface(aws, network, "com.amazonaws.us-east-1.nothing")


@pytest.mark.parametrize("service", ["ecr.api", "ecr.dkr", "logs", "sts", "kms", "sagemaker.api", "sagemaker.runtime"])
def test_the_services_of_a_private_job_have_endpoints(aws: Aws, network: dict[str, str], service: str) -> None:
    assert interface(aws, network, f"com.amazonaws.us-east-1.{service}").startswith("vpce-")


def test_what_an_endpoint_uses_cannot_be_deleted(aws: Aws, network: dict[str, str]) -> None:
    ec2, endpoint = aws.client("ec2"), interface(aws, network)

    def delete(what: str) -> None:
        {
            "subnet": lambda: ec2.delete_subnet(SubnetId=network["subnet"]),
            "group": lambda: ec2.delete_security_group(GroupId=network["group"]),
            "table": lambda: ec2.delete_route_table(RouteTableId=network["table"]),
            "vpc": lambda: ec2.delete_vpc(VpcId=network["vpc"]),
        }[what]()

    for what in ("subnet", "group", "vpc"):
        with pytest.raises(ClientError, match="DependencyViolation"):
            delete(what)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    for what in ("subnet", "group", "table", "vpc"):
        delete(what)


def test_a_group_that_another_names_cannot_be_deleted(aws: Aws, network: dict[str, str]) -> None:
    ec2, group = aws.client("ec2"), network["group"]
    other = ec2.create_security_group(GroupName=unique("other"), Description="d", VpcId=network["vpc"])["GroupId"]
    for owner in (group, other):  # a group that names itself is free to go
        rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
        ec2.authorize_security_group_ingress(GroupId=owner, IpPermissions=[rule])
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_security_group(GroupId=group)
    ec2.delete_security_group(GroupId=other)
    ec2.delete_security_group(GroupId=group)


def test_endpoints_and_rules_are_found_by_their_tags(aws: Aws, network: dict[str, str]) -> None:
    stack = unique("stack")

    def tags(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [{"Key": "slipway:stack", "Value": stack}]}]

    endpoint = gateway(aws, network, TagSpecifications=tags("vpc-endpoint"))
    rule = aws.client("ec2").authorize_security_group_ingress(
        GroupId=network["group"],
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
        TagSpecifications=tags("security-group-rule"),
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    found = {arn.rsplit(":", 1)[1] for arn in aws.tagged(stack)}
    assert found == {f"vpc-endpoint/{endpoint}", f"security-group-rule/{rule}"}
