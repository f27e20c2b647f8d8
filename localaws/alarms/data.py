"""CloudWatch's operations on metric data, with percentiles and metric math, by our clock."""

from collections.abc import Mapping, Sequence
from typing import Any

from localaws.alarms import expressions
from localaws.alarms.checks import check_statistic, invalid
from localaws.alarms.queries import moto_query
from localaws.alarms.series import Index, Metric, dimensions, moment
from localaws.alarms.store import STEP_SECONDS, catch_up, in_order
from localaws.cloud import Call, Handler, backend
from localaws.errors import AwsError


def put_metric_data(call: Call) -> None:
    """data without a time get the clock's"""
    now = moment(call.cloud.clock.now())
    data = [
        {**datum, "Timestamp": moment(datum["Timestamp"]) if "Timestamp" in datum else now}
        for datum in call.request.get("MetricData", [])
    ]
    backend("cloudwatch", call.region).put_metric_data(call.request["Namespace"], data)


def _span(request: Mapping[str, Any], period: int) -> tuple[float, float]:
    """The time of the request in whole periods."""
    if request["StartTime"] >= request["EndTime"]:
        raise AwsError("InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime.")
    return request["StartTime"] // period * period, -(-request["EndTime"] // period) * period


def get_metric_statistics(call: Call) -> Mapping[str, Any]:
    """with percentiles; exact dimensions, as in AWS"""
    request = call.request
    catch_up(call.cloud, call.region)
    plain, extended = request.get("Statistics", []), request.get("ExtendedStatistics", [])
    if not plain and not extended:
        raise AwsError("InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics")
    points: dict[float, dict[str, Any]] = {}
    for stat in [*plain, *extended]:
        check_statistic(stat)
        metric = Metric(
            namespace=request["Namespace"],
            name=request["MetricName"],
            dimensions=dimensions(request.get("Dimensions", [])),
            period=request["Period"],
            stat=stat,
            unit=request.get("Unit"),
        )
        index = call.cloud.store(call.region, Index)
        span = _span(request, request["Period"])
        units = index.units(call.region, metric, *span)
        for at, value in index.values(call.region, metric, *span).items():
            point = points.setdefault(at, {"Timestamp": at, "Unit": units[at]})
            if stat in plain:
                point[stat] = value
            else:
                point.setdefault("ExtendedStatistics", {})[stat] = value
    return {"Label": request["MetricName"], "Datapoints": [points[at] for at in sorted(points)]}


def get_metric_data(call: Call) -> Mapping[str, Any]:
    """with percentiles and metric math; Metrics Insights (SELECT) is refused"""
    request = call.request
    catch_up(call.cloud, call.region)
    queries = [moto_query(item) for item in request["MetricDataQueries"]]
    _check_queries(request["MetricDataQueries"])
    periods = [query.metric_stat.period for query in queries if query.metric_stat] or [STEP_SECONDS]
    period = max(int(period) for period in periods)
    begin, end = _span(request, period)
    timeline = [begin + period * number for number in range(int((end - begin) // period))]
    series: dict[str, expressions.Series] = {}
    for given, query in zip(request["MetricDataQueries"], queries, strict=True):
        if query.metric_stat:
            series[query.id] = _values(call, given["MetricStat"])
    for query in in_order([item for item in queries if item.expression]):
        series[query.id] = expressions.evaluate(query.expression or "", series, timeline)
    newest = request.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    results = []
    for query in queries:
        if query.return_data:
            at = sorted(series[query.id], reverse=newest)
            label = query.label or (query.metric_stat.metric.metric_name if query.metric_stat else query.id)
            values = [series[query.id][moment_] for moment_ in at]
            results.append(
                {"Id": query.id, "Label": label, "Timestamps": at, "Values": values, "StatusCode": "Complete"}
            )
    return {"MetricDataResults": results}


def _check_queries(queries: Sequence[Mapping[str, Any]]) -> None:
    for number, query in enumerate(queries, 1):
        if "MetricStat" in query:
            check_statistic(query["MetricStat"]["Stat"])
        elif "Expression" not in query:
            raise invalid(f"The parameter MetricDataQueries.member.{number}.MetricStat is required.\n")
        elif query["Expression"].lstrip().upper().startswith("SELECT"):
            raise invalid("Metrics Insights queries (SELECT) are not emulated; use MetricStat or metric math.")


def _values(call: Call, stat: Mapping[str, Any]) -> expressions.Series:
    metric = Metric(
        namespace=stat["Metric"]["Namespace"],
        name=stat["Metric"]["MetricName"],
        dimensions=dimensions(stat["Metric"].get("Dimensions", [])),
        period=stat["Period"],
        stat=stat["Stat"],
        unit=stat.get("Unit"),
    )
    return call.cloud.store(call.region, Index).values(call.region, metric, *_span(call.request, stat["Period"]))


OPERATIONS: dict[str, Handler] = {
    "GetMetricData": get_metric_data,
    "GetMetricStatistics": get_metric_statistics,
    "PutMetricData": put_metric_data,
}
