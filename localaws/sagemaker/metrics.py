"""Metrics that jobs print: MetricDefinitions scanned in the log, the last values kept, all sent to CloudWatch."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from localaws.cloud import backend
from localaws.errors import validation

Observer = Callable[[str, float], None]  # gets the name and the value of each metric found, in the log's order

NAMESPACE = "/aws/sagemaker/TrainingJobs"


class Scanner:
    """Scans lines with a job's regular expressions. Raises a validation error for one that does not compile."""

    def __init__(self, definitions: Sequence[Mapping[str, str]], observe: Observer | None = None) -> None:
        try:
            self._patterns = [(item["Name"], re.compile(item["Regex"])) for item in definitions]
        except re.error as error:
            raise validation(
                f"Invalid metric definition: {error} in the regular expression {error.pattern!r}"
            ) from error
        self._observe = observe
        self.last: dict[str, tuple[float, float]] = {}

    def scan(self, lines: Sequence[str], now: float) -> list[tuple[str, float]]:
        """(metric, value) of every match: the first group, where it is a number."""
        found = []
        for line in lines:
            for name, pattern in self._patterns:
                for match in pattern.finditer(line):
                    value = _number(match[1] if pattern.groups else match[0])
                    if value is not None:
                        found.append((name, value))
                        self.last[name] = (value, now)
                        if self._observe is not None:
                            self._observe(name, value)
        return found

    def final(self) -> list[dict[str, Any]]:
        """FinalMetricDataList."""
        return [{"MetricName": name, "Value": value, "Timestamp": at} for name, (value, at) in self.last.items()]


def _number(text: str | None) -> float | None:
    """CloudWatch takes neither NaN nor infinities (API reference, PutMetricData)."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def put(
    region: str, namespace: str, data: Sequence[Mapping[str, Any]], now: float, dimensions: Mapping[str, str]
) -> None:
    """Write data points (MetricName with Value or StatisticValues, Unit) to CloudWatch."""
    at = datetime.fromtimestamp(now, UTC).replace(tzinfo=None)
    common = {"Timestamp": at, "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()]}
    if data:
        backend("cloudwatch", region).put_metric_data(namespace, [{**datum, **common} for datum in data])
