"""The instances that run in the account and region now, by use and type, as the quotas count them.

Endpoints of the stack itself are counted apart: what they hold, its own plan may use again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from slipway.project import Stack

AT_ONCE = 8
Instances = Counter[tuple[str, str]]
"""(use, instance type) -> how many."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    others: Instances = field(default_factory=Counter)
    own: Instances = field(default_factory=Counter)
    """Of the stack's endpoint."""
    serverless: int = 0
    """Concurrency of other serverless variants."""

    def of(self, use: str, kind: str = "") -> int:
        """What others hold of a type, or of all types."""
        return sum(count for (by, what), count in self.others.items() if by == use and kind in ("", what))


def running(stack: Stack) -> Usage:
    """Raises what boto3 raises."""
    others: Instances = Counter()
    own: Instances = Counter()
    sagemaker, serverless = stack.client("sagemaker"), 0
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="usage") as pool:
        names = list(_names(sagemaker, "list_training_jobs", "TrainingJobSummaries", "TrainingJobName"))
        for job in pool.map(lambda name: sagemaker.describe_training_job(TrainingJobName=name), names):
            resources = job["ResourceConfig"]
            use = "SpotTraining" if job.get("EnableManagedSpotTraining") else "Training"
            others[use, resources.get("InstanceType", "")] += resources.get("InstanceCount", 1)
        endpoints = list(_names(sagemaker, "list_endpoints", "Endpoints", "EndpointName"))
        for name, found, concurrency in pool.map(lambda one: _endpoint(sagemaker, one), endpoints):
            (own if name == stack.prefix else others).update(found)
            serverless += 0 if name == stack.prefix else concurrency
    return Usage(others=others, own=own, serverless=serverless)


def _names(sagemaker: Any, operation: str, member: str, name: str) -> Iterator[str]:
    wanted = {"StatusEquals": "InProgress"} if operation == "list_training_jobs" else {}
    for page in sagemaker.get_paginator(operation).paginate(**wanted):
        yield from (one[name] for one in page[member] if one.get("EndpointStatus") != "Failed")


def _endpoint(sagemaker: Any, name: str) -> tuple[str, Instances, int]:
    found: Instances = Counter()
    concurrency = 0
    try:
        described = sagemaker.describe_endpoint(EndpointName=name)
        config = sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
    except ClientError as error:
        if "Could not find" not in error.response["Error"]["Message"]:
            raise
        return name, found, 0  # it has gone since, or its configuration has
    types = {one["VariantName"]: one.get("InstanceType", "") for one in _variants(config)}
    for variant in _variants(described):
        concurrency += variant.get("CurrentServerlessConfig", {}).get("MaxConcurrency", 0)
        if kind := types.get(variant["VariantName"]):
            found["Hosting", kind] += max(
                variant.get("CurrentInstanceCount", 0), variant.get("DesiredInstanceCount", 0)
            )
    return name, found, concurrency


def _variants(described: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*described.get("ProductionVariants", []), *described.get("ShadowProductionVariants", [])]
