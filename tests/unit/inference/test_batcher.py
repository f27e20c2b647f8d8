"""Batching: nobody waits, nobody gets another's answer, a failure stays in its batch."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference import batcher as batching
from inference.batcher import Batcher
from inference.errors import RequestError

SLOW, FAST = 1.0, 0.0


class Echo:
    """Answers each instance with its own first value; remembers its batches. -1 anywhere makes it fail."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self.gate.wait(10)
        self.sizes.append(len(batch))
        self.threads.add(threading.current_thread().name)
        if (batch < 0).any():
            raise ValueError("negative")
        return batch[:, :1].copy()


def _rows(*values: float) -> NDArray[np.float32]:
    return np.array([[value, 0.0] for value in values], np.float32)


def _run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


@pytest.mark.parametrize("speed", [FAST, SLOW])
def test_requests_that_come_together_share_a_batch_and_get_their_own_rows(speed: float) -> None:
    engine = Echo()

    async def test() -> None:
        batcher = Batcher(engine, max_batch=8, seconds_per_call=speed)
        futures = [batcher.submit(_rows(*range(n, 2 * n))) for n in range(1, 12)]
        for n, scores in enumerate(await asyncio.gather(*futures), start=1):
            np.testing.assert_array_equal(scores[:, 0], range(n, 2 * n))
        batcher.close()

    _run(test)
    assert sum(engine.sizes) == 66 and max(engine.sizes) == 8
    assert engine.sizes == [8] * 8 + [2]
    assert (engine.threads == {"MainThread"}) == (speed == FAST)


def test_what_arrives_while_the_model_runs_is_the_next_batch() -> None:
    engine = Echo()
    engine.gate.clear()

    async def test() -> None:
        batcher = Batcher(engine, max_batch=32, seconds_per_call=SLOW)
        first = batcher.submit(_rows(1))
        await asyncio.sleep(0)  # the first batch is given to the thread
        await asyncio.sleep(0)
        later = [batcher.submit(_rows(value)) for value in (2, 3, 4)]
        engine.gate.set()
        answers = await asyncio.gather(first, *later)
        assert [float(answer[0, 0]) for answer in answers] == [1, 2, 3, 4]
        batcher.close()

    _run(test)
    assert engine.sizes == [1, 3]


def test_a_failure_reaches_its_own_batch_only() -> None:
    engine = Echo()

    async def test() -> None:
        batcher = Batcher(engine, max_batch=2, seconds_per_call=FAST)
        futures = [batcher.submit(_rows(*values)) for values in ((1, 2), (-1, 3, 4, 5, 6), (7,))]
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert isinstance(results[1], ValueError)
        np.testing.assert_array_equal(results[0], [[1], [2]])
        np.testing.assert_array_equal(results[2], [[7]])
        np.testing.assert_array_equal(await batcher.submit(_rows(9)), [[9]])

    _run(test)
    assert engine.sizes == [2, 2, 1, 1]


def test_a_cancelled_request_costs_the_model_nothing() -> None:
    engine = Echo()

    async def test() -> None:
        batcher = Batcher(engine, max_batch=8, seconds_per_call=FAST)
        gone, stays = batcher.submit(_rows(1, 2, 3)), batcher.submit(_rows(4))
        gone.cancel()
        np.testing.assert_array_equal(await stays, [[4]])

    _run(test)
    assert engine.sizes == [1]


def test_too_much_waiting_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_WAITING_INSTANCES", 4)

    async def test() -> None:
        batcher = Batcher(Echo(), max_batch=2, seconds_per_call=FAST)
        futures = [batcher.submit(_rows(1, 2, 3))]
        with pytest.raises(RequestError) as caught:
            batcher.submit(_rows(4, 5))
        assert caught.value.status == 503
        futures.append(batcher.submit(_rows(6)))
        await asyncio.gather(*futures)
        np.testing.assert_array_equal(await batcher.submit(_rows(4, 5)), [[4], [5]])

    _run(test)
