"""The `spending` section of the stack's configuration: what the guardian holds the stack to.

docs/settings.md is generated from the descriptions here.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator

from infra.sections import Section

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
FEWEST_IDLE_MINUTES = 10
"""CloudWatch's metrics come minutes late."""
MOST_NOTICES = 3
"""AWS takes five notifications of a budget; the limit itself and the forecast are two of them."""


def _clock_time(value: Any) -> Any:
    """YAML 1.1 reads a bare 18:30 as a number in base 60."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return f"{value // 60:02d}:{value % 60:02d}" if is_number else value


class OfficeHours(Section):
    """When there is an endpoint; out of these hours it is switched off, and jobs go on."""

    start: Annotated[str, BeforeValidator(_clock_time)] = Field("08:00", description="the endpoint is made: HH:MM")
    stop: Annotated[str, BeforeValidator(_clock_time)] = Field("19:00", description="it is deleted: HH:MM, later")
    days: tuple[Day, ...] = Field(("mon", "tue", "wed", "thu", "fri"), description="on which it is made and deleted")
    timezone: str = Field("UTC", description="of the hours, for example Europe/Paris")

    @field_validator("start", "stop")
    @classmethod
    def _time(cls, value: str) -> str:
        if not TIME.fullmatch(value):
            raise ValueError(f'is {value!r}; allowed: "HH:MM" from "00:00" to "23:59"')
        return value

    @field_validator("days")
    @classmethod
    def _days(cls, days: tuple[Day, ...]) -> tuple[Day, ...]:
        if not days or len(set(days)) < len(days):
            raise ValueError(f"is {list(days)}; allowed: each of {', '.join(DAYS)} at most once, and at least one")
        return days

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"is {name!r}; allowed: UTC, or a name of the IANA database: Europe/Paris") from error
        return name

    @model_validator(mode="after")
    def _ordered(self) -> "OfficeHours":
        if self.stop <= self.start:
            raise ValueError(
                f"stop ({self.stop}) is not after start ({self.start}); give hours of one day, for example 08:00 and "
                "19:00 (scaling.schedule has other bounds at night)"
            )
        return self


class Spending(Section):
    """What the stack may cost, and when it ends: docs/spending.md."""

    budget_usd: Decimal | None = Field(
        None, gt=0, description="USD a calendar month (UTC); reached, the stack is stopped until somebody resumes it"
    )
    notify_percent: tuple[Annotated[int, Field(ge=1, le=99)], ...] = Field(
        (50, 80), max_length=MOST_NOTICES, description="shares of the budget at which the topic is told"
    )
    breach_percent: int = Field(100, ge=1, le=200, description="share of the budget at which the stack is stopped")
    guard_minutes: int = Field(5, ge=1, le=60, description="between two checks of the guardian")
    time_to_live_hours: int | None = Field(
        None,
        ge=1,
        le=8760,
        description="from the guardian's first check; then the stack is stopped. A date in slipway:expires comes first",
    )
    warn_hours: int = Field(24, ge=0, le=720, description="tell the topic so long before the stack's end")
    idle_minutes: int = Field(
        0, ge=0, le=1440, description="without a request for so long, the endpoint is switched off; 0 never"
    )
    office_hours: OfficeHours | None = Field(None, description="when there is an endpoint; left out, always")

    @model_validator(mode="after")
    def _consistent(self) -> "Spending":
        problems = []
        if len(set(self.notify_percent)) < len(self.notify_percent):
            problems.append(f"notify_percent is {list(self.notify_percent)}; allowed: each share once")
        late = [percent for percent in self.notify_percent if percent >= self.breach_percent]
        if late:
            problems.append(
                f"notify_percent has {late}, but the stack is stopped at breach_percent ({self.breach_percent}); give "
                "smaller shares"
            )
        if 0 < self.idle_minutes < FEWEST_IDLE_MINUTES:
            problems.append(
                f"idle_minutes is {self.idle_minutes}; allowed: 0 (never), or at least {FEWEST_IDLE_MINUTES}, because "
                "CloudWatch's metrics come minutes late"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self
