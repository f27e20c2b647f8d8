"""The dashboard's body: traffic, latency, instances, errors, the hosts, what it costs an hour, and the alarms.

Plain data from settings, so that the same settings give the same text.
"""

import json
from collections.abc import Iterator
from typing import Any

from infra.alarms import CALLS, HOSTS, Watched
from infra.scaling import bounds

Widget = dict[str, Any]
MINUTE_SECONDS = 60
COLUMNS, HEIGHT = 24, 6
MONTH_HOURS = 730


def body(watched: Watched, region: str, price_per_hour: float | None, alarm_arns: list[str]) -> str:
    """The body as JSON. `price_per_hour` is of one instance, in USD; without it there is no cost."""
    widgets = [_alarm_status(alarm_arns)] if alarm_arns else []
    charts = [*_charts(watched)]
    if watched.serving.mode != "serverless" and price_per_hour is not None:
        charts.append(_cost(watched, price_per_hour))
    rows = bool(widgets)
    for number, chart in enumerate(charts):
        place = {"x": 12 * (number % 2), "y": HEIGHT * (number // 2 + rows), "width": 12, "height": HEIGHT}
        chart = {"region": region, "view": "timeSeries", "period": MINUTE_SECONDS} | chart
        widgets.append({"type": "metric"} | place | {"properties": chart})
    return json.dumps({"start": "-PT3H", "widgets": widgets}, sort_keys=True)


def _alarm_status(arns: list[str]) -> Widget:
    place = {"x": 0, "y": 0, "width": COLUMNS, "height": HEIGHT}
    return {"type": "alarm"} | place | {"properties": {"title": "Alarms", "alarms": sorted(arns)}}


def _charts(watched: Watched) -> Iterator[Widget]:
    yield _chart(watched, CALLS, "Requests a minute", "Sum", [*_traffic(watched)])
    yield _latency(watched)
    yield _chart(watched, CALLS, "Requests that failed, a minute", "Sum", [*_errors(watched)])
    yield _hosts(watched)
    if watched.serving.mode != "serverless":
        yield _instances(watched)
    if watched.serving.mode == "async":
        yield _queue(watched)


def _traffic(watched: Watched) -> Iterator[str]:
    yield "InvocationsProcessed" if watched.serving.mode == "async" else "Invocations"
    if watched.serving.mode == "real_time":
        yield "InvocationsPerInstance"


def _errors(watched: Watched) -> Iterator[str]:
    """4xx too: the callers' doing, for information."""
    if watched.serving.mode == "async":
        yield from ("InvocationFailures", "ExpiredRequests")
    yield from ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")


def _chart(watched: Watched, namespace: str, title: str, stat: str, names: list[str]) -> Widget:
    return {"title": title, "stat": stat, "metrics": [_series(watched, namespace, name) for name in names]}


def _series(watched: Watched, namespace: str, name: str, **options: Any) -> list[Any]:
    flat = [text for pair in watched.dimensions.items() for text in pair]
    return [namespace, name, *flat, *([options] if options else [])]


def _latency(watched: Watched) -> Widget:
    """SageMaker publishes microseconds; the chart shows milliseconds."""
    hidden = [
        _series(watched, CALLS, "ModelLatency", id=f"us{stat}", stat=stat, visible=False)
        for stat in ("p50", "p90", "p99")
    ]
    shown = [[{"expression": f"us{stat} / 1000", "label": stat, "id": f"ms{stat}"}] for stat in ("p50", "p90", "p99")]
    limit = {"label": "alarm (p99)", "value": watched.monitoring.p99_latency_ms}
    return {"title": "Model latency, ms", "metrics": shown + hidden, "annotations": {"horizontal": [limit]}}


def _count(watched: Watched, **options: Any) -> list[Any]:
    """Instances: each reports its CPU once a minute."""
    return _series(watched, HOSTS, "CPUUtilization", stat="SampleCount", **options)


def _instances(watched: Watched) -> Widget:
    fewest, most = bounds(watched.serving)
    lines = [{"label": "fewest", "value": fewest}, {"label": "most", "value": most}]
    metrics = [_count(watched, label="instances")]
    return {
        "title": "Instances",
        "metrics": metrics,
        "annotations": {"horizontal": lines},
        "yAxis": {"left": {"min": 0}},
    }


def _cost(watched: Watched, price_per_hour: float) -> Widget:
    fewest, most = bounds(watched.serving)
    lines = [
        {
            "label": f"{count} instance{'s' * (count != 1)}: {count * price_per_hour * MONTH_HOURS:.0f} a month",
            "value": cost,
        }
        for count in sorted({fewest, most})
        for cost in [round(count * price_per_hour, 4)]
    ]
    rate = [{"expression": f"instances * {price_per_hour:g}", "label": "USD an hour", "id": "rate"}]
    return {
        "title": "Cost of the instances, USD an hour (list price)",
        "metrics": [rate, _count(watched, id="instances", visible=False)],
        "annotations": {"horizontal": lines},
        "yAxis": {"left": {"min": 0}},
    }


def _hosts(watched: Watched) -> Widget:
    names = ["MemoryUtilization"]
    if watched.serving.mode != "serverless":
        names = ["CPUUtilization", "MemoryUtilization", "DiskUtilization"]
    if watched.serving.mode != "serverless" and watched.serving.accelerated:
        names += ["GPUUtilization", "GPUMemoryUtilization"]
    chart = _chart(watched, HOSTS, "Fullest instance, % (CPU and GPU: 100 each core and device)", "Maximum", names)
    limits = [
        {"label": "alarm (memory)", "value": watched.monitoring.memory_percent},
        {"label": "alarm (disk)", "value": watched.monitoring.disk_percent},
    ]
    return chart | {"annotations": {"horizontal": limits}}


def _queue(watched: Watched) -> Widget:
    names = ("ApproximateBacklogSize", "ApproximateBacklogSizePerInstance", "HasBacklogWithoutCapacity")
    metrics = [[CALLS, name, "EndpointName", watched.endpoint] for name in names]
    return {"title": "Requests that wait", "stat": "Average", "metrics": metrics}
