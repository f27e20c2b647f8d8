"""From an ARN, as the tagging API gives it, to the kind and the identity by which this thing is priced and removed.

The tagging API lags: what it lists may be gone, may be a job that has ended, or a key that waits for its deletion. So
each thing that it alone has found is looked at once more.
"""

import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from slipway.project import Stack
from slipway.searches import LEAVING, RUNNING

GONE = (
    "NotFound",
    "NoSuchEntity",
    "NoSuchBucket",
    "404",
    "ResourceNotFound",
    "NoSuch",
    "does not exist",
    "Could not find",
)
RECORD_KINDS = ("sagemaker model-package-group", "sagemaker model-package")
"""Found by tag, cost nothing, and kept on purpose: see slipway.records."""
WITH_THEIR_OWNER = ("ec2 security-group-rule", "application-autoscaling scalable-target")
"""Go with their group or endpoint; the second's ARN holds an id that no call takes, and a search finds it by name."""
ARN, LAST = "ARN", "last part"
KINDS: dict[str, tuple[str, str]] = {
    "sagemaker endpoint": ("endpoint", LAST),
    "sagemaker endpoint-config": ("endpoint configuration", LAST),
    "sagemaker model": ("model", LAST),
    "sagemaker training-job": ("training job", LAST),
    "sagemaker transform-job": ("transform job", LAST),
    "sagemaker processing-job": ("processing job", LAST),
    "sagemaker hyper-parameter-tuning-job": ("tuning job", LAST),
    "iam role": ("role", LAST),
    "iam policy": ("managed policy", ARN),
    "iam oidc-provider": ("identity provider", ARN),
    "ecr repository": ("image repository", "after repository/"),
    "codebuild project": ("build project", LAST),
    "logs log-group": ("log group", "after log-group:"),
    "lambda function": ("function", LAST),
    "scheduler schedule-group": ("schedule group", LAST),
    "events rule": ("event rule", LAST),
    "budgets budget": ("budget", LAST),
    "cloudwatch alarm": ("alarm", "after alarm:"),
    "cloudwatch dashboard": ("dashboard", LAST),
    "kms key": ("encryption key", LAST),
    "cloudtrail trail": ("trail", ARN),
    "secretsmanager secret": ("secret", ARN),
    "ec2 vpc": ("vpc", LAST),
    "ec2 vpc-endpoint": ("vpc endpoint", LAST),
    "ec2 natgateway": ("nat gateway", LAST),
    "ec2 elastic-ip": ("elastic ip", LAST),
    "ec2 network-interface": ("network interface", LAST),
    "ec2 security-group": ("security group", LAST),
    "ec2 route-table": ("route table", LAST),
    "ec2 subnet": ("subnet", LAST),
}


def kind_of(arn: str) -> str:
    """arn:aws:sagemaker:...:training-job/x -> sagemaker training-job."""
    parts = arn.split(":", 5)
    return f"{parts[2]} {re.split('[:/]', parts[5])[0]}" if len(parts) == 6 else arn


def last_part(name: str) -> str:
    """The part of a name or ARN that the program chose: endpoint/x/variant/y -> x, arn:...:role/x -> x."""
    if name.startswith("endpoint/"):
        return name.split("/")[1]
    return re.split(r"[:/]", name.removesuffix(":*"))[-1]


def identify(arn: str) -> tuple[str, str]:
    """(kind, identity): what the searches by name would have called it; (AWS's words, the ARN) for other kinds."""
    service, resource = arn.split(":", 5)[2], arn.split(":", 5)[5]
    if service == "s3":
        return "bucket", resource
    if service == "sns" and ":" not in resource:
        return "topic", arn
    kind, rule = KINDS.get(kind_of(arn), (kind_of(arn), ARN))
    if rule == ARN:
        return kind, arn
    if rule == LAST:
        return kind, last_part(arn)
    return kind, resource.removeprefix(rule.removeprefix("after ")).removesuffix(":*")


def is_gone(error: ClientError) -> bool:
    """Whether AWS says that the thing does not exist (any more)."""
    words = f"{error.response['Error']['Code']} {error.response['Error']['Message']}"
    return any(gone in words for gone in GONE)


