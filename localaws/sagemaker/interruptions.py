"""Interruptions of managed spot training, on demand and at a rate: AWS takes spot instances away when it needs them.

    curl -X POST $AWS_ENDPOINT_URL/_localaws/interrupt -d '{"job": "my-job", "capacity_after_seconds": 600}'
    curl -X POST $AWS_ENDPOINT_URL/_localaws/spot -d '{"interruptions_per_hour": 2, "notice": "none", "seed": 7}'
    curl $AWS_ENDPOINT_URL/_localaws/spot            # the rate and all interruptions so far
    python -m localaws --spot '{"interruptions_per_hour": 2}'

An interruption takes all instances of a job. With the notice `sigterm` its processes get SIGTERM and 120 s, then the
checkpoints go to S3. AWS does not promise a signal, so `none` kills at once, and what had not reached S3 is lost.
The job is Interrupted until capacity is back, then it starts again in new instances, until MaxWaitTimeInSeconds.
"""

import json
import math
import random
import secrets
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from localaws.cloud import GLOBAL, Cloud, Store
from localaws.errors import AwsError, validation
from localaws.sagemaker.spot import BILLED_SHARE
from localaws.sagemaker.state import SageMaker, TrainingJob

NOTICES = ("sigterm", "none")
HOUR_SECONDS = 3600

DIFFERENCES = (
    (
        "interruptions of managed spot training",
        "only on demand (POST /_localaws/interrupt) or at a rate (POST /_localaws/spot, or `--spot`), with SIGTERM or "
        "without; all instances of a job at once",
    ),
    (
        "BillableTimeInSeconds of spot jobs",
        f"{BILLED_SHARE:.0%} of TrainingTimeInSeconds; in AWS the share follows the market",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Interruption:
    """How instances are taken away, and after how many seconds (of the clock) there are others."""

    capacity_after_seconds: float = 0.0
    notice: str = "sigterm"

    def __post_init__(self) -> None:
        _check_number("capacity_after_seconds", self.capacity_after_seconds)
        if self.notice not in NOTICES:
            raise ValueError(f"notice is {self.notice!r}; allowed: {', '.join(NOTICES)}")


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Interruptions at exponentially distributed times, from `since` (epoch seconds of the clock) on."""

    interruptions_per_hour: float = 0.0
    capacity_after_seconds: float = 0.0
    notice: str = "sigterm"
    seed: int = field(default_factory=lambda: secrets.randbits(32))

    def __post_init__(self) -> None:
        _check_number("interruptions_per_hour", self.interruptions_per_hour)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise ValueError(f"seed is {self.seed!r}; give a whole number")
        self.interruption()

    def interruption(self) -> Interruption:
        return Interruption(capacity_after_seconds=self.capacity_after_seconds, notice=self.notice)

    def seconds_to_next(self, job: str, attempt: int) -> float:
        """Seconds that an attempt runs until it is interrupted: the same for the same seed, job name and attempt."""
        if not self.interruptions_per_hour:
            return math.inf
        draw = random.Random(f"{self.seed}/{job}/{attempt}").expovariate(1.0)
        return draw * HOUR_SECONDS / self.interruptions_per_hour


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name} is {value!r}; give a number >= 0")


class Market(Store):
    """The spot market of one localaws: its rate, and the interruptions that there have been."""

    def __init__(self) -> None:
        self.rate = Rate()
        self._since = 0.0
        self._past: list[dict[str, Any]] = []

    def set(self, rate: Rate, now: float) -> None:
        self.rate, self._since = rate, now

    def due(self, job: str, attempt: int, begin: float) -> float:
        """When an attempt that began then is interrupted, in epoch seconds of the clock; infinite for never.

        A new rate counts from when it was set: an exponential distribution has no memory.
        """
        return max(begin, self._since) + self.rate.seconds_to_next(job, attempt)

    def note(self, job: str, attempt: int, now: float, interruption: Interruption) -> None:
        self._past.append({"job": job, "attempt": attempt, "time": now, **asdict(interruption)})

    def describe(self) -> dict[str, Any]:
        """GET /_localaws/spot: the rate, and `interruptions`, the oldest first."""
        return {**asdict(self.rate), "interruptions": list(self._past)}


def market(cloud: Cloud) -> Market:
    return cloud.store(GLOBAL, Market)


def describe(cloud: Cloud) -> dict[str, Any]:
    return market(cloud).describe()


def set_rate(cloud: Cloud, body: bytes) -> dict[str, Any]:
    """POST /_localaws/spot: the new rate, 0 for none; a reset ends it too. Raises ValueError for a wrong body."""
    found = market(cloud)
    found.set(read_rate(body), cloud.clock.now())
    return found.describe()


def read_rate(body: bytes) -> Rate:
    """A rate from its JSON. Raises ValueError."""
    return Rate(**_object(body, {item.name for item in fields(Rate)}, "interruptions_per_hour"))


def interrupt(cloud: Cloud, body: bytes) -> dict[str, Any]:
    """POST /_localaws/interrupt. Raises ValueError for a wrong body, AwsError for a job that cannot be interrupted."""
    wanted = _object(body, {"job", *(item.name for item in fields(Interruption))}, "job")
    name = wanted.pop("job")
    interruption = Interruption(**wanted)
    job = _find(cloud, name)
    if not job.record["EnableManagedSpotTraining"]:
        raise validation(f"Training job {name} is not a spot job; only EnableManagedSpotTraining jobs are interrupted.")
    if not job.run.interrupt(interruption):
        where = f"{job.record['TrainingJobStatus']} / {job.record['SecondaryStatus']}"
        raise validation(f"Training job {name} is {where}: it has no instances that could be interrupted.")
    return {"job": name, **asdict(interruption)}


def _object(body: bytes, allowed: set[str], needed: str) -> dict[str, Any]:
    wanted = json.loads(body or b"{}")
    if not isinstance(wanted, dict) or set(wanted) - allowed or needed not in wanted:
        given = ", ".join(sorted(wanted)) if isinstance(wanted, dict) and wanted else repr(wanted)
        raise ValueError(f"given: {given}; needed: {needed}; allowed: {', '.join(sorted(allowed - {needed}))}")
    return wanted


def _find(cloud: Cloud, name: str) -> TrainingJob:
    for store in cloud.stores(SageMaker).values():
        if name in store.jobs:
            return store.jobs[name]
    raise AwsError("NotFound", f"there is no training job {name!r}", status=404)
