"""Threads keep the order, read little ahead, and pass on what goes wrong."""

import threading

import pytest

from training.prepare.threads import AHEAD, ordered_map


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order_and_little_is_read_ahead(workers: int) -> None:
    read = 0

    def items() -> "list[int]":  # a generator: counts what is taken from it
        nonlocal read
        for number in range(100):
            read += 1
            yield number  # type: ignore[misc]

    for place, result in enumerate(ordered_map(lambda number: number * 2, items(), workers)):
        assert result == place * 2 and read <= place + 1 + workers * AHEAD
    assert read == 100


def test_an_error_ends_it_and_no_thread_stays() -> None:
    def fail(number: int) -> int:
        if number == 5:
            raise ValueError("five")
        return number

    before = threading.active_count()
    with pytest.raises(ValueError, match="five"):
        list(ordered_map(fail, range(50), 2))
    assert threading.active_count() == before
