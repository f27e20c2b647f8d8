"""Waiting for AWS: the pause between looks grows from 0.1 s to 1 s, because the embedded AWS is often done at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from localaws.pulumi_provider.aws import CallError, Context

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
PAUSE_GROWTH = 1.5
# The real provider waits minutes for IAM and others to spread news. An embedded AWS has one copy of everything: what is
# not there after this time is not on its way, only a parallel step of the same program may still make it.
LAG_LIMIT_SECONDS = 5.0

T = TypeVar("T")


class WaitError(Exception):
    """The awaited state cannot, or did not in time, come."""


def until(context: Context, what: str, limit_seconds: float, look: Callable[[], T | None]) -> T:
    """Calls `look` until it returns something other than None. Raises WaitError at the limit or on cancellation."""
    limit = context.timeout_seconds or limit_seconds
    deadline = time.monotonic() + limit
    pause = FIRST_PAUSE_SECONDS
    while (found := look()) is None:
        if time.monotonic() + pause > deadline:
            raise WaitError(f"{what} did not happen within {limit:g} s")
        if context.cancelled.wait(pause):
            raise WaitError(f"waiting for {what} was cancelled")
        pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
    return found


def retry(context: Context, passing: tuple[str, ...], act: Callable[[], T]) -> T:
    """Does `act` again while it fails with one of the passing errors. Raises the last such error at the limit."""
    deadline = time.monotonic() + LAG_LIMIT_SECONDS
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return act()
        except CallError as error:
            if not error.matches(passing) or time.monotonic() + pause > deadline or context.cancelled.wait(pause):
                raise
        pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