Probe = Callable[[Stack, str], bool]


def _describes(service: str, operation: str, argument: str) -> Probe:
    """There, unless the describing call says that it is not."""

    def probe(stack: Stack, identity: str) -> bool:
        getattr(stack.client(service), operation)(**{argument: identity})
        return True

    return probe


def _listed(service: str, operation: str, argument: str, key: str) -> Probe:
    """There, when a listing of this one has an entry that is not being deleted."""

    def probe(stack: Stack, identity: str) -> bool:
        entries: list[dict[str, Any]] = getattr(stack.client(service), operation)(**{argument: [identity]})[key]
        return any(str(entry.get("State", "")).lower() not in LEAVING for entry in entries)

    return probe


def _job(operation: str, argument: str, status: str) -> Probe:
    """An ended job bills nothing and is a record."""

    def probe(stack: Stack, identity: str) -> bool:
        found = getattr(stack.client("sagemaker"), operation)(**{argument: identity})
        return found[status] in RUNNING or (found.get("WarmPoolStatus") or {}).get("Status") == "Available"

    return probe


PROBES: dict[str, Probe] = {
    "endpoint": _describes("sagemaker", "describe_endpoint", "EndpointName"),
    "endpoint configuration": _describes("sagemaker", "describe_endpoint_config", "EndpointConfigName"),
    "model": _describes("sagemaker", "describe_model", "ModelName"),
    "training job": _job("describe_training_job", "TrainingJobName", "TrainingJobStatus"),
    "transform job": _job("describe_transform_job", "TransformJobName", "TransformJobStatus"),
    "processing job": _job("describe_processing_job", "ProcessingJobName", "ProcessingJobStatus"),
    "bucket": _describes("s3", "head_bucket", "Bucket"),
    "role": _describes("iam", "get_role", "RoleName"),
    "managed policy": _describes("iam", "get_policy", "PolicyArn"),
    "log group": lambda stack, name: any(
        group["logGroupName"] == name
        for group in stack.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    ),
    "image repository": _listed("ecr", "describe_repositories", "repositoryNames", "repositories"),
    "build project": _listed("codebuild", "batch_get_projects", "names", "projects"),
    "topic": _describes("sns", "get_topic_attributes", "TopicArn"),
    "function": _describes("lambda", "get_function_configuration", "FunctionName"),
    "schedule group": _describes("scheduler", "get_schedule_group", "Name"),
    "event rule": _describes("events", "describe_rule", "Name"),
    "alarm": _listed("cloudwatch", "describe_alarms", "AlarmNames", "MetricAlarms"),
    "trail": _describes("cloudtrail", "get_trail", "Name"),
    "encryption key": lambda stack, key: (
        stack.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion"
    ),
    "secret": lambda stack, name: "DeletedDate" not in stack.client("secretsmanager").describe_secret(SecretId=name),
    "vpc": _listed("ec2", "describe_vpcs", "VpcIds", "Vpcs"),
    "vpc endpoint": _listed("ec2", "describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints"),
    "nat gateway": _listed("ec2", "describe_nat_gateways", "NatGatewayIds", "NatGateways"),
    "elastic ip": _listed("ec2", "describe_addresses", "AllocationIds", "Addresses"),
    "network interface": _listed("ec2", "describe_network_interfaces", "NetworkInterfaceIds", "NetworkInterfaces"),
    "security group": _listed("ec2", "describe_security_groups", "GroupIds", "SecurityGroups"),
    "route table": _listed("ec2", "describe_route_tables", "RouteTableIds", "RouteTables"),
    "subnet": _listed("ec2", "describe_subnets", "SubnetIds", "Subnets"),
}


def exists(stack: Stack, kind: str, identity: str) -> bool:
    """Whether a thing that the tagging API lists still exists and is no mere record; of other kinds: yes."""
    try:
        return PROBES[kind](stack, identity) if kind in PROBES else True
    except ClientError as error:
        if is_gone(error):
            return False
        raise
