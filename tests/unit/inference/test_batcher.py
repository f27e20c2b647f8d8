"""Batching: nobody waits, nobody gets another's answer, a failure stays with its request, and all take turns."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.engines.batcher import Batcher, Job, Outcome
from inference.engines.plan import BatchPlan
from inference.http.errors import RequestError
from inference.metrics import Metrics, SharedTable

SLOW, FAST = 1.0, 0.0
Rows = NDArray[np.float32]


class Echo:
    """Answers each instance with its own first value; remembers its batches. -1 anywhere makes it fail."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]

    def __call__(self, batch: Rows) -> Rows:
        assert self.gate.wait(10)
        self.batches.append(batch[:, 0].tolist())
        self.threads.add(threading.current_thread().name)
        if (batch < 0).any():
            raise ValueError("negative")
        return batch[:, :1].copy()


class Asking:
    """A batcher whose answers are awaited."""

    def __init__(self, engine: Echo, limit: int, speed: float = FAST, max_queue_seconds: float = 5.0) -> None:
        plan = BatchPlan(limit=limit, seconds_alone=speed, seconds_each=1.0)
        self.metrics = Metrics(SharedTable(1))
        self.batcher = Batcher(engine, plan, self.metrics, max_queue_seconds=max_queue_seconds)
        self.jobs: list[Job] = []

    def submit(self, *values: float) -> "asyncio.Future[Outcome]":
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        rows = np.array([[value, 0.0] for value in values], np.float32)
        self.jobs.append(self.batcher.submit(rows, future.set_result))
        return future


def _run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


def _values(outcome: Outcome) -> list[float]:
    assert not isinstance(outcome, Exception)
    found: list[float] = outcome[:, 0].tolist()
    return found


@pytest.mark.parametrize("speed", [FAST, SLOW])
def test_requests_that_come_together_share_a_batch_and_get_their_own_rows(speed: float) -> None:
    engine = Echo()

    async def test() -> None:
        asking = Asking(engine, 8, speed, max_queue_seconds=1e6)
        futures = [asking.submit(*range(n, 2 * n)) for n in range(1, 12)]
        for n, outcome in enumerate(await asyncio.gather(*futures), start=1):
            assert _values(outcome) == list(range(n, 2 * n))
        asking.batcher.close()

    _run(test)
    assert engine.sizes == [8] * 8 + [2]
    assert (engine.threads == {"MainThread"}) == (speed == FAST)


def test_what_arrives_while_the_model_runs_is_the_next_batch() -> None:
    engine = Echo()
    engine.gate.clear()

    async def test() -> None:
        asking = Asking(engine, 32, SLOW)
        first = asking.submit(1)
        await asyncio.sleep(0)  # the first batch is given to the thread
        await asyncio.sleep(0)
        later = [asking.submit(value) for value in (2, 3, 4)]
        engine.gate.set()
        assert [_values(outcome) for outcome in await asyncio.gather(first, *later)] == [[1], [2], [3], [4]]
        asking.batcher.close()

    _run(test)
    assert engine.sizes == [1, 3]


def test_a_request_of_many_instances_does_not_hold_up_those_of_one() -> None:
    engine = Echo()

    async def test() -> None:
        asking = Asking(engine, 4, max_queue_seconds=1e6)
        many, one, other = asking.submit(*range(100, 140)), asking.submit(1), asking.submit(2)
        assert [_values(outcome) for outcome in await asyncio.gather(one, other)] == [[1], [2]]
        assert _values(await many) == list(range(100, 140))

    _run(test)
    assert {1, 2} <= {value for batch in engine.batches[:2] for value in batch}
    assert engine.sizes == [4] * 10 + [2]


def test_a_poisoned_request_fails_alone() -> None:
    engine = Echo()

    async def test() -> None:
        asking = Asking(engine, 8)
        good, poisoned, other = asking.submit(1, 2), asking.submit(3, -1), asking.submit(7)
        outcomes = await asyncio.gather(good, poisoned, other)
        assert isinstance(outcomes[1], ValueError)
        assert [_values(outcomes[0]), _values(outcomes[2])] == [[1, 2], [7]]
        assert _values(await asking.submit(9)) == [9]

    _run(test)
    assert engine.sizes == [5, 2, 2, 1, 1]


def test_a_large_request_that_fails_in_one_part_is_told_once() -> None:
    engine = Echo()

    async def test() -> None:
        asking = Asking(engine, 2, max_queue_seconds=1e6)
        outcome = await asking.submit(1, 2, 3, -1, 5, 6, 7, 8)
        assert isinstance(outcome, ValueError)
        assert _values(await asking.submit(9)) == [9]

    _run(test)
    assert engine.sizes == [2, 2, 1]


def test_a_number_that_is_not_finite_is_the_clients_and_nobody_elses() -> None:
    async def test() -> None:
        asking = Asking(Echo(), 8)
        huge, good = asking.submit(1, np.inf), asking.submit(2)
        outcome = await huge
        assert isinstance(outcome, RequestError) and outcome.status == 400
        assert "no finite answer for instance 1" in outcome.message
        assert _values(await good) == [2]

    _run(test)


def test_a_cancelled_request_costs_the_model_nothing() -> None:
    engine = Echo()

    async def test() -> None:
        asking = Asking(engine, 8)
        gone, stays = asking.submit(1, 2, 3), asking.submit(4)
        asking.jobs[0].cancel()
        assert _values(await stays) == [4] and not gone.done()

    _run(test)
    assert engine.batches == [[4]]


def test_too_long_a_queue_is_503_with_the_time_to_come_back() -> None:
    async def test() -> None:
        asking = Asking(Echo(), 2, max_queue_seconds=2.5)
        first = asking.submit(*range(6))  # the first one is taken whatever its size
        with pytest.raises(RequestError) as caught:
            asking.submit(4)
        assert caught.value.status == 503 and caught.value.headers == {"Retry-After": "6"}
        assert "6 instances are before yours, 6.0 s of work" in caught.value.message
        await first
        assert _values(await asking.submit(4, 5)) == [4, 5]
        assert "queue_instances 0" in asking.metrics.render({}).decode()

    _run(test)
