"""Changes of an alarm's state: made and written down under the lock, told without it."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from localaws.alarms import actions
from localaws.alarms.series import moment
from localaws.cloud import Store

HISTORY_LIMIT = 10_000
CHANGES_LIMIT = 1_000  # of one alarm


@dataclass(kw_only=True)
class Tracked:
    """`ticked` is the time of the last evaluation; `forced` means that SetAlarmState's word still stands."""

    alarm: Any
    ticked: float
    forced: bool = False
    changes: list[tuple[float, str]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A change of state that has been made and must still be told."""

    alarm: Any
    old: str
    at: float
    new: str
    body: str
    topics: Sequence[str]


class Alarms(Store):
    """By name, beside moto's alarms."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tracked: dict[str, Tracked] = {}
        self.history: list[dict[str, Any]] = []


def change(
    alarms: Alarms, region: str, tracked: Tracked, state: str, reason: str, data: str | None, at: float
) -> Notice:
    """Set the state and write the history. Call it with the lock held, then `deliver` the notice without."""
    alarm, old = tracked.alarm, tracked.alarm.state_value
    was = {"stateValue": old, "stateReason": alarm.state_reason}
    alarm.state_value, alarm.state_reason, alarm.state_reason_data = state, reason, data
    alarm.state_updated_timestamp = moment(at)
    tracked.changes.append((at, state))
    del tracked.changes[:-CHANGES_LIMIT]
    new = {"stateValue": state, "stateReason": reason, "stateReasonData": json.loads(data) if data else None}
    _remember(
        alarms, alarm, "StateUpdate", f"Alarm updated from {old} to {state}", at, {"oldState": was, "newState": new}
    )
    body = actions.message(alarm, region, old, at)
    return Notice(alarm=alarm, old=old, at=at, new=state, body=body, topics=list(actions.wanted(alarm, state)))


def _remember(alarms: Alarms, alarm: Any, kind: str, summary: str, at: float, data: dict[str, Any]) -> None:
    alarms.history.append(
        {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm",
            "Timestamp": at,
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": json.dumps({"version": "1.0", **data}),
        }
    )
    del alarms.history[:-HISTORY_LIMIT]


def deliver_all(region: str, alarms: Alarms, notices: Sequence[Notice]) -> None:
    """In their order."""
    for notice in notices:
        deliver(region, alarms, notice)


def deliver(region: str, alarms: Alarms, notice: Notice) -> None:
    """Run the notice's actions."""
    subject = f'{notice.new}: "{notice.alarm.name}" in {actions.region_name(region)}'
    for topic in notice.topics:
        sent = actions.publish(region, topic, subject, notice.body)
        summary = f"{'Successfully executed' if sent else 'Failed to execute'} action {topic}"
        data = {"actionState": "Succeeded" if sent else "Failed", "notificationResource": topic}
        _remember(alarms, notice.alarm, "Action", summary, notice.at, data)
