"""Managed spot training: AWS's rules for it, what it bills, and interruptions on demand.

    curl -X POST $AWS_ENDPOINT_URL/_localaws/interrupt -d '{"job": "my-job", "capacity_after_seconds": 600}'

AWS takes spot instances away when it needs them; here nobody does unless asked to. The job's processes get SIGTERM,
the checkpoints go to S3, the job is Interrupted until capacity is back, then it starts again in new instances.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from localaws.cloud import Cloud
from localaws.errors import AwsError, validation
from localaws.sagemaker.state import SageMaker, TrainingJob

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


def deadline(record: Mapping[str, Any]) -> float:
    """When MaxWaitTimeInSeconds ends the job, in epoch seconds; never for a job that is not spot."""
    wait = record["StoppingCondition"].get("MaxWaitTimeInSeconds")
    return math.inf if wait is None else record["CreationTime"] + wait


def seconds(record: Mapping[str, Any], instance_seconds: float) -> dict[str, int]:
    """TrainingTimeInSeconds and BillableTimeInSeconds, each at least 1 (waiting for capacity is in neither)."""
    share = BILLED_SHARE if record["EnableManagedSpotTraining"] else 1.0
    return {
        "TrainingTimeInSeconds": max(1, round(instance_seconds)),
        "BillableTimeInSeconds": max(1, round(instance_seconds * share)),
    }


def interrupt(cloud: Cloud, body: bytes) -> dict[str, Any]:
    """POST /_localaws/interrupt. Raises ValueError for a wrong body, AwsError for a job that cannot be interrupted."""
    wanted = json.loads(body or b"{}")
    unknown = set(wanted) - {"job", "capacity_after_seconds"}
    if unknown or "job" not in wanted:
        given = ", ".join(sorted(wanted)) or "nothing"
        raise ValueError(f"given: {given}; needed: job; allowed: capacity_after_seconds (default 0)")
    name, after = wanted["job"], wanted.get("capacity_after_seconds", 0)
    if not isinstance(after, int | float) or after < 0:
        raise ValueError(f"capacity_after_seconds is {after!r}; give a number >= 0")
    job = _find(cloud, name)
    if not job.record["EnableManagedSpotTraining"]:
        raise validation(f"Training job {name} is not a spot job; only EnableManagedSpotTraining jobs are interrupted.")
    if not job.run.interrupt(after):
        where = f"{job.record['TrainingJobStatus']} / {job.record['SecondaryStatus']}"
        raise validation(f"Training job {name} is {where}: it has no instances that could be interrupted.")
    return {"job": name, "capacity_after_seconds": after}


def _find(cloud: Cloud, name: str) -> TrainingJob:
    for store in cloud.stores(SageMaker).values():
        if name in store.jobs:
            return store.jobs[name]
    raise AwsError("NotFound", f"there is no training job {name!r}", status=404)
