"""A MetricDataQuery in moto's form and back."""

from collections.abc import Mapping
from typing import Any

from moto.cloudwatch.models import Dimension, Metric, MetricDataQuery, MetricStat


def moto_query(given: Mapping[str, Any]) -> MetricDataQuery:
    """As moto keeps it."""
    stat = given.get("MetricStat")
    metric = None
    if stat:
        found = [Dimension(item["Name"], item["Value"]) for item in stat["Metric"].get("Dimensions", [])]
        plain = Metric(stat["Metric"]["MetricName"], stat["Metric"]["Namespace"], found)
        metric = MetricStat(plain, stat["Period"], stat["Stat"], stat.get("Unit"))
    return MetricDataQuery(
        query_id=given["Id"],
        label=given.get("Label", ""),
        period=given.get("Period", ""),
        return_data=given.get("ReturnData", True),
        expression=given.get("Expression"),
        metric_stat=metric,
    )


def described(query: Any) -> dict[str, Any]:
    """As the API shows it."""
    stat = query.metric_stat
    shown = stat and {
        "Metric": {
            "Namespace": stat.metric.namespace,
            "MetricName": stat.metric.metric_name,
            "Dimensions": [{"Name": item.name, "Value": item.value} for item in stat.metric.dimensions],
        },
        "Period": stat.period,
        "Stat": stat.stat,
        "Unit": stat.unit,
    }
    return {
        "Id": query.id,
        "Label": query.label or None,
        "Period": query.period or None,
        "ReturnData": query.return_data,
        "Expression": query.expression,
        "MetricStat": shown,
    }
