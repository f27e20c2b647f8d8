"""The endpoint metrics of AWS/SageMaker, added up off CloudWatch and written once a minute or when somebody reads."""

import threading
from collections import defaultdict
from dataclasses import dataclass

from localaws.clock import Clock
from localaws.cloud import Cloud, Store
from localaws.sagemaker import metrics

NAMESPACE = "AWS/SageMaker"
PERIOD_SECONDS = 60


@dataclass
class _Sums:
    count: int = 0
    client_errors: int = 0
    server_errors: int = 0
    latency_sum: float = 0.0
    latency_min: float = float("inf")
    latency_max: float = 0.0


class InvocationMetrics(Store):
    """One region's sums by (endpoint, variant, minute) that are not in CloudWatch yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, str, int], _Sums] = defaultdict(_Sums)

    def record(self, clock: Clock, region: str, endpoint: str, variant: str, seconds: float, status: int) -> None:
        minute = int(clock.now() // PERIOD_SECONDS) * PERIOD_SECONDS
        micros = seconds * 1e6
        with self._lock:
            begun = (endpoint, variant, minute) not in self._sums
            old = begun and any(key[2] < minute for key in self._sums)
            sums = self._sums[endpoint, variant, minute]
            sums.count += 1
            sums.client_errors += 400 <= status < 500
            sums.server_errors += status >= 500 or status == 0
            sums.latency_sum += micros
            sums.latency_min = min(sums.latency_min, micros)
            sums.latency_max = max(sums.latency_max, micros)
        if old:
            threading.Thread(target=self.flush, args=(region,), daemon=True).start()

    def flush(self, region: str) -> None:
        """Write all sums to CloudWatch; a minute written in parts adds up there."""
        with self._lock:
            taken, self._sums = self._sums, defaultdict(_Sums)
        for (endpoint, variant, minute), sums in taken.items():
            counts = {
                "Invocations": sums.count,
                "Invocation4XXErrors": sums.client_errors,
                "Invocation5XXErrors": sums.server_errors,
            }
            data = [
                {"MetricName": name, "Unit": "Count", "StatisticValues": _statistic(value, sums.count)}
                for name, value in counts.items()
            ]
            latency = {
                "Sum": sums.latency_sum,
                "Minimum": sums.latency_min,
                "Maximum": sums.latency_max,
                "SampleCount": sums.count,
            }
            data.append({"MetricName": "ModelLatency", "Unit": "Microseconds", "StatisticValues": latency})
            metrics.put(region, NAMESPACE, data, minute, {"EndpointName": endpoint, "VariantName": variant})


def _statistic(total: int, samples: int) -> dict[str, float]:
    """Every invocation reports 0 or 1, so minimum and maximum follow from the sum."""
    return {"Sum": total, "Minimum": int(total == samples), "Maximum": int(total > 0), "SampleCount": samples}


def flush_all(cloud: Cloud) -> None:
    for region, store in cloud.stores(InvocationMetrics).items():
        store.flush(region)
