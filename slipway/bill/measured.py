"""How long and how often things of a stack really ran in a period, as the estimators take it (`Usage`)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from slipway.cost.amounts import Span
from slipway.cost.bounds import bounds_of
from slipway.cost.hosting import CONFIGURATION
from slipway.cost.planned import Planned
from slipway.cost.usage import Usage
from slipway.project import Stack
from slipway.runs import Run

HOUR_SECONDS = 3600
MINUTES = 60
MOST_POINTS = 1440  # that GetMetricStatistics answers


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A period of a stack: hours in which it existed, its runs, instance-hours and requests by variant."""

    begin: datetime
    end: datetime
    runs: tuple[Run, ...]
    instance_hours: dict[str, Decimal]
    requests: dict[str, Decimal]
    ms_a_request: Decimal | None

    @property
    def hours(self) -> Decimal:
        return Decimal(str((self.end - self.begin).total_seconds())) / HOUR_SECONDS

    @property
    def predictions(self) -> Decimal:
        return sum(self.requests.values(), Decimal(0))

    def usage(self) -> Usage:
        """The defaults of what was not measured, over this period; what was measured is certain."""
        usage = replace(Usage().over(self.hours), runs_a_month=Span.of(len(self.runs)))
        billable = [Decimal(str(run.billable_seconds or run.seconds or 0)) for run in self.runs]
        known: dict[str, Any] = {"instance_hours": self.instance_hours}
        known["requests_a_month"] = Span.of(self.predictions)
        if billable:
            known["training_seconds"] = Span.of(sum(billable, Decimal(0)) / len(billable))
            known["tuning_jobs"] = Span.of(1)
        if self.ms_a_request is not None:
            known["ms_a_request"] = Span.of(self.ms_a_request)
        return replace(usage, **known, stated=frozenset(known))


def measure(stack: Stack, plan: Planned, runs: Iterable[Run], since: datetime, now: datetime) -> Measured:
    """Ask SageMaker and CloudWatch. What they do not know is left to the assumptions."""
    own = [run for run in runs if run.created >= since]
    created = _created(stack)
    begun = [when for when in (created, *(run.created for run in own)) if when]
    begin = max(since, min(begun, default=since))
    variants = _variants(plan)
    instances = {name: _instance_hours(stack, name, plan, max(begin, created), now) for name in variants if created}
    requests = {name: _total(stack, "AWS/SageMaker", "Invocations", "Sum", name, begin, now) for name in variants}
    return Measured(
        begin=begin,
        end=now,
        runs=tuple(own),
        instance_hours={name: hours for name, hours in instances.items() if hours is not None},
        requests={name: found for name, found in requests.items() if found is not None},
        ms_a_request=_milliseconds(stack, variants, begin, now),
    )


def _created(stack: Stack) -> datetime | None:
    try:
        found: datetime = stack.client("sagemaker").describe_endpoint(EndpointName=stack.prefix)["CreationTime"]
    except ClientError:
        return None
    return found


def _variants(plan: Planned) -> list[str]:
    found = [
        variant["variantName"]
        for one in plan.of(CONFIGURATION)
        for kind in ("productionVariants", "shadowProductionVariants")
        for variant in one.get(kind, default=[])
        if variant.get("variantName")
    ]
    return list(dict.fromkeys(found))


def _instance_hours(stack: Stack, variant: str, plan: Planned, begin: datetime, end: datetime) -> Decimal | None:
    """By the metrics that each instance publishes every minute; at least the minimum since the endpoint exists."""
    counted = _total(stack, "/aws/sagemaker/Endpoints", "CPUUtilization", "SampleCount", variant, begin, end)
    if counted is None:
        return None
    least = bounds_of(variant, plan, Decimal(1)).least.low
    existed = Decimal(str((end - begin).total_seconds())) / HOUR_SECONDS
    return max(counted / MINUTES, least * existed)


def _milliseconds(stack: Stack, variants: list[str], begin: datetime, end: datetime) -> Decimal | None:
    sums = [_total(stack, "AWS/SageMaker", "ModelLatency", "Sum", name, begin, end) for name in variants]
    counts = [_total(stack, "AWS/SageMaker", "ModelLatency", "SampleCount", name, begin, end) for name in variants]
    count = sum((one for one in counts if one), Decimal(0))
    return sum((one for one in sums if one), Decimal(0)) / 1000 / count if count else None


def _total(
    stack: Stack, namespace: str, metric: str, statistic: str, variant: str, begin: datetime, end: datetime
) -> Decimal | None:
    """The statistic added up over the period; None where the metric has no point in it."""
    step = timedelta(hours=MOST_POINTS)
    points: list[Any] = []
    while begin < end:
        points += stack.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": "EndpointName", "Value": stack.prefix}, {"Name": "VariantName", "Value": variant}],
            StartTime=begin,
            EndTime=min(begin + step, end),
            Period=HOUR_SECONDS,
            Statistics=[statistic],
        )["Datapoints"]
        begin += step
    return sum((Decimal(str(point[statistic])) for point in points), Decimal(0)) if points else None
