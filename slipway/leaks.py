"""What of a stack still exists in AWS, whatever Pulumi's state says.

Found twice over: by name in every service the program touches, and by tag through the tagging API. A name counts when
it is one the program makes (`own_name`), so that stack `dev` does not claim what belongs to `dev-eu`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from slipway.project import Stack

PARTS = ("build", "build-logs", "config", "data", "endpoint", "image", "model", "run", "scaling", "serve", "train")
LOG_GROUPS = ("/aws/codebuild/", "/aws/sagemaker/Endpoints/")
RUN_LOGS = "/aws/sagemaker/TrainingJobs"


@dataclass(frozen=True, kw_only=True, order=True)
class Leftover:
    """Something of the stack that exists. `how` is name or tag: how it was found."""

    kind: str
    name: str
    how: str


def own_name(prefix: str, name: str) -> bool:
    """Whether the program makes this name for the stack with this prefix."""
    parts = "|".join(PARTS)
    return (
        re.fullmatch(rf"{re.escape(prefix)}(-({parts})(-[0-9a-f]{{7}})?|-[0-9a-f]{{12}}-[0-9a-f]{{7}})?", name)
        is not None
    )


def find_leaks(stack: Stack, looked_at: Callable[[str], None] = lambda kind: None) -> list[Leftover]:
    """Everything of the stack that still exists; `looked_at` is told each kind as it is searched.

    What AWS is already deleting is not counted: it bills no more, and it may take minutes to go.
    """
    leaving = set(being_deleted(stack))
    found = []
    for kind, finder in FINDERS.items():
        looked_at(kind)
        names = [name for name in finder(stack) if own_name(stack.prefix, _last(name))]
        found += [Leftover(kind=kind, name=name, how="name") for name in names]
    looked_at("tags")
    by_name = {_last(leftover.name) for leftover in found}
    tagged = [arn for arn in _tagged(stack) if _last(arn) not in by_name]
    found += [Leftover(kind=_kind(arn), name=arn, how="tag") for arn in tagged]
    return sorted(leftover for leftover in found if _last(leftover.name) not in leaving)


def being_deleted(stack: Stack) -> list[str]:
    """Names of the stack's endpoints that AWS is deleting."""
    entries = _pages(stack.client("sagemaker"), "list_endpoints", "Endpoints", NameContains=stack.prefix)
    leaving = (entry["EndpointName"] for entry in entries if entry["EndpointStatus"] == "Deleting")
    return [name for name in leaving if own_name(stack.prefix, name)]


def run_log_streams(stack: Stack) -> list[str]:
    """Log streams of the stack's runs, in the log group that all SageMaker training jobs of the account share.

    They are records rather than leaks: `pulumi destroy` leaves them, `slipway down` removes them.
    """
    logs = stack.client("logs")
    if not [
        g
        for g in _pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=RUN_LOGS)
        if g["logGroupName"] == RUN_LOGS
    ]:
        return []
    prefix = f"{stack.prefix}-"
    streams = _pages(logs, "describe_log_streams", "logStreams", logGroupName=RUN_LOGS, logStreamNamePrefix=prefix)
    names = (stream["logStreamName"] for stream in streams)
    return [name for name in names if own_name(stack.prefix, name.split("/")[0])]


def _last(name: str) -> str:
    """The part of a name or ARN that the program chose: endpoint/x/variant/y -> x, arn:...:role/x -> x."""
    if name.startswith("endpoint/"):
        return name.split("/")[1]
    return re.split(r"[:/]", name.removesuffix(":*"))[-1]


def _kind(arn: str) -> str:
    parts = arn.split(":", 5)
    return f"{parts[2]} {re.split('[:/]', parts[5])[0]}" if len(parts) == 6 else arn


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**arguments):
            yield from page[key]
    else:
        yield from getattr(client, operation)(**arguments)[key]


def _names(
    service: str, operation: str, key: str, name: str | None, **arguments: Any
) -> Callable[[Stack], Iterable[str]]:
    """A finder for the ordinary case: a listing with a name in each entry (name=None: the entry is the name)."""

    def find(stack: Stack) -> Iterable[str]:
        for entry in _pages(stack.client(service), operation, key, **arguments):
            yield entry[name] if name else entry

    return find


def _sagemaker(operation: str, key: str, name: str) -> Callable[[Stack], Iterable[str]]:
    def find(stack: Stack) -> Iterable[str]:
        entries = _pages(stack.client("sagemaker"), operation, key, NameContains=stack.prefix)
        return [entry[name] for entry in entries]

    return find


def _log_groups(stack: Stack) -> Iterable[str]:
    for group in LOG_GROUPS:
        prefix = group + stack.prefix
        yield from (
            g["logGroupName"]
            for g in _pages(stack.client("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=prefix)
        )


def _tagged(stack: Stack) -> Iterator[str]:
    filters = [
        {"Key": "slipway:project", "Values": [stack.project]},
        {"Key": "slipway:stack", "Values": [stack.name]},
    ]
    client = stack.client("resourcegroupstaggingapi")
    for entry in _pages(client, "get_resources", "ResourceTagMappingList", TagFilters=filters):
        yield entry["ResourceARN"]


# In the order of what an hour of it costs.
FINDERS: dict[str, Callable[[Stack], Iterable[str]]] = {
    "endpoint": _sagemaker("list_endpoints", "Endpoints", "EndpointName"),
    "training job": _sagemaker("list_training_jobs", "TrainingJobSummaries", "TrainingJobName"),
    "scalable target": _names(
        "application-autoscaling",
        "describe_scalable_targets",
        "ScalableTargets",
        "ResourceId",
        ServiceNamespace="sagemaker",
    ),
    "endpoint configuration": _sagemaker("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    "model": _sagemaker("list_models", "Models", "ModelName"),
    "bucket": _names("s3", "list_buckets", "Buckets", "Name"),
    "image repository": _names("ecr", "describe_repositories", "repositories", "repositoryName"),
    "build project": _names("codebuild", "list_projects", "projects", None),
    "log group": _log_groups,
    "role": _names("iam", "list_roles", "Roles", "RoleName"),
}
