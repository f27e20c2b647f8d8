"""The stack's completed runs, as the expected length of the next one."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from slipway.cost.asking import Past, PastRun
from slipway.leaks import own_name
from slipway.project import Stack

LOOKED_AT = 20  # of the newest jobs; each costs a call


def past_runs(stack: Stack) -> Past:
    """Never fails: an account that cannot be asked is the reason why nothing is known."""
    try:
        runs = tuple(_completed(stack))
    except (BotoCoreError, ClientError) as error:
        return Past(why=f"AWS was not asked: {error}")
    return Past(runs=runs, why="" if runs else "this stack has none")


def _completed(stack: Stack) -> Iterator[PastRun]:
    sagemaker = stack.client("sagemaker")
    listed = sagemaker.list_training_jobs(
        NameContains=f"{stack.prefix}-",
        StatusEquals="Completed",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=LOOKED_AT,
    )
    for summary in listed["TrainingJobSummaries"]:
        if own_name(stack.prefix, summary["TrainingJobName"]):
            yield _run(sagemaker.describe_training_job(TrainingJobName=summary["TrainingJobName"]))


def _run(job: dict[str, Any]) -> PastRun:
    resources = job["ResourceConfig"]
    seconds = int(job.get("TrainingTimeInSeconds", 0))
    return PastRun(
        name=job["TrainingJobName"],
        instance_type=resources.get("InstanceType", ""),
        instances=resources.get("InstanceCount", 1),
        seconds=seconds,
        billable_seconds=int(job.get("BillableTimeInSeconds", seconds)),
        spot=bool(job.get("EnableManagedSpotTraining")),
    )
