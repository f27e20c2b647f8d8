"""What the function knows of its stack: one JSON document in its environment, and the prices in its own archive."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

VARIABLE = "GUARDIAN"
RATES_FILE = Path(__file__).with_name("rates.json")
NEVER = "never"


@dataclass(frozen=True, kw_only=True)
class Facts:
    project: str
    stack: str
    account: str
    bucket: str
    topic: str
    """ARN of the topic that is told."""
    roles: tuple[str, ...] = ()
    """Names of the roles that a breach freezes."""
    budget_usd: str = ""
    """USD a calendar month (UTC), decimal text; empty for no budget."""
    budget_name: str = ""
    breach_percent: int = 100
    time_to_live_hours: int | None = None
    expires: str = NEVER
    """A date; where there is one it is the stack's end, and the hours do not count."""
    warn_hours: int = 24
    idle_minutes: int = 0
    rates: Mapping[str, str] = field(default_factory=dict)
    """USD an hour by the price book's key, for example Training:ml.g5.xlarge."""

    @property
    def prefix(self) -> str:
        """The endpoint's name, and the beginning of every other one."""
        return f"{self.project}-{self.stack}"

    @property
    def tags(self) -> dict[str, str]:
        """What everything of the stack carries, and nothing of another one."""
        return {"slipway:project": self.project, "slipway:stack": self.stack}

    @property
    def back(self) -> str:
        """The command that brings the stack back."""
        return f"slipway resume --stack {self.stack}"


def read_facts(environment: Mapping[str, str]) -> Facts:
    known: dict[str, Any] = json.loads(environment[VARIABLE])
    return Facts(**(known | {"roles": tuple(known.get("roles", ())), "rates": _rates()}))


@cache
def _rates() -> dict[str, str]:
    rates: dict[str, str] = json.loads(RATES_FILE.read_text()) if RATES_FILE.exists() else {}
    return rates
