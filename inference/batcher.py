"""Greedy batching: a request that finds the model idle runs at once; those that arrive meanwhile form the next batch.

Nobody waits for a batch to fill. A fast model runs on the event loop's own thread: what one turn of the loop read
makes one batch, and the hand-over to a thread (0.1 ms and a fight for the interpreter lock) is saved. A slow one
runs on a worker thread, so that /ping and timeouts stay prompt.
"""

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus

import numpy as np

from inference.engine import Batch, Output, Program
from inference.errors import RequestError

INLINE_LIMIT_SECONDS = 0.002  # one call of one instance; a full batch of such a model blocks the loop under 0.1 s
MAX_WAITING_INSTANCES = 65_536


@dataclass(eq=False, kw_only=True)
class _Job:
    """One request's instances; `taken` of them have been given to the model, `parts` have come back."""

    instances: Batch
    future: "asyncio.Future[Output]"
    taken: int = 0
    parts: list[Output] = field(default_factory=list)


class Batcher:
    """Feeds a program from many requests; lives on one event loop."""

    def __init__(self, program: Program, *, max_batch: int, seconds_per_call: float) -> None:
        self._program = program
        self._max_batch = max_batch
        self._thread = None if seconds_per_call <= INLINE_LIMIT_SECONDS else ThreadPoolExecutor(1, "model")
        self._waiting: deque[_Job] = deque()
        self._waiting_instances = 0
        self._running: asyncio.Task[None] | None = None

    @property
    def inline(self) -> bool:
        """Whether the model runs on the loop's own thread."""
        return self._thread is None

    def submit(self, instances: Batch) -> "asyncio.Future[Output]":
        """Queue (N, *shape); the future gets the program's outputs float32 (N, ...), or its exception.

        Raises RequestError 503 when too much is waiting already. A request larger than a batch runs in several.
        """
        if self._waiting and self._waiting_instances + len(instances) > MAX_WAITING_INSTANCES:
            raise RequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self._waiting_instances} instances are waiting already; try again later",
                {"Retry-After": "1"},
            )
        loop = asyncio.get_running_loop()
        job = _Job(instances=instances, future=loop.create_future())
        self._waiting.append(job)
        self._waiting_instances += len(instances)
        if self._running is None:
            self._running = loop.create_task(self._run())
        return job.future

    def close(self) -> None:
        """Give the worker thread back; nothing may be submitted after."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        """Call the program until nothing waits; between two batches the loop reads what has arrived."""
        try:
            while shares := self._take():
                batch = [job.instances[job.taken - count : job.taken] for job, count in shares]
                try:
                    outputs = await self._call(batch[0] if len(batch) == 1 else np.concatenate(batch))
                except Exception as error:  # the requests of this batch fail with it, the next batch may do better
                    self._fail(shares, error)
                else:
                    _deliver(shares, outputs)
                await asyncio.sleep(0)
        finally:
            self._running = None

    async def _call(self, batch: Batch) -> Output:
        if self._thread is None:
            return self._program(batch)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._program, batch)

    def _take(self) -> list[tuple[_Job, int]]:
        """Up to max_batch waiting instances, oldest first, as (job, how many of it)."""
        shares: list[tuple[_Job, int]] = []
        room = self._max_batch
        while room and self._waiting:
            job = self._waiting[0]
            left = len(job.instances) - job.taken
            if job.future.cancelled():  # the client is gone
                self._waiting.popleft()
                self._waiting_instances -= left
                continue
            count = min(room, left)
            job.taken += count
            room -= count
            self._waiting_instances -= count
            shares.append((job, count))
            if count == left:
                self._waiting.popleft()
        return shares

    def _fail(self, shares: list[tuple[_Job, int]], error: Exception) -> None:
        for job, _ in shares:
            if self._waiting and self._waiting[0] is job:  # the rest of a large request
                self._waiting.popleft()
                self._waiting_instances -= len(job.instances) - job.taken
            if not job.future.done():
                job.future.set_exception(error)


def _deliver(shares: list[tuple[_Job, int]], outputs: Output) -> None:
    """Give each job its own rows; a job is answered when its last rows are there."""
    start = 0
    for job, count in shares:
        job.parts.append(outputs[start : start + count])
        start += count
        if sum(map(len, job.parts)) == len(job.instances) and not job.future.done():
            job.future.set_result(job.parts[0] if len(job.parts) == 1 else np.concatenate(job.parts))
