"""A check: add up what is spent, and do what is due. In this order, each only when those before it are not:

a breach in force, time that is over, an earlier stop or start that is not finished, an endpoint that nobody asks.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from . import jobs, spend
from .endpoints import billed_by_the_hour
from .rules import BREACH, EXPIRED, IDLE, end_of, is_expired, is_idle, is_warning_due, utc
from .run import Run
from .start import advance, forget_if_made_anew
from .stop import STARTING, STOPPING, stop

IDLE_METRICS = ("Invocations", "InvocationsProcessed")
"""Requests of a variant; asynchronous endpoints count the second."""
MINUTES_LISTED = 1440
"""Data points that CloudWatch answers with at a time."""
WORK = {jobs.TRAINING: spend.training_work, jobs.TRANSFORM: spend.transform_work}


def check(run: Run) -> None:
    run.attempt("what is spent", partial(meter, run))
    _find_breach(run)
    _warn(run)
    stopped = run.state["stopped"]
    if run.state["breach"]:
        stop(run, BREACH, _words_of_breach(run))
    elif is_expired(run.facts, run.state, run.now):
        end = end_of(run.facts, run.state) or run.now
        more = f"More time: slipway extend 8h --stack {run.facts.stack}, then:"
        stop(run, EXPIRED, f"The stack's time was over at {utc(end)}. {more} {run.facts.back}")
    elif stopped and stopped["phase"] == STOPPING:
        stop(run, stopped["reason"], f"A stop of {utc(stopped['since'])} is finished.")
    elif stopped and stopped["phase"] == STARTING:
        run.attempt("start", partial(advance, run))
    elif stopped:
        forget_if_made_anew(run)
    else:
        run.attempt("whether the endpoint is idle", partial(_stop_idle, run))


def notice(run: Run) -> None:
    """AWS Budgets has written: whatever the message says, the budget itself tells what is spent."""
    run.attempt("what is spent", partial(meter, run))
    name = run.facts.budget_name
    if not name:
        run.refused = "a message arrived on the topic, but the stack has no budget"
        return
    budget = run.client("budgets").describe_budget(AccountId=run.facts.account, BudgetName=name)["Budget"]
    usd = Decimal(budget["CalculatedSpend"]["ActualSpend"]["Amount"])
    limit = spend.limit(run.facts, run.state, run.now)
    if limit is not None and usd >= limit:
        _breach(run, usd, limit, "AWS Budgets")
        stop(run, BREACH, _words_of_breach(run))
    else:
        run.left.append(f"AWS Budgets counts {usd:.2f} USD: not at the limit")


def meter(run: Run) -> None:
    """Brings the month's account up to now."""
    state, sagemaker = run.state, run.client("sagemaker")
    since = max(spend.start_of_month(run.now), (state["seen"] or 0.0) - spend.OVERLAP_SECONDS)
    spend.turn_month(state, run.now)
    for kind, work_of in WORK.items():
        names = {name for name, job in state["month"]["jobs"].items() if job["open"] and job["kind"] == kind.what}
        for wanted in ({"StatusEquals": jobs.RUNNING}, {"LastModifiedTimeAfter": datetime.fromtimestamp(since, UTC)}):
            names.update(jobs.of_stack(sagemaker, run.facts, kind, **wanted))
        for name in sorted(names):
            cost = spend.cost_of(work_of(kind.describe(sagemaker, name), run.now), run.facts.rates)
            spend.count_job(state, name, kind.what, cost)
    live = run.endpoint()
    if live is not None and live.status != "Deleting":
        spend.count_endpoint(state, billed_by_the_hour(sagemaker, live), live.created, run.now, run.facts.rates)
    state["seen"] = max(state["seen"] or 0.0, run.now)


def _find_breach(run: Run) -> None:
    usd, limit = spend.spent(run.state, run.now), spend.limit(run.facts, run.state, run.now)
    if limit is not None and usd >= limit and not run.state["breach"]:
        _breach(run, usd, limit, "the guardian")


def _breach(run: Run, usd: Decimal, limit: Decimal, by: str) -> None:
    run.state["breach"] = {
        "since": run.now,
        "month": spend.month_of(run.now),
        "spent_usd": f"{usd:.2f}",
        "limit_usd": f"{limit:.2f}",
        "by": by,
    }
    run.memory.save()


def _words_of_breach(run: Run) -> str:
    breach = run.state["breach"]
    return (
        f"{breach['spent_usd']} USD of {breach['limit_usd']} USD were spent in {breach['month']}, as {breach['by']} "
        f"counts (since {utc(breach['since'])}). Whatever runs is stopped until a person resumes the stack."
    )


def _warn(run: Run) -> None:
    end = end_of(run.facts, run.state)
    if end is None or not is_warning_due(run.facts, run.state, run.now):
        return
    run.state["warned_of"] = end
    if run.now < end:
        more = f"More time: slipway extend 8h --stack {run.facts.stack}"
        run.tell("its time ends", f"At {utc(end)} the stack's jobs are stopped and its endpoint is deleted. {more}")


def _stop_idle(run: Run) -> None:
    live = run.endpoint()
    if not run.facts.idle_minutes or live is None or live.status != "InService" or not live.bills:
        return
    cloudwatch, endpoint = run.client("cloudwatch"), {"EndpointName": live.name}
    requests = sum(
        _metric(run, cloudwatch, metric, endpoint | {"VariantName": variant})
        for metric in IDLE_METRICS
        for variant in (*live.counts, *live.provisioned)
    )
    waiting = _metric(run, cloudwatch, "ApproximateBacklogSize", endpoint)
    if is_idle(run.facts, in_service_since=live.changed, requests=requests, waiting=waiting, now=run.now):
        stop(run, IDLE, f"For {run.facts.idle_minutes} minutes nobody has asked the endpoint.")


def _metric(run: Run, cloudwatch: Any, name: str, dimensions: dict[str, str]) -> float:
    """The sum over the last idle_minutes."""
    end = datetime.fromtimestamp(run.now, UTC)
    found = cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=end - timedelta(minutes=run.facts.idle_minutes),
        EndTime=end,
        Period=60 if run.facts.idle_minutes <= MINUTES_LISTED else 3600,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))
