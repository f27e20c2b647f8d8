"""A thread that acts once with each minute of the clock, for the time in which nobody looks."""

import sys
import threading
import traceback
from collections.abc import Callable

from localaws.clock import Event
from localaws.cloud import Cloud, Store

PERIOD_SECONDS = 60
PAUSE_MACHINE_SECONDS = 0.05  # between two acts, however fast the clock is

Act = Callable[[Cloud, Event], None]
"""Gets the event that ends the thread, for acts that take long."""


class Rounds(Store):
    """Owns the thread, if there is one. A subclass for each thing that acts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop: Event | None = None

    def close(self) -> None:
        with self._lock:
            if self._stop is not None:
                self._stop.set()

    def begin(self, cloud: Cloud, act: Act, name: str) -> None:
        """Start the thread, once."""
        if self._stop is not None:
            return
        with self._lock:
            if self._stop is None:
                self._stop = cloud.clock.event()
                threading.Thread(target=_run, args=(cloud, self._stop, act), name=name, daemon=True).start()


def _run(cloud: Cloud, stop: Event, act: Act) -> None:
    begun = cloud.clock.now()
    while not stop.is_set():
        # From the begin of the round before: a clock that was moved on while it went is seen at once.
        cloud.clock.wait(stop, begun // PERIOD_SECONDS * PERIOD_SECONDS + PERIOD_SECONDS - cloud.clock.now())
        begun = cloud.clock.now()
        if stop.wait(PAUSE_MACHINE_SECONDS):
            return
        try:
            act(cloud, stop)
        except Exception:  # the next minute comes all the same
            traceback.print_exc(file=sys.stderr)
