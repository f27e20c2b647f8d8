"""What an alarm's datapoints say: its state and the reason in CloudWatch's words. Pure; no clock, no storage.

Source of the rules on missing data: CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data".
More periods are looked at than the alarm asks for, and real datapoints go before filled ones.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
EXTRA_PERIODS = 2  # AWS's examples look at 5 periods for an alarm on 3
INITIAL_REASON = "Unchecked: Initial alarm creation"

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
OPERATORS = tuple(_COMPARISONS)
_FILLS = {"breaching": "Breaching", "notBreaching": "NonBreaching"}
MISSING = ("missing", "ignore", *_FILLS)

Point = tuple[float, float | None]  # (begin of the period in epoch seconds, value or None where nothing was received)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`needed` of the last `periods` datapoints must breach; `missing` is TreatMissingData."""

    comparison: str
    threshold: float
    periods: int
    needed: int
    missing: str = "missing"

    def breaches(self, value: float) -> bool:
        return _COMPARISONS[self.comparison][0](value, self.threshold)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`state` is None where the alarm keeps the one it has; `points` are the real datapoints that were judged."""

    state: str | None
    reason: str = ""
    points: Sequence[tuple[float, float]] = ()


def judge(rule: Rule, window: Sequence[Point]) -> Verdict:
    """Judge the window (oldest first, `rule.periods` + EXTRA_PERIODS long)."""
    real = [(at, value) for at, value in window if value is not None][-rule.periods :]
    lacking = rule.periods - len(real)
    breaching = [point for point in real if rule.breaches(point[1])]
    if lacking == 0:
        state = ALARM if len(breaching) >= rule.needed else OK
        return Verdict(state=state, reason=_crossed(rule, state, real, breaching), points=real)
    if rule.missing in _FILLS:
        filled = lacking if rule.missing == "breaching" else 0
        state = ALARM if len(breaching) + filled >= rule.needed else OK
        return Verdict(state=state, reason=_filled(rule, len(real), lacking), points=real)
    if not real and rule.missing == "ignore":
        return Verdict(state=None)
    if not real:
        return Verdict(state=INSUFFICIENT, reason=f"Insufficient Data: {_many(rule.periods, 'datapoint')} unknown.")
    return _judge_few(rule, window, real, breaching)


def _judge_few(
    rule: Rule, window: Sequence[Point], real: list[tuple[float, float]], breaching: list[tuple[float, float]]
) -> Verdict:
    """Some datapoints, but fewer than the periods, and nothing to fill them with."""
    old_enough = len(window) - next(n for n, (_, value) in enumerate(window) if value is not None) >= rule.needed
    if len(breaching) >= rule.needed or (len(breaching) == len(real) and old_enough and rule.missing == "missing"):
        return Verdict(state=ALARM, reason=_crossed(rule, ALARM, real, breaching), points=real)
    if len(breaching) < len(real):
        return Verdict(state=OK, reason=_crossed(rule, OK, real, breaching), points=real)
    return Verdict(state=None)


def _many(number: int, noun: str) -> str:
    return f"{number} {noun} was" if number == 1 else f"{number} {noun}s were"


def _crossed(rule: Rule, state: str, real: list[tuple[float, float]], breaching: list[tuple[float, float]]) -> str:
    words = _COMPARISONS[rule.comparison][1]
    if state == ALARM:
        chosen, least, change = breaching, rule.needed, "OK -> ALARM"
    else:
        chosen = [point for point in real if point not in breaching]
        least, change, words = rule.periods - rule.needed + 1, "ALARM -> OK", f"not {words}"
    shown = ", ".join(f"{value!r} ({datetime.fromtimestamp(at, UTC):%d/%m/%y %H:%M:%S})" for at, value in chosen)
    verb, noun = "was" if len(chosen) == 1 else "were", "datapoint" if least == 1 else "datapoints"
    return (
        f"Threshold Crossed: {len(chosen)} out of the last {len(real)} datapoints [{shown}] {verb} {words} the "
        f"threshold ({rule.threshold!r}) (minimum {least} {noun} for {change} transition)."
    )


def _filled(rule: Rule, received: int, lacking: int) -> str:
    came = _many(received, "datapoint") if received else "no datapoints were"
    periods = f"{rule.periods} period{'' if rule.periods == 1 else 's'}"
    filled = _many(lacking, "missing datapoint")
    return f"Threshold Crossed: {came} received for {periods} and {filled} treated as [{_FILLS[rule.missing]}]."
