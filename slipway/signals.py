"""Ctrl-C, a closed terminal and `kill` all end a long verb in the same way: once, and cleanly."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise KeyboardInterrupt as SIGINT does, so that every `finally` runs."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in ENDING}
    try:
        yield
    finally:
        _restore(before)


@contextmanager
def uninterruptible() -> Iterator[None]:
    """Inside, none of them does anything: for the few seconds of cleaning up."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        _restore(before)


@contextmanager
def deferred() -> Iterator[None]:
    """Inside, they wait until the end: for a process that is just starting, which nobody could end yet."""
    noted: list[int] = []
    before = {number: signal.signal(number, lambda sent, frame: noted.append(sent)) for number in ENDING}
    try:
        yield
    finally:
        _restore(before)
    if noted:
        raise KeyboardInterrupt


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
