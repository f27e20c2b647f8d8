"""What a run costs: billable seconds x instances x the training rate, its volume, and the warm pool after it.

A spot job pays the same rate for fewer billable seconds: there is no spot price to multiply with as well.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from slipway.cost.amounts import Span
from slipway.cost.asking import SECONDS_PER_MONTH, Asking, middle, words
from slipway.cost.instances import has_local_disk
from slipway.cost.lines import Line
from slipway.cost.planned import Resource
from slipway.prices.book import SECONDS_PER_HOUR

HALF = Decimal("0.5")
SHORTEST_SECONDS = 60
SPOT_SAVED_ADVERTISED = Decimal("0.90")
SPOT_SAVED_SEEN = (Decimal("0.59"), Decimal("0.68"))  # one account, ml.g5.xlarge, July 2026
SPOT = "AWS advertises up to 90% fewer billable seconds, 59 to 68% were seen; worst: none saved"


def training_job(job: Resource, asking: Asking) -> Iterable[Line]:
    """One run of a training job."""
    seconds, why = billable(job.inputs, asking)
    yield from _run(job, job.inputs, asking, seconds, why)


def tuning_job(job: Resource, asking: Asking) -> Iterable[Line]:
    """One search: at most as many training jobs as it may make."""
    definition = job.get("trainingJobDefinition") or job.get("trainingJobDefinitions", 0) or {}
    most = Decimal(job.get("config", "resourceLimits", "maxNumberOfTrainingJobs", default=1))
    jobs = asking.usage.tuning_jobs or Span.of(most)
    seconds, why = billable(definition, asking)
    why = f"{words(jobs)} training jobs (slipway:training.tuning.max_jobs), each: {why}"
    yield from _run(job, definition, asking, seconds * jobs, why)


def billable(definition: Mapping[str, Any], asking: Asking) -> tuple[Span, str]:
    """Billable seconds of one job on one instance, and where they come from."""
    limits = definition.get("stoppingCondition") or {}
    longest = Decimal(limits.get("maxRuntimeInSeconds", 24 * SECONDS_PER_HOUR))
    spot = bool(definition.get("enableManagedSpotTraining"))
    most = max(longest, Decimal(limits.get("maxWaitTimeInSeconds", longest))) if spot else longest
    if asking.usage.training_seconds:
        return asking.usage.training_seconds, f"{words(asking.usage.training_seconds)} billable s (as given)"
    resources = definition.get("resourceConfig") or {}
    past = asking.past.like(str(resources.get("instanceType")), int(resources.get("instanceCount", 1)))
    bound = "the longest wait and run" if spot else "the time limit"
    if past:
        same = [run for run in past if run.spot == spot] or past
        span = _from_past([run.billable_seconds for run in same], most)
        return span, f"median of {len(same)} past run(s); worst: {bound}, {most} s"
    least, likely = min(Decimal(SHORTEST_SECONDS), longest), longest * HALF
    if not spot:
        return Span.of(
            least, likely, most
        ), f"no past run ({asking.past.why or 'none is known'}): half of {bound}, {most} s"
    saved = (SPOT_SAVED_SEEN[0] + SPOT_SAVED_SEEN[1]) / 2
    span = Span.of(least * (1 - SPOT_SAVED_ADVERTISED), likely * (1 - saved), most)
    return span, f"no past run: half of the time limit, {longest} s; {SPOT}: {most} s"


def _from_past(seconds: list[int], most: Decimal) -> Span:
    likely = middle(seconds)
    return Span.of(min(seconds), likely, max(most, likely))


def _run(job: Resource, definition: Mapping[str, Any], asking: Asking, seconds: Span, why: str) -> Iterable[Line]:
    resources = definition.get("resourceConfig") or {}
    kind, count = str(resources.get("instanceType")), Decimal(resources.get("instanceCount", 1))
    spot = ", spot" if definition.get("enableManagedSpotTraining") else ""
    lower = "slipway:training.max_runtime_minutes, .instance_type" + ("" if spot else ", .spot: true")
    yield asking.line(
        job, f"{count} x {kind}{spot}", f"Training:{kind}", seconds * count / SECONDS_PER_HOUR, why, lower, "run"
    )
    kept = Decimal(resources.get("keepAlivePeriodInSeconds", 0))
    pool = (asking.usage.warm_pool_seconds or Span.of(0, kept, kept)) * count
    if kept:
        yield asking.line(
            job,
            f"warm pool of {count} x {kind}",
            f"Training:{kind}",
            pool / SECONDS_PER_HOUR,
            f"kept {kept} s after the run unless the next one comes at once; same rate as training",
            "slipway:training.warm_pool_minutes",
            "run",
        )
    volume = Decimal(resources.get("volumeSizeInGb", 0))
    if volume and not has_local_disk(kind):
        yield asking.line(
            job,
            f"volume, {volume} GB an instance",
            "Volume:Training",
            (seconds * count + pool) * volume / SECONDS_PER_MONTH,
            "as long as the instances",
            "slipway:training.volume_gb",
            "run",
        )
