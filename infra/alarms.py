"""The endpoint's alarms, as a table by mode: what each watches, when it fires, and what silence means.

Dimensions are the endpoint's fixed name and the variant's, so alarms need no endpoint: they exist before the one that
rolls back on them. Those that judge a deployment have periods of a minute and fire on 2 of 3, so that a bake of a few
minutes is enough. 4xx is the callers' doing and is on the dashboard only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.monitoring_section import Monitoring
from infra.scaling import metric_of
from infra.serving_section import Serving
from infra.variants import variant_name

Inputs = dict[str, Any]
CALLS, HOSTS = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
MINUTE_SECONDS = 60
MICROSECONDS_PER_MS = 1000
CAPACITY_MINUTES = 15
"""Scaling out takes 3 minutes to decide and up to ten to start an instance; what lasts longer will not pass."""
CAPACITY_SLACK = 1.2
"""Scaling holds a target on average: this much above it is still its business."""
QUIET = "notBreaching"
"""No data is no trouble: an endpoint without traffic publishes nothing, and one that is switched off neither."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the alarms watch."""

    endpoint: str
    serving: Serving
    monitoring: Monitoring

    @property
    def dimensions(self) -> dict[str, str]:
        return {"EndpointName": self.endpoint, "VariantName": variant_name(self.serving)}


@dataclass(frozen=True, kw_only=True)
class Alarm:
    what: str
    """<prefix>-alarm-<what>"""
    text: str
    inputs: Inputs
    rolls_back: bool = False


def alarms(watched: Watched) -> list[Alarm]:
    """The alarms that fit the endpoint's mode."""
    found = [*_async_failures(watched)] if watched.serving.mode == "async" else [*_failures(watched)]
    return [*found, *_capacity(watched), *_hosts(watched)]


def _failures(watched: Watched) -> Iterator[Alarm]:
    limit = watched.monitoring.error_percent
    for what, metric, who in (
        ("5xx", "Invocation5XXErrors", "SageMaker or the container answers 5xx to"),
        ("model-errors", "InvocationModelErrors", "the model fails, or does not answer in time, for"),
    ):
        text = f"In 2 of 3 minutes {who} more than {limit:g}% of the requests."
        yield Alarm(what=what, text=text, inputs=_share(watched, metric, limit), rolls_back=True)
    limit = watched.monitoring.p99_latency_ms
    yield Alarm(
        what="latency",
        text=f"In 2 of 3 minutes the model's 99th percentile is above {limit} ms.",
        inputs=_metric(CALLS, "ModelLatency", watched.dimensions)
        | {"extended_statistic": "p99", "comparison_operator": "GreaterThanThreshold"}
        | {"threshold": limit * MICROSECONDS_PER_MS}  # ModelLatency is in microseconds
        | _within(minutes=3, of=2),
        rolls_back=True,
    )


def _async_failures(watched: Watched) -> Iterator[Alarm]:
    """A count, not a share: SageMaker's guide and the service spell the metric of processed requests differently."""
    yield Alarm(
        what="failures",
        text="In 2 of 3 minutes an asynchronous request failed; its reason lies under async/failures.",
        inputs=_metric(CALLS, "InvocationFailures", watched.dimensions)
        | {"statistic": "Sum", "comparison_operator": "GreaterThanThreshold", "threshold": 0}
        | _within(minutes=3, of=2),
        rolls_back=True,
    )


def _capacity(watched: Watched) -> Iterator[Alarm]:
    """Too little runs, and scaling does not mend it: its maximum is reached, or AWS has no instances to give.

    SageMaker's own NoCapacityInvocationFailures exists for inference components only.
    """
    yield Alarm(
        what="capacity",
        text=f"For {CAPACITY_MINUTES} minutes there has been more to do than capacity for it, and scaling has not "
        "helped: look at its maximum, at the quota of the instance type, and at the endpoint's events.",
        inputs=_load(watched) | _within(minutes=CAPACITY_MINUTES, of=CAPACITY_MINUTES),
    )


def _load(watched: Watched) -> Inputs:
    target = watched.serving.scaling.target * CAPACITY_SLACK
    above = {"comparison_operator": "GreaterThanThreshold", "threshold": target}
    if watched.serving.mode == "serverless":
        # A share of max_concurrency; at 1 requests are throttled.
        full = {"comparison_operator": "GreaterThanOrEqualToThreshold", "threshold": 1, "statistic": "Maximum"}
        return _metric(CALLS, "ServerlessConcurrentExecutionsUtilization", watched.dimensions) | full
    if watched.serving.mode == "async":
        # Of the endpoint's queue: 1 while requests wait and no instance runs.
        waits = {"comparison_operator": "GreaterThanOrEqualToThreshold", "threshold": 1, "statistic": "Average"}
        return _metric(CALLS, "HasBacklogWithoutCapacity", {"EndpointName": watched.endpoint}) | waits
    if metric_of(watched.serving) == "concurrency":
        return _metric(CALLS, "ConcurrentRequestsPerModel", watched.dimensions) | above | {"statistic": "Average"}
    # Each request counts 1/instances, so the sum over a minute is the requests an instance.
    return _metric(CALLS, "InvocationsPerInstance", watched.dimensions) | above | {"statistic": "Sum"}


def _hosts(watched: Watched) -> Iterator[Alarm]:
    monitoring = watched.monitoring
    table = [("memory", "MemoryUtilization", monitoring.memory_percent)]
    if watched.serving.mode != "serverless":
        table.append(("disk", "DiskUtilization", monitoring.disk_percent))
    for what, metric, limit in table:
        yield Alarm(
            what=what,
            text=f"For 5 minutes the fullest instance uses more than {limit:g}% of its {what}.",
            inputs=_metric(HOSTS, metric, watched.dimensions)
            | {"statistic": "Maximum", "comparison_operator": "GreaterThanThreshold", "threshold": limit}
            | _within(minutes=5, of=5),
        )


def _metric(namespace: str, name: str, dimensions: dict[str, str]) -> Inputs:
    return {"namespace": namespace, "metric_name": name, "dimensions": dimensions, "period": MINUTE_SECONDS}


def _within(*, minutes: int, of: int) -> Inputs:
    return {"evaluation_periods": minutes, "datapoints_to_alarm": of, "treat_missing_data": QUIET}


def _share(watched: Watched, errors: str, limit_percent: float) -> Inputs:
    """Errors in percent of the calls. A minute without calls has no value, which is no trouble."""

    def sums(identity: str, name: str) -> Inputs:
        metric = {"namespace": CALLS, "metric_name": name, "dimensions": watched.dimensions}
        return {"id": identity, "metric": metric | {"stat": "Sum", "period": MINUTE_SECONDS}}

    share = {
        "id": "share",
        "expression": "IF(calls > 0, 100 * FILL(errors, 0) / calls, 0)",
        "label": f"{errors}, % of the calls",
        "return_data": True,
    }
    return {
        "metric_queries": [share, sums("errors", errors), sums("calls", "Invocations")],
        "comparison_operator": "GreaterThanThreshold",
        "threshold": limit_percent,
    } | _within(minutes=3, of=2)
