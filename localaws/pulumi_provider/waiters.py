"""Waiting for AWS: the pause between looks grows from 0.1 s to 1 s, because the embedded AWS is often done at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from localaws.pulumi_provider.aws import Context

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
PAUSE_GROWTH = 1.5

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
