"""Managed spot training: AWS's rules for it and what it bills. Interruptions are made in interruptions.py."""

import math
from collections.abc import Mapping
from typing import Any

from localaws.errors import validation

INTERRUPTED = "The managed spot training instances were interrupted"
# AWS bills spot seconds as a share of the seconds trained. The real share follows the market; its guide speaks of
# savings of up to 90%, its samples show 70%.
BILLED_SHARE = 0.3


def check(request: Mapping[str, Any], max_runtime_seconds: int) -> None:
    """AWS's rules for MaxWaitTimeInSeconds and warm pools. Raises a validation error in its words."""
    wait = request.get("StoppingCondition", {}).get("MaxWaitTimeInSeconds")
    if not request.get("EnableManagedSpotTraining"):
        if wait is not None:
            raise validation(
                "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
            )
        return
    if wait is None or wait < max_runtime_seconds:
        raise validation(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
    if request["ResourceConfig"].get("KeepAlivePeriodInSeconds"):
        raise validation(
            "KeepAlivePeriodInSeconds is not supported when EnableManagedSpotTraining is set to true: "
            "warm pools cannot hold spot instances."
        )


def is_spot(record: Mapping[str, Any]) -> bool:
    return bool(record.get("EnableManagedSpotTraining"))


def deadline(record: Mapping[str, Any]) -> float:
    """When MaxWaitTimeInSeconds ends the job, in epoch seconds; never for a job that is not spot."""
    wait = record["StoppingCondition"].get("MaxWaitTimeInSeconds")
    return math.inf if wait is None else record["CreationTime"] + wait


def seconds(record: Mapping[str, Any], instance_seconds: float) -> dict[str, int]:
    """TrainingTimeInSeconds and BillableTimeInSeconds, each at least 1 (waiting for capacity is in neither).

    `instance_seconds` is wall-clock time, whatever the number of instances: the bill is BillableTimeInSeconds times
    InstanceCount (API reference, DescribeTrainingJob).
    """
    share = BILLED_SHARE if record["EnableManagedSpotTraining"] else 1.0
    return {
        "TrainingTimeInSeconds": max(1, round(instance_seconds)),
        "BillableTimeInSeconds": max(1, round(instance_seconds * share)),
    }
