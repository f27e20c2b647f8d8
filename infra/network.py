"""Network: a VPC without internet for jobs and endpoints, and AWS's services brought into it.

One private subnet a zone, no gateway, no NAT. S3 comes in through a gateway endpoint (free), each other service through
an interface endpoint, which bills by the hour in each zone whether used or not. Builds of the image stay outside:
they fetch packages from the internet, and a VPC that lets them do that would not be this one.
"""

# Not evaluated: pulumi_aws.ec2 takes a third of a second to import, and most stacks have no network of their own.
from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Input, InvokeOptions, Output, ResourceOptions

from infra.documents import ANY, Statement, document

SERVICES = (
    "ecr.api",
    "ecr.dkr",
    "kms",
    "logs",
    "monitoring",
    "sagemaker.api",
    "sagemaker.runtime",
    "sts",
)
SUBNETS = 4  # the range is always split into so many: one zone more renumbers nothing
HTTPS = 443
EVERY_PROTOCOL = "-1"


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    prefix: str
    region: str
    account: Output[str]
    cidr: str
    """The VPC's range, /16 to /24."""
    zones: int
    """Availability zones, 1 to 4."""
    services: tuple[str, ...] = ()
    """More interface endpoints, for example secretsmanager where a job reads secrets."""


class Network(pulumi.ComponentResource):
    """Outputs: vpc_arn, subnet_ids, subnet_arns, security_group_ids, security_group_arns.

    The ids are known once the endpoints stand: a job that starts before them reaches nothing.
    """

    vpc_arn: Output[str]
    subnet_ids: Output[list[str]]
    subnet_arns: Output[list[str]]
    security_group_ids: Output[list[str]]
    security_group_arns: Output[list[str]]

    def __init__(self, name: str, args: NetworkArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Network", name, None, opts)
        child = ResourceOptions(parent=self)
        cidr = ipaddress.IPv4Network(args.cidr, strict=False)  # AWS, too, clears the bits behind the mask
        # aws.ec2 takes a second to import, so nothing outside this component touches it.
        vpc = aws.ec2.Vpc(
            f"{args.prefix}-vpc",
            cidr_block=str(cidr),
            enable_dns_support=True,
            enable_dns_hostnames=True,  # private DNS of the endpoints wants both
            tags=_named(args),
            opts=child,
        )
        subnets = _subnets(name, args, vpc, cidr, child)
        gateway = _gateway(name, args, vpc, subnets, child)
        jobs, endpoints = _group(name, "jobs", args, vpc, child), _group(name, "endpoints", args, vpc, child)
        rules = _rules(name, jobs, endpoints, gateway, child)
        reached = _endpoints(name, args, vpc, subnets, endpoints, child)
        ready = [one.id for one in (gateway, *rules, *reached)]
        self.vpc_arn = vpc.arn
        self.subnet_arns = Output.all(*[one.arn for one in subnets]).apply(list)
        self.security_group_arns = Output.all(jobs.arn).apply(list)
        self.subnet_ids = _after(ready, [one.id for one in subnets])
        self.security_group_ids = _after(ready, [jobs.id])
        self.register_outputs({"subnetIds": self.subnet_ids, "securityGroupIds": self.security_group_ids})


def services_for(secrets: Iterable[str]) -> tuple[str, ...]:
    """The endpoints that reading these ARNs (Secrets Manager's or SSM's) takes."""
    services = {arn.split(":")[2] for arn in secrets}
    return tuple(sorted(services & {"secretsmanager", "ssm"}))


def _after(ready: list[Output[str]], values: list[Output[str]]) -> Output[list[str]]:
    return Output.all(Output.all(*values), Output.all(*ready)).apply(lambda known: list(known[0]))


def _named(args: NetworkArgs) -> dict[str, str]:
    return {"Name": args.prefix}


def _subnets(
    name: str, args: NetworkArgs, vpc: Any, cidr: ipaddress.IPv4Network, child: ResourceOptions
) -> list[aws.ec2.Subnet]:
    found = aws.get_availability_zones_output(
        state="available",
        # Local Zones have no endpoints and few instance types; they are the ones to opt in to.
        filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
        opts=InvokeOptions(parent=child.parent),
    )
    zones = found.names.apply(lambda names: _chosen(names, args))
    return [
        aws.ec2.Subnet(
            f"{name}-subnet-{number}",
            vpc_id=vpc.id,
            cidr_block=str(block),
            availability_zone=zones[number],
            map_public_ip_on_launch=False,
            tags=_named(args),
            opts=child,
        )
        for number, block in zip(range(args.zones), cidr.subnets(prefixlen_diff=SUBNETS.bit_length() - 1), strict=False)
    ]


def _chosen(names: list[str], args: NetworkArgs) -> list[str]:
    """The first zones by name: AWS gives them in no order that it promises."""
    if len(names) < args.zones:
        raise pulumi.RunError(
            f"network.zones is {args.zones}, but {args.region} has {len(names)} zones for this account: "
            f"{', '.join(sorted(names))}; set slipway:network.zones to {len(names)} or less"
        )
    return sorted(names)[: args.zones]


def _gateway(
    name: str, args: NetworkArgs, vpc: Any, subnets: list[aws.ec2.Subnet], child: ResourceOptions
) -> aws.ec2.VpcEndpoint:
    routes = aws.ec2.RouteTable(f"{name}-routes", vpc_id=vpc.id, tags=_named(args), opts=child)
    for number, subnet in enumerate(subnets):
        aws.ec2.RouteTableAssociation(
            f"{name}-routes-{number}", route_table_id=routes.id, subnet_id=subnet.id, opts=child
        )
    return aws.ec2.VpcEndpoint(
        f"{name}-s3",
        vpc_id=vpc.id,
        service_name=f"com.amazonaws.{args.region}.s3",
        vpc_endpoint_type="Gateway",
        route_table_ids=[routes.id],
        policy=args.account.apply(lambda account: document([_own(account), _layers(args.region)])),
        tags=_named(args),
        opts=child,
    )


def _group(name: str, what: str, args: NetworkArgs, vpc: Any, child: ResourceOptions) -> aws.ec2.SecurityGroup:
    return aws.ec2.SecurityGroup(
        f"{args.prefix}-{what}",
        vpc_id=vpc.id,
        description=f"slipway: the {what} of {args.prefix}",
        tags=_named(args),
        opts=child,
    )


def _rules(
    name: str,
    jobs: aws.ec2.SecurityGroup,
    endpoints: aws.ec2.SecurityGroup,
    gateway: aws.ec2.VpcEndpoint,
    child: ResourceOptions,
) -> list[pulumi.CustomResource]:
    """Jobs speak with each other on every port (the nodes of one job do), with the endpoints and S3 by HTTPS."""
    https: dict[str, Any] = {"ip_protocol": "tcp", "from_port": HTTPS, "to_port": HTTPS}
    among: dict[str, Any] = {
        "ip_protocol": EVERY_PROTOCOL,
        "security_group_id": jobs.id,
        "referenced_security_group_id": jobs.id,
    }
    ingress, egress = aws.vpc.SecurityGroupIngressRule, aws.vpc.SecurityGroupEgressRule
    return [
        ingress(f"{name}-from-jobs", description="between the nodes of a job", **among, opts=child),
        egress(f"{name}-to-jobs", description="between the nodes of a job", **among, opts=child),
        ingress(
            f"{name}-endpoints-from-jobs",
            description="AWS's services, for the jobs only",
            security_group_id=endpoints.id,
            referenced_security_group_id=jobs.id,
            **https,
            opts=child,
        ),
        egress(
            f"{name}-jobs-to-endpoints",
            description="AWS's services",
            security_group_id=jobs.id,
            referenced_security_group_id=endpoints.id,
            **https,
            opts=child,
        ),
        egress(
            f"{name}-jobs-to-s3",
            description="S3, through the gateway",
            security_group_id=jobs.id,
            prefix_list_id=gateway.prefix_list_id,
            **https,
            opts=child,
        ),
    ]


def _endpoints(
    name: str,
    args: NetworkArgs,
    vpc: Any,
    subnets: list[aws.ec2.Subnet],
    group: aws.ec2.SecurityGroup,
    child: ResourceOptions,
) -> list[aws.ec2.VpcEndpoint]:
    policy: Input[str] = args.account.apply(lambda account: document([_own(account)]))
    return [
        aws.ec2.VpcEndpoint(
            f"{name}-{service.replace('.', '-')}",
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{args.region}.{service}",
            vpc_endpoint_type="Interface",
            private_dns_enabled=True,
            subnet_ids=[one.id for one in subnets],
            security_group_ids=[group.id],
            policy=policy,
            tags=_named(args),
            opts=child,
        )
        for service in (*SERVICES, *args.services)
    ]


def _own(account: str) -> Statement:
    """What an endpoint lets through at most: requests by this account's principals. What they may do, IAM says.

    Not by the resource's account as well: data and image may be another account's.
    """
    return _through(ANY, ANY) | {"Condition": {"StringEquals": {"aws:PrincipalAccount": account}}}


def _layers(region: str) -> Statement:
    """ECR hands out layers from a bucket of its own, by links that ECR has signed and no principal of the account."""
    return _through(["s3:GetObject"], [f"arn:aws:s3:::prod-{region}-starport-layer-bucket/*"])


def _through(actions: list[str], resources: list[str]) -> Statement:
    return {"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": resources}
