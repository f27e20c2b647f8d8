"""The endpoint metrics of AWS/SageMaker, added up off CloudWatch and written once a minute or when somebody reads."""

import math
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from localaws.alarms.series import Distribution, moment
from localaws.clock import Clock
from localaws.cloud import Cloud, Store, backend

NAMESPACE = "AWS/SageMaker"
PERIOD_SECONDS = 60
DIGITS = 3  # significant ones of a latency; keeps a busy minute's distribution small
# Of the metrics in Served.more that are not microseconds.
UNITS = {"MidStreamErrors": "Count", "ModelCacheHit": "None", "ServerlessConcurrentExecutionsUtilization": "None"}


@dataclass(frozen=True, kw_only=True)
class Served:
    """One answered request. `status` is the container's, 0 for none; times in seconds; `instances` of the variant.

    `more`: values of metrics that only some kinds of requests have, in the units of AWS (see UNITS).
    """

    endpoint: str
    variant: str
    config: str
    status: int
    model_seconds: float
    overhead_seconds: float
    instances: int
    asynchronous: bool = False
    more: Mapping[str, float] = field(default_factory=dict)


@dataclass
class _Sums:
    counts: Counter[str] = field(default_factory=Counter)
    per_instance: Counter[float] = field(default_factory=Counter)
    model_micros: Counter[float] = field(default_factory=Counter)
    overhead_micros: Counter[float] = field(default_factory=Counter)
    more: dict[str, Counter[float]] = field(default_factory=lambda: defaultdict(Counter))


class InvocationMetrics(Store):
    """One region's sums by (endpoint, variant, config, minute) that are not in CloudWatch yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, str, str, int], _Sums] = defaultdict(_Sums)

    def record(self, clock: Clock, region: str, served: Served) -> None:
        minute = int(clock.now() // PERIOD_SECONDS) * PERIOD_SECONDS
        key = (served.endpoint, served.variant, served.config, minute)
        with self._lock:
            old = key not in self._sums and any(known[3] < minute for known in self._sums)
            sums = self._sums[key]
            sums.counts["requests"] += 1
            sums.counts["Invocation4XXErrors"] += 400 <= served.status < 500
            sums.counts["Invocation5XXErrors"] += served.status >= 500
            sums.counts["InvocationModelErrors"] += not 200 <= served.status < 300
            sums.model_micros[_rounded(served.model_seconds * 1e6)] += 1
            for name, value in served.more.items():
                sums.more[name][_rounded(value)] += 1
            if not served.asynchronous:
                sums.per_instance[1 / max(served.instances, 1)] += 1
                sums.overhead_micros[_rounded(served.overhead_seconds * 1e6)] += 1
        if old:
            threading.Thread(target=self.flush, args=(region,), daemon=True).start()

    def flush(self, region: str) -> None:
        """Write all sums to CloudWatch; a minute written in parts adds up there."""
        with self._lock:
            taken, self._sums = self._sums, defaultdict(_Sums)
        for (endpoint, variant, config, minute), sums in taken.items():
            names = {"EndpointName": endpoint, "VariantName": variant}
            for dimensions in (names, {**names, "EndpointConfigName": config}):
                _write(region, dimensions, minute, sums)


def _rounded(micros: float) -> float:
    if micros <= 0:
        return 0.0
    return round(micros, DIGITS - 1 - math.floor(math.log10(micros)))


def _write(region: str, dimensions: Mapping[str, str], minute: int, sums: _Sums) -> None:
    """Async endpoints publish no Invocations, InvocationsPerInstance or OverheadLatency."""
    total = sums.counts["requests"]
    for name in ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors"):
        _put(region, name, "Count", {1.0: sums.counts[name], 0.0: total - sums.counts[name]}, dimensions, minute)
    _put(region, "ModelLatency", "Microseconds", sums.model_micros, dimensions, minute)
    for name, values in sums.more.items():
        _put(region, name, UNITS.get(name, "Microseconds"), values, dimensions, minute)
    if sums.per_instance:
        _put(region, "Invocations", "Count", {1.0: total}, dimensions, minute)
        _put(region, "InvocationsPerInstance", "None", sums.per_instance, dimensions, minute)
        _put(region, "OverheadLatency", "Microseconds", sums.overhead_micros, dimensions, minute)


def _put(
    region: str, name: str, unit: str, values: Mapping[float, int], dimensions: Mapping[str, str], at: float
) -> None:
    put(region, NAMESPACE, name, unit, values, dimensions, at)


def put(
    region: str,
    namespace: str,
    name: str,
    unit: str,
    values: Mapping[float, int],
    dimensions: Mapping[str, str],
    at: float,
) -> None:
    """Append {value: how often} to CloudWatch's data, so that percentiles can be told."""
    datum = Distribution(
        {value: number for value, number in values.items() if number},
        namespace=namespace,
        name=name,
        dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        timestamp=moment(at),
        unit=unit,
    )
    backend("cloudwatch", region).metric_data.append(datum)


def flush_all(cloud: Cloud) -> None:
    for region, store in cloud.stores(InvocationMetrics).items():
        store.flush(region)
