"""Fires what is due, by localaws's clock, in the order of the scheduled times.

A stepped clock can jump over many times of one schedule. Of such a backlog the last BACKLOG times fire, in order, each
after what the one before started has run once; the older ones are dropped, as nobody could have acted on them.
Whoever is due at the same time is fired together. An entry that is put again goes on from then.
"""

import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from localaws.clock import Event
from localaws.cloud import GLOBAL, Cloud, Store
from localaws.schedules.expressions import Timetable

BACKLOG = 3
KEPT_FIRINGS = 200
ROUNDING_SECONDS = 1e-3  # a clock that is stepped to a time may miss it by the error of a float

Fire = Callable[[float], Event | None]
"""Gets the scheduled time; returns what is set once it has run, None for what is done already."""


@dataclass(kw_only=True)
class Entry:
    """Something with times. `fired` is the time up to which it has fired.

    `over` is called behind its last time, if it ever had any.
    """

    key: str
    timetable: Timetable
    fired: float
    fire: Fire
    ran: bool = False
    over: Callable[[], None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class Firing:
    """`scheduled` and `at` in cloud time; `error` is "" where the target took it."""

    key: str
    scheduled: float
    at: float
    attempt: int = 1
    error: str = ""


class Clockwork(Store):
    """The whole account's entries, and the thread that watches them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.entries: dict[str, Entry] = {}
        self.history: deque[Firing] = deque(maxlen=KEPT_FIRINGS)
        self.changed: Event | None = None
        self.firing = False
        self.running: list[Event] = []  # what the last times have started
        self.closed = False

    def close(self) -> None:
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        if self.changed is not None:
            self.changed.set()

    def put(self, cloud: Cloud, entry: Entry) -> None:
        """Add an entry, or replace the one of its key."""
        with self.lock:
            self.entries[entry.key] = entry
            if self.changed is None:
                self.changed = cloud.clock.event()
                threading.Thread(target=_run, args=(cloud, self), name="clockwork", daemon=True).start()
            self._wake()

    def remove(self, key: str) -> None:
        with self.lock:
            self.entries.pop(key, None)

    def due(self, now: float) -> list[tuple[float, Entry]]:
        """What must be fired, in order; it counts as fired from here on."""
        found: list[tuple[float, Entry]] = []
        with self.lock:
            for entry in self.entries.values():
                times = entry.timetable.last(BACKLOG, entry.fired, now)
                found += [(time, entry) for time in times]
                entry.fired, entry.ran = max(entry.fired, now), entry.ran or bool(times)
        return sorted(found, key=lambda item: item[0])

    def next(self) -> float | None:
        """The earliest time to come."""
        with self.lock:
            times = [entry.timetable.next(entry.fired) for entry in self.entries.values()]
        return min((time for time in times if time is not None), default=None)

    def finished(self) -> list[Entry]:
        """Entries that have no more times; they are forgotten."""
        with self.lock:
            found = [entry for entry in self.entries.values() if entry.timetable.next(entry.fired) is None]
            for entry in found:
                del self.entries[entry.key]
        return found

    def current(self, entry: Entry) -> bool:
        """Whether the entry has been neither removed nor replaced."""
        return self.entries.get(entry.key) is entry


def clockwork(cloud: Cloud) -> Clockwork:
    return cloud.store(GLOBAL, Clockwork)


def _run(cloud: Cloud, work: Clockwork) -> None:
    while not work.closed:
        work.changed = changed = cloud.clock.event()
        work.firing = True
        due = work.due(cloud.clock.now() + ROUNDING_SECONDS)
        _fire(work, due)
        for entry in work.finished():
            if entry.ran:
                _guarded(entry.over)
        work.firing = False
        following = work.next()
        if work.closed:
            return
        if following is None:
            changed.wait()
        else:
            cloud.clock.wait_until(changed, following - ROUNDING_SECONDS / 2)


def _fire(work: Clockwork, due: Iterable[tuple[float, Entry]]) -> None:
    """Fire time by time; what one time has started ends its first run before the next time's turn."""
    for time, group in groupby(due, key=lambda item: item[0]):
        for event in work.running:
            event.wait()
        if work.closed:
            return
        started = [_guarded(entry.fire, time) for _, entry in group if work.current(entry)]
        work.running = [event for event in started if event is not None]


def _guarded(act: Callable[..., Event | None] | Callable[..., None], *arguments: Any) -> Event | None:
    try:
        return act(*arguments)
    except Exception:  # the next time comes all the same
        traceback.print_exc(file=sys.stderr)
        return None


def describe(cloud: Cloud) -> dict[str, Any]:
    """GET /_localaws/schedules: each entry's next time, what has fired, and whether something is due or runs."""
    work = clockwork(cloud)
    with work.lock:
        entries = list(work.entries.values())
    following = {entry.key: _stamp(entry.timetable.next(entry.fired)) for entry in entries}
    now = cloud.clock.now() + ROUNDING_SECONDS
    soonest = work.next()
    runs = any(not event.is_set() for event in work.running)
    pending = work.firing or runs or (soonest is not None and soonest <= now)
    fired = [
        {
            "schedule": item.key,
            "scheduled": _stamp(item.scheduled),
            "at": _stamp(item.at),
            "attempt": item.attempt,
            "error": item.error,
        }
        for item in list(work.history)
    ]
    return {"pending": pending, "next": following, "fired": fired}


def _stamp(time: float | None) -> str | None:
    """A time as EventBridge Scheduler writes it."""
    return None if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
