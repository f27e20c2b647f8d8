"""What AWS says when it has no free instances of a type, and which runs of a ladder it has said that of."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.waiting import ActionFailed, Client

NO_CAPACITY = ("CapacityError", "InsufficientInstanceCapacity", "Unable to provision requested ML compute capacity")


class NoCapacity(ActionFailed):
    """AWS had no free instances for a run: nothing was trained and nothing is billed."""

    def __init__(self, run: str, reason: str) -> None:
        super().__init__(
            f"run {run} got no instances: {reason}\n"
            "The endpoint was not touched and nothing was billed. Try again later: slipway train --again. To go on "
            "with other instance types by itself, name them: slipway:training.fallbacks"
        )
        self.run, self.reason = run, reason


@dataclass(frozen=True, kw_only=True)
class KnownRun:
    """A run that AWS knows. `refused`: for want of instances; `age` of its last change, by AWS's own clock."""

    content: str
    """The 12 hex in its name."""
    created: datetime
    refused: bool
    age: timedelta


def reason_of(job: dict[str, Any]) -> str:
    """Why the ended training job got no instances; empty when it got some, or ended for another reason.

    A spot job that waited for all of its MaxWaitTimeInSeconds has no FailureReason, and no TrainingStartTime either
    unless it ran before it was interrupted; then it is a run that was too slow, which other instances might not mend.
    """
    failure: str = job.get("FailureReason", "")
    if any(word in failure for word in NO_CAPACITY):
        return failure
    if job.get("SecondaryStatus") == "MaxWaitTimeExceeded" and "TrainingStartTime" not in job:
        limit = job.get("StoppingCondition", {}).get("MaxWaitTimeInSeconds")
        return f"MaxWaitTimeExceeded: no spot capacity within {limit} s"
    return ""


def known_runs(client: Client, prefix: str, contents: Collection[str]) -> list[KnownRun]:
    """The runs of stack `prefix` with these contents. Only reads.

    A client that cannot reach AWS gets none: the provider says that better. Raises ActionFailed when AWS refuses.
    """
    sagemaker = client("sagemaker")
    found = []
    try:
        for page in sagemaker.get_paginator("list_training_jobs").paginate(NameContains=f"{prefix}-"):
            for summary in page["TrainingJobSummaries"]:
                content = summary["TrainingJobName"].removeprefix(f"{prefix}-").split("-")[0]
                if content in contents:
                    found.append(_known(sagemaker, summary["TrainingJobName"], content))
    except ClientError as error:
        raise ActionFailed(
            f"slipway:training.fallbacks is set, and which of them is in use only AWS's list of runs tells: {error}"
        ) from error
    except BotoCoreError:
        return []
    return found


def _known(sagemaker: Any, name: str, content: str) -> KnownRun:
    job = sagemaker.describe_training_job(TrainingJobName=name)
    date = job["ResponseMetadata"]["HTTPHeaders"].get("date")
    now = parsedate_to_datetime(date) if date else datetime.now(UTC)
    age = now - job.get("LastModifiedTime", job["CreationTime"])
    return KnownRun(content=content, created=job["CreationTime"], refused=bool(reason_of(job)), age=age)
