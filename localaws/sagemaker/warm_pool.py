"""Warm pools: the instances of a finished job, kept for KeepAlivePeriodInSeconds for the next job like it.

A pool is billed while nobody uses it. Its status is a function of the job's record and of the clock:
InUse (the job runs) -> Available -> Reused (by a job that matches) or Terminated (time is up, or set to 0).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localaws.errors import validation

# What must be equal for a job to move into a pool (AWS's guide, "Matching training jobs").
MATCHING = ("RoleArn", "VpcConfig", "EnableInterContainerTrafficEncryption", "EnableNetworkIsolation")
MATCHING_RESOURCES = ("InstanceCount", "InstanceType", "VolumeKmsKeyId", "VolumeSizeInGB")
ENDED = ("Completed", "Failed", "Stopped")
PLATFORM_FAULT = "InternalServerError"


@dataclass(kw_only=True)
class WarmPool:
    """The pool of one job, if its record asks for one. Times are epoch seconds of the clock."""

    record: dict[str, Any]
    reused_by: str = ""
    reused_at: float = 0.0
    updated_at: float = 0.0

    def status(self, now: float) -> dict[str, Any] | None:
        """WarmPoolStatus as DescribeTrainingJob shows it; None for a job without a pool."""
        record, period = self.record, self.record["ResourceConfig"].get("KeepAlivePeriodInSeconds", 0)
        if record["TrainingJobStatus"] not in ENDED:
            return {"Status": "InUse"} if period else None
        begin = record.get("TrainingEndTime")
        # Instances outlive a stop and an error of the algorithm or the client, not one of the platform.
        if begin is None or record.get("FailureReason", "").startswith(PLATFORM_FAULT):
            return None
        if not period and self.updated_at <= begin:
            return None
        if self.reused_by:
            return _status("Reused", self.reused_at - begin) | {"ReusedByJob": self.reused_by}
        end = max(begin + period, self.updated_at)
        return _status("Available", now - begin) if now < end else _status("Terminated", end - begin)

    def kept_until(self, now: float) -> float:
        """When, by that time, the finished job's instances went or were reused; the time itself while they are kept."""
        begin: float = self.record["TrainingEndTime"]
        if self.record.get("FailureReason", "").startswith(PLATFORM_FAULT):
            return begin
        period = self.record["ResourceConfig"].get("KeepAlivePeriodInSeconds", 0)
        end = self.reused_at if self.reused_by else max(begin + period, self.updated_at)
        return min(max(begin, end), now)

    def is_available(self, now: float) -> bool:
        status = self.status(now)
        return status is not None and status["Status"] == "Available"

    def update(self, period_seconds: int, now: float) -> None:
        """UpdateTrainingJob: another period, while the job runs or its pool is Available; 0 ends the pool at once."""
        status = self.status(now) or {"Status": "none"}
        running = self.record["TrainingJobStatus"] == "InProgress"
        if not running and status["Status"] != "Available":
            raise validation(
                f"The request was rejected because the warm pool of training job {self.record['TrainingJobName']} "
                f"is not Available (its status: {status['Status']}); KeepAlivePeriodInSeconds cannot be updated."
            )
        self.record["ResourceConfig"] = {
            **self.record["ResourceConfig"],
            "KeepAlivePeriodInSeconds": period_seconds,
        }
        self.updated_at = now


def _status(status: str, retained_seconds: float) -> dict[str, Any]:
    return {"Status": status, "ResourceRetainedBillableTimeInSeconds": round(retained_seconds)}


def claim(pools: Iterable[WarmPool], record: Mapping[str, Any], now: float) -> None:
    """Move a new job into the first Available pool that matches it, if there is one."""
    for pool in pools:
        if pool.is_available(now) and _match(pool.record, record):
            pool.reused_by, pool.reused_at = record["TrainingJobName"], now
            return


def _match(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    here, there = one["ResourceConfig"], other["ResourceConfig"]
    return all(one.get(name) == other.get(name) for name in MATCHING) and all(
        here.get(name) == there.get(name) for name in MATCHING_RESOURCES
    )
