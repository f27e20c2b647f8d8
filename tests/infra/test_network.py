"""The private network: no way out, and what it lets in."""

import ipaddress
import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from infra.network import services_for
from tests.infra.recorder import ACCOUNT, REGION, Declared

Declare = Callable[..., Any]
JOBS, ENDPOINTS = "slipway-dev-jobs-id", "slipway-dev-endpoints-id"


def of(declared: list[Declared], kind: str) -> list[Declared]:
    return [one for one in declared if one.type.endswith(f":{kind}")]


def private(declare: Declare, **changes: Any) -> list[Declared]:
    declared: list[Declared] = declare(network={"private": True, **changes})[0]
    return declared


def test_no_network_is_made_unless_it_is_asked_for(declare: Declare) -> None:
    declared, _, _ = declare()
    assert not [one for one in declared if one.type.startswith(("aws:ec2", "aws:vpc"))]


@pytest.mark.parametrize("zones", [2, 3])
def test_there_is_one_subnet_a_zone_and_one_more_renumbers_nothing(declare: Declare, zones: int) -> None:
    subnets = of(private(declare, zones=zones, cidr="10.9.0.0/24"), "Subnet")
    found = [(one.inputs["availabilityZone"], one.inputs["cidrBlock"]) for one in subnets]
    blocks = ["10.9.0.0/26", "10.9.0.64/26", "10.9.0.128/26"]
    assert found == [(f"{REGION}{zone}", block) for zone, block in zip("abc", blocks, strict=True)][:zones]
    assert not [one for one in subnets if one.inputs["mapPublicIpOnLaunch"]]


def test_nothing_leads_to_the_internet(declare: Declare) -> None:
    declared = private(declare)
    assert not [one.type for one in declared if "Gateway:" in one.type or one.type.endswith(":Route")]
    assert "routes" not in of(declared, "RouteTable")[0].inputs
    for rule in of(declared, "SecurityGroupEgressRule") + of(declared, "SecurityGroupIngressRule"):
        assert not {"cidrIpv4", "cidrIpv6"} & set(rule.inputs), rule.name


def test_jobs_reach_each_other_the_endpoints_and_s3_and_only_jobs_reach_the_endpoints(declare: Declare) -> None:
    declared = private(declare)

    def rules(kind: str) -> set[tuple[str, str, str]]:
        return {
            (
                one.inputs["securityGroupId"],
                one.inputs.get("referencedSecurityGroupId") or one.inputs["prefixListId"],
                one.inputs["ipProtocol"] + (f" {one.inputs['toPort']:g}" if "toPort" in one.inputs else ""),
            )
            for one in of(declared, kind)
        }

    assert rules("SecurityGroupIngressRule") == {(JOBS, JOBS, "-1"), (ENDPOINTS, JOBS, "tcp 443")}
    assert rules("SecurityGroupEgressRule") == {
        (JOBS, JOBS, "-1"),
        (JOBS, ENDPOINTS, "tcp 443"),
        (JOBS, "pl-s3", "tcp 443"),
    }


def test_every_service_that_jobs_call_comes_in_for_this_account_only(declare: Declare) -> None:
    endpoints = of(private(declare), "VpcEndpoint")
    services = {one.inputs["serviceName"].removeprefix(f"com.amazonaws.{REGION}.") for one in endpoints}
    assert services >= {"s3", "ecr.api", "ecr.dkr", "logs", "sts", "sagemaker.api", "sagemaker.runtime", "kms"}
    for one in endpoints:
        own, *more = json.loads(one.inputs["policy"])["Statement"]
        assert own["Condition"] == {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
        if one.inputs["vpcEndpointType"] == "Interface":
            assert one.inputs["privateDnsEnabled"] and one.inputs["securityGroupIds"] == [ENDPOINTS] and not more
        else:  # ECR's layers come from a bucket of AWS's
            (layers,) = more
            assert layers["Action"] == ["s3:GetObject"]
            assert layers["Resource"] == [f"arn:aws:s3:::prod-{REGION}-starport-layer-bucket/*"]


def test_secrets_bring_the_endpoint_that_reads_them(declare: Declare) -> None:
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:wandb-AbCdEf"
    assert services_for([secret, f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/x"]) == ("secretsmanager", "ssm")
    declared, _, _ = declare(network={"private": True}, training={"environment": {"WANDB_API_KEY": secret}})
    assert [one for one in of(declared, "VpcEndpoint") if one.name == "network-secretsmanager"]


def test_the_roles_may_join_this_network_only(declare: Declare) -> None:
    declared = private(declare)
    for job in ("train", "serve"):
        (policy,) = [one for one in of(declared, "RolePolicy") if one.name == f"access-{job}"]
        (join,) = [
            one
            for one in json.loads(policy.inputs["policy"])["Statement"]
            if one["Action"] == ["ec2:CreateNetworkInterface"]
        ]
        assert join["Condition"]["ArnEquals"]["ec2:Vpc"].endswith("slipway-dev-vpc-abc1234")
        assert len(join["Resource"]) == 4, "interfaces, two subnets, the jobs' group"


def test_a_region_with_too_few_zones_is_an_error_that_says_so(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.infra.recorder._Aws.call", _one_zone)
    with pytest.raises(pulumi.RunError, match="has 1 zones for this account"):
        private(declare)


def _one_zone(self: object, args: Any) -> dict[str, Any]:
    return {"accountId": ACCOUNT, "names": [f"{REGION}a"], "id": "x"}


def test_the_range_is_split_whatever_bits_follow_its_mask(declare: Declare) -> None:
    (vpc,) = of(private(declare, cidr="10.42.7.9/20"), "Vpc")
    assert ipaddress.ip_network(vpc.inputs["cidrBlock"]) == ipaddress.ip_network("10.42.0.0/20")


def test_a_preview_loses_no_input(declare: Declare) -> None:
    preview, _, _ = declare(preview=True, network={"private": True})

    def inputs(declared: list[Declared]) -> dict[str, set[str]]:
        return {one.name: set(one.inputs) for one in declared if one.type.startswith(("aws:ec2", "aws:vpc"))}

    assert inputs(preview) == inputs(private(declare))
