"""When schedules fire: AWS's cron(minutes hours day-of-month month day-of-week year) in a time zone, and rate(...).

Enough of it to say how much of a week something is on, and how often a rate fires in a month. What it cannot read is
None to its callers, who then assume the dearer.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WEEK = timedelta(days=7)
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)  # any: only shares of a week are made of it
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}
MINUTES_PER_HOUR = 60


@dataclass(frozen=True, kw_only=True)
class Cron:
    """A weekly schedule: minutes, hours and days of the week (0 is Sunday)."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    zone: ZoneInfo

    @classmethod
    def of(cls, expression: str, zone: str) -> "Cron | None":
        """None where it is no cron, or one that goes by the date."""
        found = CRON.fullmatch(expression.strip())
        try:
            if not found or found[3] not in "*?" or found[4] != "*" or found[6] != "*":
                return None
            return cls(
                minutes=_values(found[1], 0, 59),
                hours=_values(found[2], 0, 23),
                days=frozenset(day - 1 for day in _values(found[5], 1, 7)),
                zone=ZoneInfo(zone or "UTC"),
            )
        except (ValueError, ZoneInfoNotFoundError):
            return None

    def times(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """When it fires from `start` (included) to `end`."""
        day = start.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        while day < end:
            if (day.weekday() + 1) % 7 in self.days:
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        at = day.replace(hour=hour, minute=minute)
                        if start <= at < end:
                            yield at
            day += timedelta(days=1)


def average(changes: Sequence[tuple[Cron | None, Decimal]], first: Decimal) -> Decimal:
    """The mean over a week of a value that each cron sets; `first` where none ever fires."""
    events = [(at, value) for cron, value in changes if cron for at in cron.times(MONDAY - WEEK, MONDAY + WEEK)]
    if not events:
        return first
    events.sort(key=lambda event: event[0])
    value = [value for at, value in events if at <= MONDAY][-1:] or [events[-1][1]]
    at, now, weighed = MONDAY, value[0], Decimal(0)
    for when, value_ in [*((when, one) for when, one in events if when > MONDAY), (MONDAY + WEEK, Decimal(0))]:
        weighed += now * Decimal((when - at).total_seconds())
        at, now = when, value_
    return weighed / Decimal(WEEK.total_seconds())


def firings(expression: str, zone: str, hours: Decimal) -> Decimal | None:
    """How often it fires in so many hours; None where that cannot be told."""
    if found := RATE.fullmatch(expression.strip()):
        return hours * MINUTES_PER_HOUR / (int(found[1]) * MINUTES[found[2]])
    if expression.startswith("at("):
        return Decimal(1)
    cron = Cron.of(expression, zone)
    if cron is None:
        return None
    return len(list(cron.times(MONDAY, MONDAY + WEEK))) * hours / Decimal(WEEK.total_seconds() / 3600)


def _values(text: str, least: int, most: int) -> frozenset[int]:
    """The numbers that a field of a cron means: *, ?, 5, 1-5, MON-FRI, 0/15, 1,3. Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            low, high = least, most
        else:
            low_text, _, high_text = span.partition("-")
            low = _number(low_text)
            high = _number(high_text) if high_text else (most if step else low)
        values = range(low, high + 1) if low <= high else [*range(low, most + 1), *range(least, high + 1)]
        found |= set(list(values)[:: int(step or 1)])
    if not found <= set(range(least, most + 1)):
        raise ValueError(f"{text} is outside {least} to {most}")
    return frozenset(found)


def _number(text: str) -> int:
    return DAYS.index(text.upper()) + 1 if text.upper() in DAYS else int(text)
