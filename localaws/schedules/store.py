"""Schedules and their groups, as EventBridge Scheduler describes them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.cloud import Call, Store, arn
from localaws.errors import AwsError

DEFAULT = "default"


@dataclass(kw_only=True)
class Group:
    """`schedules` are in the form of GetSchedule, by name."""

    name: str
    arn: str
    created: float
    tags: dict[str, str] = field(default_factory=dict)
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        return {
            "Arn": self.arn,
            "Name": self.name,
            "State": "ACTIVE",
            "CreationDate": self.created,
            "LastModificationDate": self.created,
        }


class Schedules(Store):
    """One region's groups. The group `default` is always there."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.groups: dict[str, Group] = {}


def group_arn(region: str, name: str) -> str:
    return arn("scheduler", region, f"schedule-group/{name}")


def schedules(call: Call) -> Schedules:
    """The region's, with its default group."""
    found = call.cloud.store(call.region, Schedules)
    with found.lock:
        if DEFAULT not in found.groups:
            where = group_arn(call.region, DEFAULT)
            found.groups[DEFAULT] = Group(name=DEFAULT, arn=where, created=call.cloud.clock.now())
    return found


def group(call: Call, name: str | None) -> Group:
    found = schedules(call).groups.get(name or DEFAULT)
    if found is None:
        raise missing(f"Schedule group {name} does not exist.")
    return found


def schedule(call: Call) -> Mapping[str, Any]:
    """The schedule that a call names. Raises AwsError."""
    name = call.request["Name"]
    found = group(call, call.request.get("GroupName")).schedules.get(name)
    if found is None:
        raise missing(f"Schedule {name} does not exist.")
    return found


def missing(text: str) -> AwsError:
    return AwsError("ResourceNotFoundException", text, status=404)


def conflict(text: str) -> AwsError:
    return AwsError("ConflictException", text, status=409)


def invalid(text: str) -> AwsError:
    return AwsError("ValidationException", text)
