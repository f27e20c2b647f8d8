"""What happens by itself with each minute of the clock: metrics are published, alarms judged, variants scaled.

Reads of CloudWatch do the first two themselves; the thread here is for the time in which nobody looks.
"""

import sys
import threading
import traceback

from localaws.alarms.store import catch_up
from localaws.alarms.transitions import Alarms
from localaws.clock import Event
from localaws.cloud import GLOBAL, Cloud, Store
from localaws.sagemaker.state import SageMaker
from localaws.scaling import act

PERIOD_SECONDS = 60
PAUSE_MACHINE_SECONDS = 0.05  # between two rounds, however fast the clock is


class Minutes(Store):
    """Owns the thread, if there is one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stop: Event | None = None

    def close(self) -> None:
        with self.lock:
            if self.stop is not None:
                self.stop.set()


def watch(cloud: Cloud) -> None:
    """Start the thread, once: there is something now that must act while nobody looks."""
    minutes = cloud.store(GLOBAL, Minutes)
    with minutes.lock:
        if minutes.stop is None:
            minutes.stop = cloud.clock.event()
            threading.Thread(target=_run, args=(cloud, minutes.stop), name="minutes", daemon=True).start()


def _run(cloud: Cloud, stop: Event) -> None:
    begun = cloud.clock.now()
    while not stop.is_set():
        # From the begin of the round before: a clock that was moved on while it went is seen at once.
        cloud.clock.wait(stop, begun // PERIOD_SECONDS * PERIOD_SECONDS + PERIOD_SECONDS - cloud.clock.now())
        begun = cloud.clock.now()
        for region in {*cloud.stores(Alarms), *cloud.stores(SageMaker)}:
            if stop.wait(PAUSE_MACHINE_SECONDS):
                return
            try:
                catch_up(cloud, region)
                act(cloud, region)
            except Exception:  # the next minute comes all the same
                traceback.print_exc(file=sys.stderr)
