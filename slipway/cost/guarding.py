"""What watches the spending, and what that costs itself: schedules, the guard's function; and office hours."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from slipway.cost.amounts import Span
from slipway.cost.asking import Asking, words
from slipway.cost.lines import Line
from slipway.cost.planned import Planned, Resource
from slipway.cost.schedules import Cron, average, firings

SCHEDULE = "aws:scheduler/schedule:Schedule"
MB_PER_GB = 1024
DEFAULT_MEMORY_MB = 128
MINUTELY = Decimal(60)


def schedule(one: Resource, asking: Asking) -> Iterable[Line]:
    """Each firing."""
    times, why = _firings(one, asking)
    yield asking.line(
        one, "schedule firings", "Scheduler:Invocation", Span.of(times), why, "slipway:spending.guard_minutes"
    )


def function(one: Resource, asking: Asking) -> Iterable[Line]:
    """The guard, called by the stack's schedules (notices of the budget are few)."""
    calls = sum((_firings(each, asking)[0] for each in _own_schedules(asking.plan)), Decimal(0))
    memory = Decimal(one.get("memorySize", default=DEFAULT_MEMORY_MB))
    why = f"as often as the stack's schedules fire; {asking.assumed('guard_seconds')}"
    yield asking.line(one, "guard: calls", "Lambda:Request", Span.of(calls), why, "slipway:spending.guard_minutes")
    busy = asking.usage.guard_seconds * calls * (memory / MB_PER_GB)
    yield asking.line(
        one, f"guard: seconds at {memory} MB", "Lambda:Duration", busy, why, "slipway:spending.guard_minutes"
    )


def office_share(plan: Planned) -> tuple[Decimal, str]:
    """The share of the week in which schedules let the endpoint run, and that in words; 1 without such schedules."""
    changes = []
    for one in plan.of(SCHEDULE):
        action = _message(one).get("action")
        if action in ("start", "stop"):
            cron = Cron.of(one.get("scheduleExpression", default=""), one.get("scheduleExpressionTimezone", default=""))
            changes.append((cron, Decimal(action == "start")))
    if not changes or any(cron is None for cron, _ in changes):
        return Decimal(1), ""
    share = average(changes, Decimal(1))
    return share, f"on {100 * share:.0f}% of the week by office hours; worst: extended every time"


def _firings(one: Resource, asking: Asking) -> tuple[Decimal, str]:
    expression = one.get("scheduleExpression", default="")
    zone = one.get("scheduleExpressionTimezone", default="UTC")
    times = firings(expression, zone, asking.usage.hours)
    if times is None:
        return MINUTELY * asking.usage.hours, f"{expression or 'an unknown expression'}: every minute assumed"
    return times, f"{expression} fires {words(Span.of(times))} times"


def _own_schedules(plan: Planned) -> list[Resource]:
    """Schedules that call a function rather than an operation of AWS."""
    return [one for one in plan.of(SCHEDULE) if "aws-sdk" not in str(one.get("target", "arn", default=""))]


def _message(one: Resource) -> dict[str, Any]:
    try:
        found = json.loads(one.get("target", "input", default="{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
