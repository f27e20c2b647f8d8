"""Statistics of metric data, percentiles included, from an index over moto's plain list of data."""

import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import MetricAggregatedDatum

from localaws.cloud import Store, backend
from localaws.errors import AwsError

BUCKET_SECONDS = 60
PERCENTILE = re.compile(r"p(\d{1,2}(\.\d{1,10})?|100)")
PLAIN = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")

Dimensions = frozenset[tuple[str, str]]


class Distribution(MetricAggregatedDatum):
    """A statistic set that still knows its values, as CloudWatch keeps them for percentiles: {value: how often}."""

    def __init__(self, values: Mapping[float, int], **fields: Any) -> None:
        count, total = sum(values.values()), sum(value * number for value, number in values.items())
        super().__init__(
            min_stat=min(values), max_stat=max(values), sample_count=float(count), sum_stat=total, **fields
        )
        self.values = dict(values)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """`stat` is one of PLAIN or a percentile such as "p99"; `period` in seconds."""

    namespace: str
    name: str
    dimensions: Dimensions
    period: int
    stat: str
    unit: str | None = None


def dimensions(given: Iterable[Mapping[str, str]]) -> Dimensions:
    return frozenset((item["Name"], item["Value"]) for item in given)


class Index(Store):
    """One region's metric data by metric and minute. Reads what moto's list has gained since the last look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._source: list[Any] = []
        self._read = 0
        self._buckets: dict[tuple[str, str, Dimensions], dict[int, list[tuple[float, Any]]]] = {}

    def _refresh(self, region: str) -> None:
        source = backend("cloudwatch", region).metric_data
        if source is not self._source or len(source) < self._read:
            self._source, self._read, self._buckets = source, 0, {}
        for datum in source[self._read :]:
            key = (datum.namespace, datum.name, frozenset((item.name, item.value) for item in datum.dimensions))
            stamp = datum.timestamp if datum.timestamp.tzinfo else datum.timestamp.replace(tzinfo=UTC)
            at = stamp.timestamp()
            minutes = self._buckets.setdefault(key, defaultdict(list))
            minutes[int(at // BUCKET_SECONDS)].append((at, datum))
            self._read += 1

    def _data(self, region: str, metric: Metric, begin: float, end: float) -> list[tuple[float, Any]]:
        """The data of [begin, end) with their times."""
        with self._lock:
            self._refresh(region)
            minutes = self._buckets.get((metric.namespace, metric.name, metric.dimensions), {})
            wanted = range(int(begin // BUCKET_SECONDS), int(-(-end // BUCKET_SECONDS)))
            short = len(wanted) < len(minutes)
            return [
                (at, datum)
                for minute in (wanted if short else sorted(minutes))
                for at, datum in minutes.get(minute, ())
                if begin <= at < end and metric.unit in (None, datum.unit)
            ]

    def values(self, region: str, metric: Metric, begin: float, end: float) -> dict[float, float]:
        """{begin of a period: statistic} of the periods that have data, counted from `begin`."""
        values = ((at, statistic(data, metric.stat)) for at, data in self._periods(region, metric, begin, end).items())
        return {at: value for at, value in values if value is not None}

    def units(self, region: str, metric: Metric, begin: float, end: float) -> dict[float, str]:
        """{begin of a period: unit of its first datum}"""
        periods = self._periods(region, metric, begin, end)
        return {at: data[0].unit or "None" for at, data in periods.items()}

    def _periods(self, region: str, metric: Metric, begin: float, end: float) -> dict[float, list[Any]]:
        found: dict[float, list[Any]] = defaultdict(list)
        for at, datum in self._data(region, metric, begin, end):
            found[begin + (at - begin) // metric.period * metric.period].append(datum)
        return found


def statistic(data: Sequence[Any], stat: str) -> float | None:
    """The statistic, or None for no data (a percentile also needs single values, as in CloudWatch)."""
    if not data:
        return None
    if PERCENTILE.fullmatch(stat):
        return _percentile(data, float(stat[1:]))
    sets = [_set(datum) for datum in data]
    count, total = sum(item[0] for item in sets), sum(item[1] for item in sets)
    if stat == "Average":
        return total / count if count else None
    if stat not in PLAIN:
        raise AwsError("InvalidParameterValue", f"The value {stat} for parameter ExtendedStatistic is not supported.")
    return {
        "SampleCount": count,
        "Sum": total,
        "Minimum": min(item[2] for item in sets),
        "Maximum": max(item[3] for item in sets),
    }[stat]


def _set(datum: Any) -> tuple[float, float, float, float]:
    """(count, sum, minimum, maximum)"""
    if isinstance(datum, MetricAggregatedDatum):
        return datum.sample_count, datum.sum, datum.min, datum.max
    return 1.0, datum.value, datum.value, datum.value


def _percentile(data: Sequence[Any], percent: float) -> float | None:
    counted: dict[float, float] = defaultdict(float)
    for datum in data:
        if isinstance(datum, Distribution):
            for value, number in datum.values.items():
                counted[value] += number
        elif not isinstance(datum, MetricAggregatedDatum):
            counted[datum.value] += 1
        elif datum.min == datum.max:
            counted[datum.min] += datum.sample_count
    rank, seen = percent / 100 * sum(counted.values()), 0.0
    for value in sorted(counted):
        seen += counted[value]
        if seen >= rank:
            return value
    return None


def known(stat: str) -> bool:
    return stat in PLAIN or PERCENTILE.fullmatch(stat) is not None


def moment(at: float) -> datetime:
    """Cloud time as moto's data carry it: UTC without a zone."""
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
