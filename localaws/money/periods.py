"""Periods of a bill, in UTC: days, months, hours, quarters and years, and the text in which AWS writes their bounds."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from localaws.errors import AwsError

DATE_LENGTH = len("2026-01-01")
FORMATS = "yyyy-MM-dd, or yyyy-MM-ddThh:mm:ssZ with HOURLY"
MONTHS_PER_YEAR = 12


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def parse(text: str) -> float:
    """Epoch seconds of a date or of a time. Raises AwsError."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise AwsError("ValidationException", f"{text} is not a time; give {FORMATS}") from error


def date_text(at: float) -> str:
    return f"{moment(at):%Y-%m-%d}"


def time_text(at: float) -> str:
    return f"{moment(at):%Y-%m-%dT%H:%M:%SZ}"


def _months_on(day: datetime, count: int) -> datetime:
    months = day.year * MONTHS_PER_YEAR + day.month - 1 + count
    return day.replace(year=months // MONTHS_PER_YEAR, month=months % MONTHS_PER_YEAR + 1, day=1)


def _floor_months(day: datetime, size: int) -> datetime:
    first = (day.month - 1) // size * size + 1
    return day.replace(month=first, day=1, hour=0, minute=0, second=0, microsecond=0)


def _by_months(size: int) -> Callable[[float], tuple[float, float]]:
    def around(at: float) -> tuple[float, float]:
        begin = _floor_months(moment(at), size)
        return begin.timestamp(), _months_on(begin, size).timestamp()

    return around


def _by_time(size: timedelta) -> Callable[[float], tuple[float, float]]:
    seconds = size.total_seconds()

    def around(at: float) -> tuple[float, float]:
        begin = at // seconds * seconds
        return begin, begin + seconds

    return around


AROUND: dict[str, Callable[[float], tuple[float, float]]] = {
    "HOURLY": _by_time(timedelta(hours=1)),
    "DAILY": _by_time(timedelta(days=1)),
    "MONTHLY": _by_months(1),
    "QUARTERLY": _by_months(3),
    "ANNUALLY": _by_months(12),
}
"""By unit: (begin, end) of the period that a time is in, in epoch seconds."""


def split(begin: float, end: float, unit: str) -> Iterator[tuple[float, float]]:
    """The periods of a unit between two times; the first and the last may be parts of one."""
    while begin < end:
        last = min(AROUND[unit](begin)[1], end)
        yield begin, last
        begin = last
