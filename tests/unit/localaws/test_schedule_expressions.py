"""Schedule expressions against dates worked out by hand, and cron against a second implementation: counting days."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from localaws.schedules import expressions
from localaws.schedules.expressions import Timetable

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: Any = UTC) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def next_times(text: str, after: str, count: int, zone: str = "UTC") -> list[str]:
    """The next times, on the zone's clocks."""
    where = ZoneInfo(zone)
    expression, time, found = expressions.parse(text, where, at(after)), at(after), []
    for _ in range(count):
        following = expression.next(time)
        if following is None:
            break
        time = following
        found.append(datetime.fromtimestamp(time, where).strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cron(0 8 ? * MON-FRI *)", ["2026-01-01 08:00", "2026-01-02 08:00", "2026-01-05 08:00"]),
        ("cron(0/20 * * * ? *)", ["2026-01-01 00:20", "2026-01-01 00:40", "2026-01-01 01:00"]),
        ("cron(15,45 9-10 1 1 ? 2026-2027)", ["2026-01-01 09:15", "2026-01-01 09:45", "2026-01-01 10:15"]),
        ("cron(0 0 L * ? *)", ["2026-01-31 00:00", "2026-02-28 00:00", "2026-03-31 00:00"]),
        ("cron(0 0 L-2 * ? *)", ["2026-01-29 00:00", "2026-02-26 00:00", "2026-03-29 00:00"]),
        ("cron(0 0 15W * ? *)", ["2026-01-15 00:00", "2026-02-16 00:00", "2026-03-16 00:00"]),
        ("cron(0 0 1W * ? *)", ["2026-02-02 00:00", "2026-03-02 00:00", "2026-04-01 00:00"]),
        ("cron(0 0 LW * ? *)", ["2026-01-30 00:00", "2026-02-27 00:00", "2026-03-31 00:00"]),
        ("cron(0 0 ? * 6L *)", ["2026-01-30 00:00", "2026-02-27 00:00", "2026-03-27 00:00"]),
        ("cron(0 0 ? * L *)", ["2026-01-03 00:00", "2026-01-10 00:00", "2026-01-17 00:00"]),
        ("cron(0 0 ? JAN,MAR tue#2 *)", ["2026-01-13 00:00", "2026-03-10 00:00", "2027-01-12 00:00"]),
        ("cron(0 0 29 2 ? *)", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
        ("cron(0 0 31 4 ? *)", []),
        ("cron(0 0 1 1 ? 2025)", []),
        ("rate(5 minutes)", ["2026-01-01 00:05", "2026-01-01 00:10", "2026-01-01 00:15"]),
        ("rate(1 hour)", ["2026-01-01 01:00", "2026-01-01 02:00", "2026-01-01 03:00"]),
        ("at(2026-05-30T14:20:00)", ["2026-05-30 14:20"]),
        ("at(2025-12-31T23:59:59)", []),
    ],
)
def test_the_next_times(text: str, expected: list[str]) -> None:
    assert next_times(text, "2026-01-01T00:00:00", 3) == expected


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        # The clocks go from 2:00 to 3:00 on 2026-03-29: 2:30 is skipped.
        ("cron(30 2 * * ? *)", "2026-03-28T00:00:00", ["2026-03-28 02:30", "2026-03-30 02:30"]),
        # They go back from 3:00 to 2:00 on 2026-10-25: 2:30 comes twice and fires once.
        ("cron(30 2 * * ? *)", "2026-10-24T12:00:00", ["2026-10-25 02:30", "2026-10-26 02:30"]),
        # A rate's day is 24 hours.
        ("rate(1 day)", "2026-03-28T12:00:00", ["2026-03-29 14:00", "2026-03-30 14:00"]),
        ("at(2026-07-01T08:00:00)", "2026-01-01T00:00:00", ["2026-07-01 08:00"]),
    ],
)
def test_daylight_saving_time(text: str, after: str, expected: list[str]) -> None:
    assert next_times(text, after, 2, "Europe/Berlin") == expected


def test_a_zone_has_its_own_days() -> None:
    monday = expressions.parse("cron(0 8 ? * MON *)", ZoneInfo("Pacific/Auckland"), 0.0)
    assert monday.next(at("2026-01-04T00:00:00")) == at("2026-01-04T19:00:00")
    assert expressions.parse("at(2026-07-01T08:00:00)", BERLIN, 0.0).next(0) == at("2026-07-01T06:00:00")


def test_the_latest_times_of_a_backlog_are_those_that_next_would_have_given() -> None:
    begin, until = at("2026-03-20T00:00:00"), at("2026-04-02T07:30:00")
    for text in ("rate(7 hours)", "cron(0/45 2,13 * * ? *)", "cron(0 0 1W * ? *)", "at(2026-03-30T00:00:00)"):
        expression, time, all_times = expressions.parse(text, BERLIN, begin - 1), begin, []
        while (following := expression.next(time)) is not None and following <= until:
            time = following
            all_times.append(time)
        assert expression.last(3, begin, until) == all_times[-3:]


def test_a_timetable_has_a_begin_and_an_end() -> None:
    begin = at("2026-01-01T00:00:00")
    times = Timetable(expression=expressions.parse("rate(1 hour)", BERLIN, begin), start=begin, end=begin + 2 * 3600)
    assert times.next(0.0) == begin
    assert times.last(10, 0.0, begin + 86_400) == [begin, begin + 3600, begin + 7200]
    assert times.next(begin + 7200) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("every day", "allowed are at"),
        ("rate(0 minutes)", "whole number above 0"),
        ("rate(5 fortnights)", "minutes, hours or days"),
        ("at(tomorrow)", "yyyy-mm-ddThh:mm:ss"),
        ("at(2026-02-30T00:00:00)", "yyyy-mm-ddThh:mm:ss"),
        ("cron(0 8 * * ?)", "cron takes 6 fields"),
        ("cron(0 8 * * * *)", "exactly one of them must be"),
        ("cron(0 8 ? * ? *)", "exactly one of them must be"),
        ("cron(60 8 * * ? *)", "minutes has '60'; allowed are 0-59"),
        ("cron(0 8 ? * 0 *)", "day of week has '0'; allowed are 1-7 or SUN-SAT"),
        ("cron(0 8 ? * MON#6 *)", "behind # belongs 1 to 5"),
        ("cron(0 20-6 * * ? *)", "a range goes up"),
        ("cron(0/0 8 * * ? *)", "a step is a whole number above 0"),
        ("cron(0 8 * 13 ? *)", "month has '13'; allowed are 1-12 or JAN-DEC"),
    ],
)
def test_what_is_no_expression(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        expressions.parse(text, BERLIN, 0.0)
