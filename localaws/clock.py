"""The only clock of localaws: real, scaled, or stepped by hand.

Limits, grace periods, time stamps and metering read it, so hours of cloud time can be rehearsed in a second:

    curl -X POST $AWS_ENDPOINT_URL/_localaws/clock -d '{"mode": "scaled", "factor": 60}'
    curl -X POST $AWS_ENDPOINT_URL/_localaws/clock -d '{"mode": "stepped"}'
    curl -X POST $AWS_ENDPOINT_URL/_localaws/clock -d '{"advance_seconds": 3600}'

Cloud time never runs backwards: each change of mode continues from the time it finds.
"""

import threading
import time
from typing import Any

MODES = ("real", "scaled", "stepped")


class Event:
    """A flag that wakes every waiter of its clock when it is set."""

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self._set = False

    def set(self) -> None:
        with self._changed:
            self._set = True
            self._changed.notify_all()

    def is_set(self) -> bool:
        return self._set

    def wait(self, real_seconds: float | None = None) -> bool:
        """Wait in machine time, for things that no clock can hurry (a process, a socket). Returns whether it is set."""
        with self._changed:
            return self._changed.wait_for(lambda: self._set, timeout=real_seconds)


class Clock:
    """Cloud time in epoch seconds: `base + (machine time since) * factor`, factor 0 when stepped."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._set_base("real", 1.0, time.time())

    def _set_base(self, mode: str, factor: float, now: float) -> None:
        self._mode, self._factor, self._base, self._since = mode, factor, now, time.monotonic()

    def now(self) -> float:
        return self._base + (time.monotonic() - self._since) * self._factor

    def machine_now(self) -> float:
        """Machine time in epoch seconds, whatever the mode: to compare with the times of files."""
        return time.time()

    def event(self) -> Event:
        return Event(self._changed)

    def wait(self, event: Event, seconds: float) -> bool:
        """Wait until `event` is set or cloud time has moved on by `seconds`. Returns whether the event is set."""
        return self.wait_until(event, self.now() + seconds)

    def wait_until(self, event: Event, deadline: float) -> bool:
        """Wait until `event` is set or it is that time (epoch seconds). Returns whether the event is set."""
        with self._changed:
            while not event.is_set() and self.now() < deadline:
                self._changed.wait(self._machine_seconds(deadline - self.now()))
            return event.is_set()

    def _machine_seconds(self, cloud_seconds: float) -> float | None:
        return None if self._factor == 0 else max(cloud_seconds / self._factor, 0.0)

    def cloud_seconds(self, machine_seconds: float) -> float:
        """How far cloud time moves on by itself in so much machine time."""
        return machine_seconds * self._factor

    def socket_timeout(self, cloud_seconds: float) -> float:
        """A limit for one blocking socket call; a stepped clock cannot interrupt it, so there it is machine time."""
        return cloud_seconds / (self._factor or 1.0)

    def change(self, *, mode: str | None = None, factor: float | None = None, advance_seconds: float = 0.0) -> None:
        """Switch the mode and/or jump ahead. Raises ValueError naming the wrong field."""
        if mode is not None and mode not in MODES:
            raise ValueError(f"mode is {mode!r}; allowed: {', '.join(MODES)}")
        if advance_seconds < 0:
            raise ValueError(f"advance_seconds is {advance_seconds}; cloud time cannot go back, give a value >= 0")
        with self._changed:
            mode = mode or ("scaled" if factor is not None else self._mode)
            if mode == "scaled" and not (factor or self._factor) > 0:
                raise ValueError(f"factor is {factor}; a scaled clock needs a factor > 0, for example 60")
            factors = {"real": 1.0, "stepped": 0.0, "scaled": factor or self._factor}
            self._set_base(mode, factors[mode], self.now() + advance_seconds)
            self._changed.notify_all()

    def reset(self) -> None:
        """Back to machine time (`POST /moto-api/reset`)."""
        with self._changed:
            self._set_base("real", 1.0, time.time())
            self._changed.notify_all()

    def describe(self) -> dict[str, Any]:
        return {"mode": self._mode, "factor": self._factor, "now": self.now()}
