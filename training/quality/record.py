"""Quality: what was measured on the test part, as numbers, as a log line and as entries of metrics.json."""

from collections.abc import Mapping
from dataclasses import dataclass

from training.quality.calibration import Calibration
from training.quality.classification import ClassTable
from training.quality.intervals import Array, Metric
from training.quality.regression import Fit

PREFIX = "test_"
OF_ANY_SIZE = ("rmse", "mae", "median_error", "reconstruction")  # 6 digits; all others 4 decimals


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What a model is worth on its test part."""

    task: str
    labels: tuple[str, ...]
    measured: Mapping[str, Metric]
    """Name without `test_` -> metric, the headline first."""

    per_example: Array
    """(N,): bool, called right (classification); float64 squared error (regression), error as given (generation)."""

    classes: ClassTable | None = None
    calibration: Calibration | None = None
    fit: Fit | None = None
    notes: tuple[str, ...] = ()
    """What a reader has to know about how something was measured."""

    @property
    def examples(self) -> int:
        """N, the size of the test part."""
        return len(self.per_example)

    def metrics(self) -> dict[str, float]:
        """For the manifest: name with `test_` -> value."""
        return {PREFIX + name: metric.value for name, metric in self.measured.items()}

    def as_dict(self) -> dict[str, float | None]:
        """For metrics.json: each value, and both ends of its interval (None: unknown) under `_low` and `_high`."""
        document: dict[str, float | None] = {}
        for name, metric in self.measured.items():
            document[PREFIX + name] = metric.value
            document[f"{PREFIX}{name}_low"] = metric.low
            document[f"{PREFIX}{name}_high"] = metric.high
        return document

    def log_line(self) -> str:
        """One line of key=value for people and for metric regexes; unknown ends are left out."""
        words = []
        for name, metric in self.measured.items():
            ends = {"": metric.value, "_low": metric.low, "_high": metric.high}
            words += [f"{PREFIX}{name}{end}={show(name, at)}" for end, at in ends.items() if at is not None]
        return " ".join(words)


def show(name: str, value: float) -> str:
    """A value of metric `name`, with or without `test_`, as it is logged and printed."""
    return f"{value:.6g}" if name.removeprefix(PREFIX) in OF_ANY_SIZE else f"{value:.4f}"
