"""What money does with each minute of the clock, in a thread of its own: look at what is there, judge the budgets."""

import sys
import threading
import traceback

from localaws.clock import Event
from localaws.cloud import GLOBAL, Cloud, Store

PERIOD_SECONDS = 60
PAUSE_MACHINE_SECONDS = 0.05  # between two rounds, however fast the clock is


class Watch(Store):
    """Owns the thread, if there is one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stop: Event | None = None

    def close(self) -> None:
        with self.lock:
            if self.stop is not None:
                self.stop.set()


def watch(cloud: Cloud) -> None:
    """Start the thread, once: there is something now that costs by being there, or a budget."""
    found = cloud.store(GLOBAL, Watch)
    if found.stop is None:
        with found.lock:
            if found.stop is None:
                found.stop = cloud.clock.event()
                threading.Thread(target=_run, args=(cloud, found.stop), name="money", daemon=True).start()


def _run(cloud: Cloud, stop: Event) -> None:
    from localaws.money import budget_watch, samples  # see control.py

    begun = cloud.clock.now()
    while not stop.is_set():
        # From the begin of the round before: a clock that was moved on while it went is seen at once.
        cloud.clock.wait(stop, begun // PERIOD_SECONDS * PERIOD_SECONDS + PERIOD_SECONDS - cloud.clock.now())
        begun = cloud.clock.now()
        if stop.wait(PAUSE_MACHINE_SECONDS):
            return
        try:
            samples.take(cloud)
            budget_watch.look(cloud)
        except Exception:  # the next minute comes all the same
            traceback.print_exc(file=sys.stderr)
