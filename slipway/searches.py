"""Where a stack can leave something: one search for each kind, in the order of what an hour of it costs."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from slipway.project import Stack

LOG_GROUPS = ("/aws/codebuild/", "/aws/sagemaker/Endpoints/")
Search = Callable[[Stack], Iterable[str]]


def pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    """The entries of a listing, of all its pages where it has several."""
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**arguments):
            yield from page[key]
    else:
        yield from getattr(client, operation)(**arguments)[key]


def own_tags(stack: Stack) -> dict[str, str]:
    """The tags that every resource of the stack carries and no other stack's does."""
    return {"slipway:project": stack.project, "slipway:stack": stack.name}


def has_own_tags(stack: Stack, tags: Iterable[dict[str, str]]) -> bool:
    """Whether these tags, as AWS lists them, are the stack's."""
    return own_tags(stack).items() <= {tag["Key"]: tag["Value"] for tag in tags}.items()


def _names(service: str, operation: str, key: str, name: str | None, **arguments: Any) -> Search:
    """The ordinary case: a listing with a name in each entry (name=None: the entry is the name)."""

    def find(stack: Stack) -> Iterable[str]:
        for entry in pages(stack.client(service), operation, key, **arguments):
            yield entry[name] if name else entry

    return find


def _prefixed(service: str, operation: str, key: str, name: str, prefix: str) -> Search:
    """A listing that takes the beginning of the name, in argument `prefix`."""

    def find(stack: Stack) -> Iterable[str]:
        entries = pages(stack.client(service), operation, key, **{prefix: stack.prefix})
        return [entry[name] for entry in entries]

    return find


def _ec2(operation: str, key: str) -> Search:
    """EC2's things have no names but a tag called Name."""

    def find(stack: Stack) -> Iterable[str]:
        wanted = [{"Name": "tag:Name", "Values": [f"{stack.prefix}*"]}]
        for entry in pages(stack.client("ec2"), operation, key, Filters=wanted):
            if entry.get("State") not in ("deleting", "deleted"):
                yield next(tag["Value"] for tag in entry["Tags"] if tag["Key"] == "Name")

    return find


def _log_groups(stack: Stack) -> Iterable[str]:
    for group in LOG_GROUPS:
        prefix = group + stack.prefix
        found = pages(stack.client("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=prefix)
        yield from (entry["logGroupName"] for entry in found)


def tuning_jobs(stack: Stack) -> Iterator[str]:
    """Tuning jobs, whose names are too short for the stack's own."""
    sagemaker = stack.client("sagemaker")
    for job in pages(sagemaker, "list_hyper_parameter_tuning_jobs", "HyperParameterTuningJobSummaries"):
        if has_own_tags(stack, sagemaker.list_tags(ResourceArn=job["HyperParameterTuningJobArn"])["Tags"]):
            yield job["HyperParameterTuningJobName"]


def _oidc_providers(stack: Stack) -> Iterator[str]:
    iam = stack.client("iam")
    for entry in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        tags = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=entry["Arn"])["Tags"]
        if has_own_tags(stack, tags):
            yield entry["Arn"]


BY_NAME: dict[str, Search] = {
    "endpoint": _prefixed("sagemaker", "list_endpoints", "Endpoints", "EndpointName", "NameContains"),
    "training job": _prefixed(
        "sagemaker", "list_training_jobs", "TrainingJobSummaries", "TrainingJobName", "NameContains"
    ),
    "vpc endpoint": _ec2("describe_vpc_endpoints", "VpcEndpoints"),
    "scalable target": _names(
        "application-autoscaling",
        "describe_scalable_targets",
        "ScalableTargets",
        "ResourceId",
        ServiceNamespace="sagemaker",
    ),
    "dashboard": _prefixed("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName", "DashboardNamePrefix"),
    "encryption key": _names("kms", "list_aliases", "Aliases", "AliasName"),
    "alarm": _prefixed("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", "AlarmNamePrefix"),
    "trail": _names("cloudtrail", "list_trails", "Trails", "Name"),
    "endpoint configuration": _prefixed(
        "sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", "NameContains"
    ),
    "model": _prefixed("sagemaker", "list_models", "Models", "ModelName", "NameContains"),
    "bucket": _names("s3", "list_buckets", "Buckets", "Name"),
    "image repository": _names("ecr", "describe_repositories", "repositories", "repositoryName"),
    "build project": _names("codebuild", "list_projects", "projects", None),
    "log group": _log_groups,
    "topic": _names("sns", "list_topics", "Topics", "TopicArn"),
    "vpc": _ec2("describe_vpcs", "Vpcs"),
    "security group": _ec2("describe_security_groups", "SecurityGroups"),
    "role": _names("iam", "list_roles", "Roles", "RoleName"),
}
BY_TAG: dict[str, Search] = {"tuning job": tuning_jobs, "identity provider": _oidc_providers}
"""Kinds whose names do not tell whose they are, and which the tagging API does not list."""
