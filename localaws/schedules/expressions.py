"""Schedule expressions: `at(2026-05-30T14:20:00)`, `rate(5 minutes)`, `cron(0 8 ? * MON-FRI *)`, in a time zone.

As EventBridge Scheduler documents it ("Schedule types"): a cron time that daylight saving time skips is skipped, one
that comes twice fires once; a day of a rate is 24 hours.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from math import floor
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localaws.schedules.cron import Cron

UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_FORM = re.compile(r"(at|rate|cron)\((.*)\)")
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_RATE = re.compile(r"([1-9]\d*) (minute|hour|day)s?")


class Expression(Protocol):
    """Times in epoch seconds."""

    def next(self, after: float) -> float | None:
        """The first time later than `after`; None if there is none."""

    def last(self, count: int, after: float, until: float) -> list[float]:
        """The latest `count` times later than `after` and not later than `until`, in order."""


@dataclass(frozen=True, kw_only=True)
class At:
    """Once."""

    time: float

    def next(self, after: float) -> float | None:
        return self.time if self.time > after else None

    def last(self, count: int, after: float, until: float) -> list[float]:
        return [self.time] if after < self.time <= until else []


@dataclass(frozen=True, kw_only=True)
class Rate:
    """At `start` and every `period` seconds from then on."""

    start: float
    period: float

    def next(self, after: float) -> float | None:
        return self.start + max(floor((after - self.start) / self.period) + 1, 0) * self.period

    def last(self, count: int, after: float, until: float) -> list[float]:
        newest = floor((until - self.start) / self.period)
        times = [self.start + number * self.period for number in range(max(newest - count + 1, 0), newest + 1)]
        return [time for time in times if time > after]


@dataclass(frozen=True, kw_only=True)
class ByCalendar:
    """At the times of a cron expression, on the clocks of a zone."""

    cron: Cron
    zone: ZoneInfo

    def next(self, after: float) -> float | None:
        first = self._date(after) - timedelta(days=1)  # the day before may still be going on in another zone
        return next((time for time in self._times(self.cron.days(first)) if time > after), None)

    def last(self, count: int, after: float, until: float) -> list[float]:
        earliest = self._date(after) - timedelta(days=1)
        days = self.cron.days_back(self._date(until) + timedelta(days=1), earliest)
        times = (time for time in self._times(days, back=True) if time <= until)
        return [time for time in islice(times, count) if time > after][::-1]

    def _date(self, time: float) -> date:
        return datetime.fromtimestamp(min(max(time, 0.0), _LAST_TIME), self.zone).date()

    def _times(self, days: Iterator[date], *, back: bool = False) -> Iterator[float]:
        """Each day's times that exist, once."""
        order = reversed if back else iter
        for day in days:
            for hour in order(self.cron.hours):
                for minute in order(self.cron.minutes):
                    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                    moment = local.astimezone(UTC)
                    if moment.astimezone(self.zone).replace(tzinfo=None) == local.replace(tzinfo=None):
                        yield moment.timestamp()


_LAST_TIME = datetime(2199, 12, 30, tzinfo=UTC).timestamp()


def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a name of the IANA time zone database, such as Europe/Berlin") from error


def parse(text: str, where: ZoneInfo, start: float) -> Expression:
    """Read an expression; `start` is when a rate begins. Raises ValueError that says what is wrong."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError("allowed are at(yyyy-mm-ddThh:mm:ss), rate(value unit) and cron(six fields)")
    kind, inner = form.groups()
    if kind == "at":
        return At(time=_moment(inner, where))
    if kind == "rate":
        found = _RATE.fullmatch(inner)
        if found is None:
            raise ValueError("a rate is a whole number above 0 and minutes, hours or days, such as rate(5 minutes)")
        return Rate(start=start, period=int(found[1]) * UNIT_SECONDS[found[2]])
    return ByCalendar(cron=Cron.parse(inner), zone=where)


def _moment(text: str, where: ZoneInfo) -> float:
    try:
        if _AT.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=where).timestamp()
    except ValueError:
        pass  # such as February 30th: the same answer
    raise ValueError("the time of at() is written yyyy-mm-ddThh:mm:ss, such as at(2026-05-30T14:20:00)")


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """An expression between two times, both included."""

    expression: Expression
    start: float = float("-inf")
    end: float = float("inf")

    def next(self, after: float) -> float | None:
        """The first time later than `after`; None when it is over."""
        if after < self.start:
            on_time = self.expression.last(1, _before(self.start), self.start)
            found = on_time[0] if on_time else self.expression.next(self.start)
        else:
            found = self.expression.next(after)
        return found if found is not None and found <= self.end else None

    def last(self, count: int, after: float, until: float) -> Sequence[float]:
        """The latest `count` times later than `after` and not later than `until`, in order."""
        return self.expression.last(count, max(after, _before(self.start)), min(until, self.end))


def _before(time: float) -> float:
    """A time just before, to include that time itself where the later than counts."""
    return time - 1e-3
