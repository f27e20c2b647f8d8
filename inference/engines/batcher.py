"""Greedy batching: a request that finds the model idle runs at once; those that arrive meanwhile form the next batch.

Nobody waits for a batch to fill. A fast model runs on the event loop's own thread: what one turn of the loop read
makes one batch, and the hand-over to a thread (0.1 ms and a fight for the interpreter lock) is saved. A slow one
runs on a worker thread, so that /ping and timeouts stay prompt.

Requests take turns: one of a thousand instances gets its share of each batch and does not hold up the others. Where a
batch fails, each of its requests is tried alone, so that a poisoned one fails only itself.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from time import perf_counter
from typing import NamedTuple

import numpy as np

from inference.engines.engine import Batch, Output, Program
from inference.engines.model_thread import ModelThread
from inference.engines.plan import BatchPlan
from inference.http.errors import RequestError, bad_request
from inference.metrics import BATCH, MODEL, QUEUE, Metrics

INLINE_LIMIT_SECONDS = 0.002  # one call of one instance; a full batch of such a model blocks the loop under 0.1 s
SMOOTHING = 0.1  # weight of the newest batch in the seconds an instance takes
Outcome = Output | Exception
Done = Callable[[Outcome], None]


@dataclass(eq=False, kw_only=True, slots=True)
class Job:
    """One request's instances; `taken` of them have been given to the model, `parts` have come back."""

    instances: Batch
    done: Done
    submitted: float
    taken: int = 0
    parts: list[Output] = field(default_factory=list)
    model_seconds: float = 0.0
    is_over: bool = False

    def cancel(self) -> None:
        """The client is gone: what the model has not begun it need not begin, and nobody is told."""
        self.is_over = True

    @property
    def left(self) -> int:
        """Instances that the model has not been given."""
        return len(self.instances) - self.taken


class Share(NamedTuple):
    """Instances `start` to `end` of a job, for one batch."""

    job: Job
    start: int
    end: int


class Batcher:
    """Feeds a program from many requests; lives on one event loop."""

    def __init__(self, program: Program, plan: BatchPlan, metrics: Metrics, *, max_queue_seconds: float) -> None:
        self.plan = plan
        self._program = program
        self._metrics = metrics
        self._max_queue_seconds = max_queue_seconds
        self._seconds_each = plan.seconds_each
        self._waiting: deque[Job] = deque()
        self._waiting_instances = 0
        self._running = 0  # instances the model is busy with
        self._scheduled = False
        self._loop = asyncio.get_running_loop()
        self._thread = None if self.inline else ModelThread(self._compute, self._finish)

    @property
    def inline(self) -> bool:
        """Whether the model runs on the loop's own thread."""
        return self.plan.seconds_alone <= INLINE_LIMIT_SECONDS

    def submit(self, instances: Batch, done: Done) -> Job:
        """Queue (N, *shape); `done` gets the program's outputs float32 (N, ...), or an exception, on this loop.

        Raises RequestError 503 where the wait for those before would be too long. A request larger than a batch runs
        in several.
        """
        ahead = self._waiting_instances + self._running
        wait = ahead * self._seconds_each
        if ahead and wait > self._max_queue_seconds:
            raise RequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{ahead} instances are before yours, {wait:.1f} s of work; allowed are {self._max_queue_seconds:g} s "
                "(SLIPWAY_MAX_QUEUE_SECONDS); try again later",
                {"Retry-After": str(math.ceil(wait))},
            )
        job = Job(instances=instances, done=done, submitted=perf_counter())
        self._waiting.append(job)
        self._wait_for(len(instances))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)
        return job

    def close(self) -> None:
        """Give the worker thread back; nothing may be submitted after."""
        if self._thread is not None:
            self._thread.close()

    def _wait_for(self, instances: int) -> None:
        self._waiting_instances += instances
        self._metrics.add("queue_instances", instances)

    def _turn(self) -> None:
        """Call the program once; between two batches the loop reads what has arrived."""
        shares = self._take()
        if not shares:
            self._scheduled = False
            return
        now = perf_counter()
        for job, start, _ in shares:
            if start == 0:
                self._metrics.observe(QUEUE, now - job.submitted)
        batches = [job.instances[start:end] for job, start, end in shares]
        self._running = sum(map(len, batches))
        self._metrics.observe(BATCH, self._running)
        if self._thread is None:
            self._finish(shares, *self._compute(batches))
        else:
            self._thread.give(shares, batches)

    def _take(self) -> list[Share]:
        """Up to a batch of waiting instances: each job in its turn, none more than its share of the room."""
        shares: list[Share] = []
        room = self.plan.limit
        while room and self._waiting:
            job = self._waiting.popleft()
            if job.is_over:
                self._wait_for(-job.left)
                continue
            count = min(job.left, max(1, room // (len(self._waiting) + 1)))
            shares.append(Share(job, job.taken, job.taken + count))
            job.taken += count
            room -= count
            self._wait_for(-count)
            if job.left:
                self._waiting.append(job)
        return shares

    def _compute(self, batches: list[Batch]) -> tuple[list[Outcome], float]:
        """The outcome of each, and the seconds that took; runs on the model's thread."""
        started = perf_counter()
        joined = batches[0] if len(batches) == 1 else np.concatenate(batches)
        try:
            outcomes = _split(self._program(joined), batches)
        except Exception as error:  # an engine may raise anything
            outcomes = [error] if len(batches) == 1 else [self._alone(batch) for batch in batches]
        return outcomes, perf_counter() - started

    def _alone(self, batch: Batch) -> Outcome:
        try:
            return _split(self._program(batch), [batch])[0]
        except Exception as error:  # this is the poisoned one
            return error

    def _finish(self, shares: list[Share], outcomes: list[Outcome], seconds: float) -> None:
        """Give each job its own rows, and go on with what waits."""
        self._seconds_each += SMOOTHING * (seconds / self._running - self._seconds_each)
        self._running = 0
        self._loop.call_soon(self._turn)
        for (job, _, _), outcome in zip(shares, outcomes, strict=True):
            job.model_seconds += seconds
            if not job.is_over:
                self._deliver(job, outcome)

    def _deliver(self, job: Job, outcome: Outcome) -> None:
        if isinstance(outcome, Exception):
            job.is_over = True
            job.done(outcome)
            return
        job.parts.append(outcome)
        if job.left or sum(map(len, job.parts)) < len(job.instances):
            return
        job.is_over = True
        self._metrics.observe(MODEL, job.model_seconds)
        job.done(job.parts[0] if len(job.parts) == 1 else np.concatenate(job.parts))


def _split(outputs: Output, batches: list[Batch]) -> list[Outcome]:
    """Each batch's own rows; a refusal where a number is not finite."""
    is_finite = bool(np.isfinite(outputs).all())
    found: list[Outcome] = []
    start = 0
    for batch in batches:
        rows = outputs[start : start + len(batch)]
        start += len(batch)
        found.append(rows if is_finite or np.isfinite(rows).all() else _not_finite(rows))
    return found


def _not_finite(rows: Output) -> RequestError:
    number = int(np.argmin(np.isfinite(rows.reshape(len(rows), -1)).all(axis=1)))
    return bad_request(
        f"the model has no finite answer for instance {number} of this part: its numbers are too far from those it was "
        "trained on; send numbers in the range of the training data"
    )
