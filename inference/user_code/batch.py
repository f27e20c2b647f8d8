"""Greedy batching for a user's predict_batch_fn: the requests that wait while the model works are the next batch."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from inference.metrics import BATCH, Metrics
from inference.user_code.functions import Call, Function, FunctionError

log = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class _Waiting:
    call: Call
    data: Any
    future: "asyncio.Future[Any]"


class RequestBatcher:
    """Predicts requests together; lives on one event loop."""

    def __init__(
        self,
        function: Function,
        model: Any,
        thread: Executor,
        max_batch: int,
        metrics: Metrics,
        others_come: Callable[[], bool],
    ) -> None:
        """At most `max_batch` requests go into one call; a function that is not async runs on `thread`.

        `others_come` says whether requests are on their way here, before `thread` has its turn for this one.
        """
        self._function, self._model, self._thread, self._max_batch = function, model, thread, max_batch
        self._metrics, self._others_come = metrics, others_come
        self._waiting: deque[_Waiting] = deque()
        self._running: asyncio.Task[None] | None = None

    async def predict(self, call: Call, data: Any) -> Any:
        """The prediction for one request's data; raises FunctionError where it fails on this request alone."""
        loop = asyncio.get_running_loop()
        job = _Waiting(call=call, data=data, future=loop.create_future())
        self._waiting.append(job)
        self._metrics.add("queue_instances", 1)
        if self._running is None:
            self._running = loop.create_task(self._run())
        return await job.future

    def close(self) -> None:
        """Nobody waits any more."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        try:
            while self._waiting:
                if not self._function.is_async and self._others_come():  # who is decoded on the thread comes along
                    await asyncio.get_running_loop().run_in_executor(self._thread, _nothing)
                jobs = self._take()
                for job, outcome in zip(jobs, await self._outcomes(jobs) if jobs else [], strict=True):
                    _settle(job.future, outcome)
        finally:
            self._running = None

    def _take(self) -> list[_Waiting]:
        """Up to max_batch requests whose clients are still there, oldest first."""
        jobs: list[_Waiting] = []
        while self._waiting and len(jobs) < self._max_batch:
            job = self._waiting.popleft()
            self._metrics.add("queue_instances", -1)
            if not job.future.done():
                jobs.append(job)
        return jobs

    async def _outcomes(self, jobs: list[_Waiting]) -> list[Any]:
        """The prediction or the FunctionError of each job; where the batch fails, each is tried alone."""
        started = perf_counter()
        self._metrics.observe(BATCH, len(jobs))
        try:
            return await self._call(jobs)
        except Exception as error:
            fault = error if isinstance(error, FunctionError) else FunctionError(self._function.name, error)
            if len(jobs) == 1:
                return [fault]
            log.warning("a batch of %d is tried one by one: %s", len(jobs), fault)
            return [outcome for job in jobs for outcome in await self._outcomes([job])]
        finally:
            for job in jobs:
                job.call.spend(self._function, perf_counter() - started)

    async def _call(self, jobs: list[_Waiting]) -> list[Any]:
        arguments = [job.call.context for job in jobs], [job.data for job in jobs], self._model
        if self._function.is_async:
            found = await self._function.wait(*arguments)
        else:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self._function, *arguments)
        return _checked(found, len(jobs), self._function.name)


def _checked(found: Any, count: int, name: str) -> list[Any]:
    """The predictions as a list of `count`; raises FunctionError."""
    try:
        predictions = list(found)
    except TypeError as error:
        raise FunctionError(name, error) from error
    if len(predictions) != count:
        fault = ValueError(f"it returned {len(predictions)} predictions for {count} requests; return one for each")
        raise FunctionError(name, fault)
    return predictions


def _settle(future: "asyncio.Future[Any]", outcome: Any) -> None:
    if future.done():
        return
    if isinstance(outcome, FunctionError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _nothing() -> None:
    """Waits for the thread by being run on it."""
