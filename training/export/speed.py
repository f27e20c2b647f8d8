"""How fast an exported form answers on this machine, in some twenty milliseconds, more for slow models only."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BATCH = 64  # what a busy server's batcher collects
BUDGET_SECONDS = 0.01  # of one measurement
MAX_CALLS = 50
Run = Callable[[NDArray[Any]], Any]


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Seconds an example takes alone, and in a batch of MAX_BATCH, or of as many as fit into the budget."""

    alone: float
    at_once: float


def measure(run: Run, inputs: NDArray[Any]) -> Speed:
    """Median times of `run`, which has run before, on `inputs` (n, ...), repeated where they are too few."""
    alone = _median_seconds(run, inputs[:1])
    batch = min(MAX_BATCH, max(1, int(BUDGET_SECONDS / alone)))
    rows = np.resize(inputs, (batch, *inputs.shape[1:]))
    return Speed(alone=alone, at_once=_median_seconds(run, rows) / batch)


def _median_seconds(run: Run, rows: NDArray[Any]) -> float:
    seconds: list[float] = []
    while sum(seconds) < BUDGET_SECONDS and len(seconds) < MAX_CALLS:
        started = time.perf_counter()
        run(rows)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
