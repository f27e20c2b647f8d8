"""Presets: what a kind of stack sets before its own file does. A preset is a function, its result plain configuration.

A stack's file overrides key by key: a mapping is merged, anything else replaced.
"""

from collections.abc import Callable, Mapping
from typing import Any

Tree = dict[str, Any]


def dev() -> Tree:
    """A stack to work with, for a week: everything can be removed at once, and an endpoint moves without waiting."""
    return {
        "protect": False,
        "log_retention_days": 30,
        "serving": {"deployment": {"rollback": False}},
        "spending": {"time_to_live_hours": 7 * 24},
    }


def prod() -> Tree:
    """What people rely on: protected, private, encrypted with a key of its own, moved in steps that alarms watch."""
    return {
        "protect": True,
        "log_retention_days": 365,
        "storage": {"kms_key": "own", "access_logs": True, "audit_events": True, "old_version_days": 90},
        "network": {"private": True},
        "training": {"baseline": "approved"},
        "serving": {
            "instances": {"min": 2, "max": 4},
            "deployment": {"strategy": "canary", "step_percent": 10, "wait_seconds": 300, "rollback": True},
        },
        "monitoring": {"alarms": True},
    }


def pull_request() -> Tree:
    """A stack that lives as long as a pull request: small, short of memory, and it must say when it expires."""
    return {
        "protect": False,
        "log_retention_days": 3,
        "storage": {"checkpoint_days": 1, "old_version_days": 1},
        "training": {"max_runtime_minutes": 30},
        "serving": {"instances": {"min": 1, "max": 1}},
        "monitoring": {"alarms": False},
    }


PRESETS: Mapping[str, Callable[[], Tree]] = {"dev": dev, "prod": prod, "pull_request": pull_request}


def merged(preset: Mapping[str, Any], own: Mapping[str, Any]) -> Tree:
    """`own` over `preset`."""
    result = dict(preset)
    for key, value in own.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result
