"""What an event asks for: the schedule's and the operator's say it themselves, the budget's comes through SNS."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

ACTIONS = ("check", "stop", "start", "extend", "status")
OWN_SUBJECT = "slipway "
"""How the subjects of the function's own reports begin: it listens to the topic that it tells."""
LONGEST_EXTENSION_HOURS = 8760
UNLIMITED = "none"
HAND, OFFICE_HOURS = "by hand", "office hours"


class EventError(ValueError):
    """The event cannot be obeyed; the message says why, and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    action: str
    """One of ACTIONS, `notice` for the budget's message, `ignore` for a report of the function's own."""
    now: float
    """Epoch seconds, from the event: the machine's clock is not the one that a rehearsal moves."""
    reason: str = HAND
    hours: float = 0.0
    resume: bool = False
    """Whether a start may also lift a breach."""
    limit_usd: str = ""
    """With resume: the month's limit from now on, USD or `none`; empty leaves it."""
    message: str = ""
    attended: bool = False
    """Whether somebody reads the answer; else a failure must be raised to be seen."""


def read_event(event: Mapping[str, Any], machine_now: float) -> Asked:
    """Raises EventError when the event is none that the function knows."""
    if "Records" in event:
        return _from_topic(event["Records"][0].get("Sns", {}), machine_now)
    action = str(event.get("action", ""))
    if action not in ACTIONS:
        raise EventError(f"action is {event.get('action')!r}; allowed: {', '.join(ACTIONS)}")
    now = epoch(event["time"]) if event.get("time") else machine_now
    return Asked(
        action=action,
        now=now,
        reason=str(event.get("reason") or HAND),
        hours=_hours(event["hours"]) if action == "extend" else 0.0,
        resume=event.get("resume") is True,
        limit_usd=_limit(event.get("limit_usd")),
        attended=event.get("attended") is True or action == "status",
    )


def epoch(when: Any) -> float:
    """Epoch seconds of a number, a datetime, or a time as AWS writes it: 2026-03-01T12:00:00Z."""
    if isinstance(when, datetime):
        return when.timestamp()
    if isinstance(when, (int, float)):
        return float(when)
    try:
        moment = datetime.fromisoformat(str(when))
    except ValueError as error:
        raise EventError(f"time is {when!r}; allowed: epoch seconds, or for example 2026-03-01T12:00:00Z") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _from_topic(notice: Mapping[str, Any], machine_now: float) -> Asked:
    own = str(notice.get("Subject") or "").startswith(OWN_SUBJECT)
    now = epoch(notice["Timestamp"]) if notice.get("Timestamp") else machine_now
    return Asked(action="ignore" if own else "notice", now=now, message=str(notice.get("Message", "")))


def _hours(value: Any) -> float:
    hours = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
    if not 0 < hours <= LONGEST_EXTENSION_HOURS:
        raise EventError(f"hours is {value!r}; allowed: more than 0, at most {LONGEST_EXTENSION_HOURS} (a year)")
    return hours


def _limit(value: Any) -> str:
    if value in (None, "", UNLIMITED):
        return str(value or "")
    try:
        limit = Decimal(str(value))
    except InvalidOperation:
        limit = Decimal(-1)
    if not limit.is_finite() or limit <= 0:
        raise EventError(f"limit_usd is {value!r}; allowed: USD above 0, or {UNLIMITED}")
    return str(limit)
