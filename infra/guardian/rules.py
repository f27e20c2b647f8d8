"""The guardian's decisions, as functions of plain data."""

from datetime import UTC, date, datetime, timedelta

from .events import HAND, OFFICE_HOURS
from .facts import NEVER, Facts
from .memory import State

BREACH, EXPIRED, IDLE = "breach", "expired", "idle"
RANK = (IDLE, OFFICE_HOURS, HAND, EXPIRED, BREACH)
"""A later reason takes the place of an earlier one: whoever was stopped by hand does not start in the morning."""
ENDPOINT_ONLY = (IDLE, OFFICE_HOURS)
"""Reasons to switch the endpoint off that are none to end a training job."""
MORNING = (IDLE, OFFICE_HOURS)
"""What office hours start again."""
SECONDS_PER_HOUR = 3600


def end_of(facts: Facts, state: State) -> float | None:
    """When the stack's time is over; None for a stack that stays.

    A date is lived through, in UTC. Without one the hours count from the first check; an extension goes beyond either.
    """
    if facts.expires != NEVER:
        end = datetime.combine(
            date.fromisoformat(facts.expires) + timedelta(days=1), datetime.min.time(), UTC
        ).timestamp()
    elif facts.time_to_live_hours is not None and state["born"] is not None:
        end = state["born"] + facts.time_to_live_hours * SECONDS_PER_HOUR
    else:
        return None
    return max(end, state["extended_to"] or end)


def is_expired(facts: Facts, state: State, now: float) -> bool:
    end = end_of(facts, state)
    return end is not None and now >= end


def is_warning_due(facts: Facts, state: State, now: float) -> bool:
    """Once for each end, so again after an extension."""
    end = end_of(facts, state)
    return end is not None and now >= end - facts.warn_hours * SECONDS_PER_HOUR and state["warned_of"] != end


def stronger(old: str, new: str) -> str:
    """The reason that counts when there are two."""
    return max((old, new), key=lambda reason: RANK.index(reason) if reason in RANK else RANK.index(HAND))


def is_idle(facts: Facts, *, in_service_since: float, requests: float, waiting: float, now: float) -> bool:
    """Whether nothing was asked of an endpoint that has been there to be asked for all of the time."""
    quiet = requests == 0 and waiting == 0
    return facts.idle_minutes > 0 and quiet and now - in_service_since >= facts.idle_minutes * 60


def utc(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M} UTC"
