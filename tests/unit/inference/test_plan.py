"""How large batches may be, by the times of a program that is made up."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.engines import plan
from inference.engines.plan import learn

INSTANCE = np.zeros((1, 3), np.float32)


class Clock:
    """Moves only when the program runs."""

    def __init__(self) -> None:
        self.now = 0.0
        self.largest = 0

    def __call__(self) -> float:
        return self.now

    def program(self, fixed: float, each: float, spoilt_above: int = 10**9) -> plan.Program:
        def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            self.largest = max(self.largest, len(batch))
            self.now += (fixed + each * len(batch)) * (3 if len(batch) > spoilt_above else 1)
            return batch

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(plan, "perf_counter", clock)
    return clock


def test_a_fast_model_gets_the_largest_batch(clock: Clock) -> None:
    found = learn(clock.program(1e-4, 1e-5), INSTANCE, max_batch=32, target_seconds=0.25)
    assert found.limit == 32 and found.seconds_alone == pytest.approx(1.1e-4)
    assert found.seconds_each == pytest.approx((1e-4 + 32e-5) / 32)


def test_batches_that_make_instances_slower_are_not_made(clock: Clock) -> None:
    found = learn(clock.program(1e-4, 1e-5, spoilt_above=16), INSTANCE, max_batch=256, target_seconds=0.25)
    assert found.limit == 16 and clock.largest == 64


def test_one_slow_measurement_is_a_neighbour(clock: Clock) -> None:
    quick = clock.program(1e-4, 1e-5)

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        clock.now += 0.01 if len(batch) == 4 else 0.0
        return quick(batch)

    assert learn(run, INSTANCE, max_batch=32, target_seconds=0.25).limit == 32


def test_a_slow_model_gets_batches_within_the_target_without_trying_them_all(clock: Clock) -> None:
    found = learn(clock.program(0.0, 0.02), INSTANCE, max_batch=32, target_seconds=0.25)
    assert found.limit == 12 and clock.now < 0.5
    assert learn(clock.program(0.0, 3.0), INSTANCE, max_batch=32, target_seconds=0.25).limit == 1
