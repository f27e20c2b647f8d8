"""AWS's cron expressions: minutes, hours, day of month, month, day of week, year.

Source: "Schedule types in EventBridge Scheduler". Wildcards: `,` `-` `*` `/` everywhere, `?` in one of the two day
fields (the other then counts), `L` (last) in both, `W` (the weekday nearest to a day) in the days of the month, `#`
(the n-th of a month) in the days of the week, where 1 is Sunday.
"""

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIELDS = ("minutes", "hours", "day of month", "month", "day of week", "year")
LIMITS = {
    "minutes": (0, 59),
    "hours": (0, 23),
    "day of month": (1, 31),
    "month": (1, 12),
    "day of week": (1, 7),
    "year": (1970, 2199),
}
NAMES = {
    "month": {name: number for number, name in enumerate(MONTHS, 1)},
    "day of week": {name: number for number, name in enumerate(WEEKDAYS, 1)},
}
SATURDAY = 7

Days = Callable[[int, int], set[int]]
"""Year and month -> the days of it."""


@dataclass(frozen=True, kw_only=True)
class Cron:
    """All fields are sorted; `of_month` tells the days of a month."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    years: tuple[int, ...]
    of_month: Days

    @classmethod
    def parse(cls, text: str) -> "Cron":
        """Read six fields. Raises ValueError that names the wrong one."""
        words = text.upper().split()
        if len(words) != len(FIELDS):
            raise ValueError(f"cron takes {len(FIELDS)} fields ({', '.join(FIELDS)}), here are {len(words)}")
        given = dict(zip(FIELDS, words, strict=True))
        return cls(
            minutes=_numbers("minutes", given["minutes"]),
            hours=_numbers("hours", given["hours"]),
            months=_numbers("month", given["month"]),
            years=_numbers("year", given["year"]),
            of_month=_days(given["day of month"], given["day of week"]),
        )

    def days(self, first: date) -> Iterator[date]:
        """The days from `first` on, in order."""
        for year in self.years:
            if year < first.year:
                continue
            for month in self.months:
                if (year, month) >= (first.year, first.month):
                    found = (date(year, month, day) for day in sorted(self.of_month(year, month)))
                    yield from (day for day in found if day >= first)

    def days_back(self, newest: date, oldest: date) -> Iterator[date]:
        """The days from `newest` back to `oldest`."""
        for year in reversed(self.years):
            if not oldest.year <= year <= newest.year:
                continue
            for month in reversed(self.months):
                found = (date(year, month, day) for day in sorted(self.of_month(year, month), reverse=True))
                yield from (day for day in found if oldest <= day <= newest)


def _numbers(field: str, text: str) -> tuple[int, ...]:
    """The values of a field of numbers. Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        found |= set(_range(field, part))
    return tuple(sorted(found))


def _range(field: str, part: str) -> range:
    """`5`, `1-5`, `*`, `*/15`, `10/15` (from 10 on), `1-31/7`."""
    low, high = LIMITS[field]
    span, slash, step = part.partition("/")
    first, dash, last = span.partition("-")
    if slash and not (step.isdigit() and int(step) > 0):
        raise ValueError(f"{field} has {part!r}; a step is a whole number above 0")
    if first == "*" and not dash:
        begin, end = low, high
    else:
        begin = _number(field, first)
        end = _number(field, last) if dash else high if slash else begin
    if begin > end:
        raise ValueError(f"{field} has {part!r}; a range goes up")
    return range(begin, end + 1, int(step) if slash else 1)


def _number(field: str, text: str) -> int:
    low, high = LIMITS[field]
    number = NAMES.get(field, {}).get(text, int(text) if text.isdigit() else -1)
    if not low <= number <= high:
        names = f" or {'-'.join(list(NAMES[field])[:: len(NAMES[field]) - 1])}" if field in NAMES else ""
        raise ValueError(f"{field} has {text!r}; allowed are {low}-{high}{names}")
    return number


def _days(of_month: str, of_week: str) -> Days:
    if (of_month == "?") == (of_week == "?"):
        raise ValueError(f"day of month is {of_month!r} and day of week is {of_week!r}; exactly one of them must be ?")
    rules = (
        [_month_rule(part) for part in of_month.split(",")]
        if of_week == "?"
        else [_week_rule(part) for part in of_week.split(",")]
    )
    return lambda year, month: set().union(*(rule(year, month) for rule in rules))


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _month_rule(part: str) -> Days:
    """One part of the day-of-month field."""
    back = re.fullmatch(r"L(?:-(\d{1,2}))?", part)
    if back:
        return lambda year, month: {day} if (day := _length(year, month) - int(back[1] or 0)) > 0 else set()
    if part == "LW":
        return lambda year, month: {_nearest_weekday(year, month, _length(year, month))}
    if part.endswith("W"):
        wanted = _number("day of month", part[:-1])
        return lambda year, month: {_nearest_weekday(year, month, wanted)} if wanted <= _length(year, month) else set()
    days = set(_range("day of month", part))
    return lambda year, month: {day for day in days if day <= _length(year, month)}


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """The day itself, or the Friday or Monday beside it, in the same month."""
    weekday = date(year, month, day).weekday()  # 5 is Saturday
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < _length(year, month) else day - 2
    return day


def _week_rule(part: str) -> Days:
    """One part of the day-of-week field."""
    name, hash_, nth = part.partition("#")
    if hash_:
        weekday, number = _number("day of week", name), int(nth) if nth.isdigit() else 0
        if not 1 <= number <= 5:
            raise ValueError(f"day of week has {part!r}; behind # belongs 1 to 5")
        return lambda year, month: set(_weekdays(year, month, {weekday})[number - 1 : number])
    if part.endswith("L") and part != "L":
        weekday = _number("day of week", part[:-1])
        return lambda year, month: set(_weekdays(year, month, {weekday})[-1:])
    weekdays = {SATURDAY} if part == "L" else set(_range("day of week", part))
    return lambda year, month: set(_weekdays(year, month, weekdays))


def _weekdays(year: int, month: int, weekdays: set[int]) -> list[int]:
    """The days of a month that are one of these weekdays (1 is Sunday)."""
    first = date(year, month, 1)
    days = [first + timedelta(days=number) for number in range(_length(year, month))]
    return [day.day for day in days if day.isoweekday() % 7 + 1 in weekdays]
