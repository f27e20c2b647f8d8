"""What the stack's instances have cost this month (UTC), by the function's own account.

AWS's budget follows the bill, which lags by hours: long enough for a large instance to cost more than the month should.
So each check adds up what is known at once: billable seconds of training and transform jobs, and the endpoint's
instances from check to check. Storage, requests and data are left to the budget; what has no price is named, not zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from .events import UNLIMITED
from .facts import Facts
from .memory import State

SECONDS_PER_HOUR = 3600
OVERLAP_SECONDS = 900
"""A job that ended this long before the last check is asked for again: listings lag."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    usd: Decimal = Decimal(0)
    unpriced: tuple[str, ...] = ()
    open: bool = False
    """Whether it grows still."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a job has used: so many instances of a type for so many seconds."""

    key: str
    count: int
    seconds: float
    open: bool


def month_of(now: float) -> str:
    return f"{datetime.fromtimestamp(now, UTC):%Y-%m}"


def start_of_month(now: float) -> float:
    return datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def training_work(job: Mapping[str, Any], now: float) -> Work:
    """A training job's instances since the month began, its warm pool included.

    While it runs, every second counts: that spot instances billed fewer is known when it has ended.
    """
    resources = job.get("ResourceConfig", {})
    begun, ended = _epoch(job.get("TrainingStartTime")), _epoch(job.get("TrainingEndTime"))
    seconds = _seconds_of_month(begun, ended, now, job.get("BillableTimeInSeconds"))
    pool = job.get("WarmPoolStatus", {})
    waiting = pool.get("Status") == "Available"
    kept = pool.get("ResourceRetainedBillableTimeInSeconds")
    if kept is None:
        kept = max(now - ended, 0.0) if waiting and ended else 0.0
    return Work(
        key=f"Training:{resources.get('InstanceType', 'of instance groups')}",
        count=int(resources.get("InstanceCount", 1)),
        seconds=seconds + float(kept),
        open=ended is None or waiting,
    )


def transform_work(job: Mapping[str, Any], now: float) -> Work:
    resources = job.get("TransformResources", {})
    ended = _epoch(job.get("TransformEndTime"))
    return Work(
        key=f"BatchTransform:{resources.get('InstanceType', '')}",
        count=int(resources.get("InstanceCount", 1)),
        seconds=_seconds_of_month(_epoch(job.get("TransformStartTime")), ended, now, None),
        open=ended is None,
    )


def _seconds_of_month(begun: float | None, ended: float | None, now: float, billable: float | None) -> float:
    if begun is None:
        return 0.0
    end = ended if ended is not None else now
    seconds = max(end - max(begun, start_of_month(now)), 0.0)
    if billable is None or ended is None or end <= begun:
        return seconds
    return float(billable) * seconds / (end - begun)


def cost_of(work: Work, rates: Mapping[str, str]) -> Cost:
    return _cost({work.key: work.count}, work.seconds, rates, work.open)


def _cost(counts: Mapping[str, int], seconds: float, rates: Mapping[str, str], grows: bool) -> Cost:
    usd = sum(
        (
            Decimal(rates[key]) * count * Decimal(str(seconds)) / SECONDS_PER_HOUR
            for key, count in counts.items()
            if key in rates
        ),
        Decimal(0),
    )
    return Cost(usd=usd, unpriced=tuple(sorted(key for key in counts if key not in rates)), open=grows)


def hourly(counts: Mapping[str, int], rates: Mapping[str, str]) -> Cost:
    """What an hour of these costs."""
    return _cost(counts, SECONDS_PER_HOUR, rates, True)


def turn_month(state: State, now: float) -> None:
    """A new month begins at nothing; a job that still runs is counted in it as well."""
    month = state["month"]
    if month and month["name"] == month_of(now):
        return
    jobs = {
        name: {"usd": "0", "open": True, **_kind(job)}
        for name, job in (month or {"jobs": {}})["jobs"].items()
        if job["open"]
    }
    state["month"] = {"name": month_of(now), "endpoint_usd": "0", "jobs": jobs, "unpriced": []}


def _kind(job: Mapping[str, Any]) -> dict[str, str]:
    return {"kind": job["kind"]}


def count_job(state: State, name: str, kind: str, cost: Cost) -> None:
    """Said anew each time it is looked at, so that nothing is counted twice."""
    state["month"]["jobs"][name] = {"usd": _text(cost.usd), "open": cost.open, "kind": kind}
    _name_unpriced(state, cost)


def count_endpoint(state: State, counts: Mapping[str, int], since: float, now: float, rates: Mapping[str, str]) -> None:
    """Adds the endpoint's instances from the last check (or its birth, or the month's) to now."""
    begin = max(since, state["seen"] or 0.0, start_of_month(now))
    cost = _cost(counts, max(now - begin, 0.0), rates, True)
    state["month"]["endpoint_usd"] = _text(Decimal(state["month"]["endpoint_usd"]) + cost.usd)
    _name_unpriced(state, cost)


def _name_unpriced(state: State, cost: Cost) -> None:
    state["month"]["unpriced"] = sorted({*state["month"]["unpriced"], *cost.unpriced})


def spent(state: State, now: float) -> Decimal:
    """USD since the month began, as of the last check; nothing when that was in another month."""
    month = state["month"]
    if not month or month["name"] != month_of(now):
        return Decimal(0)
    return sum((Decimal(job["usd"]) for job in month["jobs"].values()), Decimal(month["endpoint_usd"]))


def limit(facts: Facts, state: State, now: float) -> Decimal | None:
    """USD of this month at which the stack is stopped; None for no limit."""
    raised = state["raised"]
    if raised and raised["month"] == month_of(now):
        return None if raised["usd"] == UNLIMITED else Decimal(raised["usd"])
    return Decimal(facts.budget_usd) * facts.breach_percent / 100 if facts.budget_usd else None


def _text(usd: Decimal) -> str:
    return str(usd.quantize(Decimal("0.000001")))


def _epoch(when: datetime | None) -> float | None:
    return when.timestamp() if when is not None else None
