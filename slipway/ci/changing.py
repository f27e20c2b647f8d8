"""What every stage does that changes a stack: a stale lock goes first, and a CI run's note lies there meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

from slipway.ci.note import noted
from slipway.locks import release_stale
from slipway.project import Stack
from slipway.state.files import state_files
from slipway.view import Steps


@contextmanager
def changing(stack: Stack, steps: Steps) -> Iterator[None]:
    """Inside, this stage may change the stack. Raises SlipwayError when somebody else is changing it."""
    with steps.step("lock") as step:
        released = release_stale(stack)
        listed = (f"released that of {verdict.lock.owner}: {verdict.reason}" for verdict in released)
        step.result = "; ".join(listed) or "free"
    with noted(state_files(stack), stack):
        yield
