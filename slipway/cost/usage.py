"""What no plan can know: how much a stack is used. Each assumption has a default, a unit and a reason, and can be set.

slipway cost --assume requests_a_month=2000000 --assume ms_a_request=20
slipway cost --usage usage.yaml          # requests_a_month: 2000000  or  {low: 0, expected: 2000000, worst: 9000000}

Figures of a month are for 730 hours; `over` turns them into those of a shorter or longer time.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from slipway.cost.amounts import Span
from slipway.cost.assumptions import ASSUMED
from slipway.errors import USAGE, SlipwayError
from slipway.prices.book import HOURS_PER_MONTH

PARTS = ("low", "expected", "worst")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """All assumptions. None: taken from elsewhere, as its reason says."""

    hours: Decimal = Decimal(HOURS_PER_MONTH)
    runs_a_month: Span = ASSUMED["runs_a_month"].span
    training_seconds: Span | None = None
    warm_pool_seconds: Span | None = None
    tuning_jobs: Span | None = None
    requests_a_month: Span = ASSUMED["requests_a_month"].span
    ms_a_request: Span = ASSUMED["ms_a_request"].span
    request_bytes: Span = ASSUMED["request_bytes"].span
    answer_bytes: Span = ASSUMED["answer_bytes"].span
    bucket_gb: Span = ASSUMED["bucket_gb"].span
    bucket_puts_a_month: Span = ASSUMED["bucket_puts_a_month"].span
    bucket_gets_a_month: Span = ASSUMED["bucket_gets_a_month"].span
    log_gb_a_month: Span = ASSUMED["log_gb_a_month"].span
    builds_a_month: Span = ASSUMED["builds_a_month"].span
    minutes_a_build: Span | None = None
    image_gb: Span = ASSUMED["image_gb"].span
    images_kept: Span | None = None
    notifications_a_month: Span = ASSUMED["notifications_a_month"].span
    bucket_events_a_month: Span = ASSUMED["bucket_events_a_month"].span
    private_gb_a_month: Span = ASSUMED["private_gb_a_month"].span
    key_requests_a_month: Span = ASSUMED["key_requests_a_month"].span
    guard_seconds: Span = ASSUMED["guard_seconds"].span
    instance_hours: Mapping[str, Decimal] = field(default_factory=dict)
    """Measured, by variant."""
    stated: frozenset[str] = frozenset()
    """Names of those that somebody has given."""

    def with_values(self, values: Mapping[str, Any]) -> "Usage":
        """These figures in place of the defaults. Raises SlipwayError naming what is unknown or no number."""
        changed: dict[str, Any] = {}
        for name, value in values.items():
            if name not in ASSUMED:
                near = difflib.get_close_matches(name, ASSUMED, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise SlipwayError(f"no assumption is called {name!r}{hint} There are: {', '.join(ASSUMED)}", USAGE)
            changed[name] = _number(name, value) if name == "hours" else _span(name, value, getattr(self, name))
        return replace(self, **changed, stated=self.stated | set(values))

    def over(self, hours: Decimal) -> "Usage":
        """The same use over another time."""
        share = hours / self.hours
        monthly = [name for name, one in ASSUMED.items() if one.monthly]
        return replace(self, hours=hours, **{name: getattr(self, name) * share for name in monthly})

    @property
    def months(self) -> Decimal:
        return self.hours / HOURS_PER_MONTH

    def why(self, name: str) -> str:
        """Where the figure comes from."""
        if name in self.stated:
            return "as given"
        return ASSUMED[name].why


def read_usage(file: Path | None, words: Iterable[str]) -> Usage:
    """The defaults, a file's values over them, and `name=value` words over those. Raises SlipwayError."""
    usage = Usage()
    if file:
        try:
            values = yaml.safe_load(file.read_text()) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise SlipwayError(f"{file} is neither YAML nor JSON: {error}", USAGE) from None
        if not isinstance(values, Mapping):
            raise SlipwayError(f"{file} holds {type(values).__name__}; it should map names to numbers", USAGE)
        usage = usage.with_values(values)
    given = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise SlipwayError(f"--assume {word!r} should look like requests_a_month=100000", USAGE)
        given[name] = value
    return usage.with_values(given)


def _span(name: str, value: Any, default: Span | None) -> Span:
    """One number sets all three; a mapping those that it names."""
    if not isinstance(value, Mapping):
        return Span.of(_number(name, value))
    if strange := [part for part in value if part not in PARTS]:
        raise SlipwayError(f"{name} has {', '.join(map(str, strange))}; allowed: {', '.join(PARTS)}", USAGE)
    if default is None and len(value) < len(PARTS):
        raise SlipwayError(f"{name} has no default: give one number, or all of {', '.join(PARTS)}", USAGE)
    figures = {part: _number(name, value[part]) if part in value else getattr(default, part) for part in PARTS}
    span = Span(**figures)
    if not span.low <= span.expected <= span.worst:
        raise SlipwayError(
            f"{name} is low {span.low}, expected {span.expected}, worst {span.worst}; give them in this order", USAGE
        )
    return span


def _number(name: str, value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0 or isinstance(value, bool):
        raise SlipwayError(f"{name} is {value!r}; give a number of 0 or more", USAGE)
    return number
