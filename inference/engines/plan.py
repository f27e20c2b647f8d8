"""How large a batch may be, learnt at the warm-up from the times of small ones.

Large batches are not always faster: past some size a batch no longer fits into the caches. And a batch makes everybody
in it wait for all of it, so its time is kept below a target.
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from inference.engines.engine import Batch, Program

BUDGET_SECONDS = 0.1
SIZE_SECONDS = 0.005  # for calls of one size, but no less than CALLS
CALLS = 3  # the first one sets the arithmetic library up
# Times of some milliseconds stray by a third on a shared machine, and too small batches cost more than too large ones.
WORSE, WORSE_SIZES = 1.3, 2
LEAST_LIMIT = 16


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """At most `limit` instances in one call; seconds of one instance alone, and of one in the best batch."""

    limit: int
    seconds_alone: float
    seconds_each: float


def learn(program: Program, instance: Batch, *, max_batch: int, target_seconds: float) -> BatchPlan:
    """Run `program` on 1, 2, 4, ... copies of `instance` (1, *shape) and choose.

    The limit is the largest size up to `max_batch` whose time stays below the target; or the best size, but at least
    LEAST_LIMIT, where instances take clearly longer in the next two sizes. Growing stops once the budget is spent: then
    the best time so far is held to go on.
    """
    started = perf_counter()
    alone = best = _seconds(program, instance)
    best_size, size, worse = 1, 2, 0
    while size <= max_batch and worse < WORSE_SIZES and perf_counter() - started < BUDGET_SECONDS:
        each = _seconds(program, np.repeat(instance, size, axis=0)) / size
        worse = worse + 1 if each > best * WORSE else 0
        if each < best:
            best, best_size = each, size
        size *= 2
    limit = max(best_size, LEAST_LIMIT) if worse == WORSE_SIZES else max_batch
    return BatchPlan(limit=_within(min(limit, max_batch), best, target_seconds), seconds_alone=alone, seconds_each=best)


def _within(limit: int, seconds_each: float, target_seconds: float) -> int:
    return max(1, min(limit, int(target_seconds / seconds_each)))


def _seconds(program: Program, batch: Batch) -> float:
    """Of the fastest call."""
    fastest, spent, calls = float("inf"), 0.0, 0
    while calls < CALLS or spent < SIZE_SECONDS:
        started = perf_counter()
        program(batch)
        seconds = perf_counter() - started
        fastest, spent, calls = min(fastest, seconds), spent + seconds, calls + 1
        if seconds > BUDGET_SECONDS / CALLS:
            break
    return fastest
