"""The thread that a slow model runs on, so that the event loop stays prompt."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Compute = Callable[[Any], tuple[Any, float]]
Finish = Callable[[Any, Any, float], None]


class ModelThread:
    """Runs `compute(work)` for each thing given, in order, and `finish(tag, *result)` back on the loop.

    A daemon: a process that ends does not wait for a model that hangs.
    """

    def __init__(self, compute: Compute, finish: Finish) -> None:
        self._compute, self._finish = compute, finish
        self._loop = asyncio.get_running_loop()
        self._given: SimpleQueue[tuple[Any, Any] | None] = SimpleQueue()
        threading.Thread(target=self._run, name="model", daemon=True).start()

    def give(self, tag: Any, work: Any) -> None:
        """Queue one piece of work."""
        self._given.put((tag, work))

    def close(self) -> None:
        """End the thread after what has been given."""
        self._given.put(None)

    def _run(self) -> None:
        while (given := self._given.get()) is not None:
            tag, work = given
            result = self._compute(work)
            try:
                self._loop.call_soon_threadsafe(self._finish, tag, *result)
            except RuntimeError:  # the loop has ended; nobody waits for this answer
                return
