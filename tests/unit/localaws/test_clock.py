"""The clock: real, scaled, stepped; nobody waits in these tests longer than a thread takes to wake."""

import threading
import time

import pytest

from localaws.clock import Clock


def test_stepped_time_moves_only_by_hand() -> None:
    clock = Clock()
    clock.change(mode="stepped")
    before = clock.now()
    assert clock.now() == before
    clock.change(advance_seconds=3600)
    assert clock.now() == before + 3600


def test_a_waiter_wakes_when_time_is_stepped() -> None:
    clock = Clock()
    clock.change(mode="stepped")
    results: list[bool] = []
    waiter = threading.Thread(target=lambda: results.append(clock.wait(clock.event(), 120)))
    waiter.start()
    while waiter.is_alive():
        clock.change(advance_seconds=60)
    waiter.join()
    assert results == [False]


def test_a_waiter_wakes_when_its_event_is_set() -> None:
    clock = Clock()
    clock.change(mode="stepped")
    event = clock.event()
    results: list[bool] = []
    waiter = threading.Thread(target=lambda: results.append(clock.wait(event, 120)))
    waiter.start()
    event.set()
    waiter.join()
    assert results == [True]


def test_scaled_time_runs_faster_and_never_back() -> None:
    clock = Clock()
    begin = clock.now()
    clock.change(mode="scaled", factor=100_000)
    began = time.monotonic()
    assert not clock.wait(clock.event(), 3600)
    assert time.monotonic() - began < 10
    assert clock.now() - begin >= 3600
    ahead = clock.now()
    clock.change(mode="real")
    assert clock.now() >= ahead


def test_limits_of_sockets_follow_the_scale() -> None:
    clock = Clock()
    clock.change(factor=60)
    assert clock.describe()["mode"] == "scaled"
    assert clock.socket_timeout(60) == 1
    clock.change(mode="stepped")
    assert clock.socket_timeout(60) == 60


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"mode": "slow"}, "mode is 'slow'; allowed: real, scaled, stepped"),
        ({"advance_seconds": -1}, "cannot go back"),
        ({"mode": "scaled", "factor": -2}, "factor > 0"),
    ],
)
def test_wrong_changes_are_explained(change: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Clock().change(**change)  # type: ignore[arg-type]
