"""Between which numbers of instances a variant moves: scaling's bounds, its schedules, and office hours."""

from dataclasses import dataclass
from decimal import Decimal

from slipway.cost.amounts import Span
from slipway.cost.guarding import office_share
from slipway.cost.planned import Planned
from slipway.cost.schedules import Cron, average

TARGET = "aws:appautoscaling/target:Target"
ACTION = "aws:appautoscaling/scheduledAction:ScheduledAction"


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The least and the most instances, and the share of the time in which there are any at all."""

    least: Span
    most: Span
    on: Span
    words: str
    lower: str


def bounds_of(variant: str, plan: Planned, first: Decimal) -> Bounds:
    """Those of a variant by its name; `first` instances where nothing scales it."""
    ending = f"/variant/{variant}"
    target = next((one for one in plan.of(TARGET) if str(one.get("resourceId", default="")).endswith(ending)), None)
    share, office = office_share(plan)
    on = Span(low=share, expected=share, worst=Decimal(1))
    if target is None:
        fixed = Span.of(first)
        text = "; ".join(part for part in (f"always {first}", office) if part)
        return Bounds(least=fixed, most=fixed, on=on, words=text, lower="slipway:serving.instances.min")
    least, most = Decimal(target.get("minCapacity", default=first)), Decimal(target.get("maxCapacity", default=first))
    text = f"scaling from {least} to {most}"
    lowest, highest = Span.of(least), Span.of(most)
    if actions := [one for one in plan.of(ACTION) if str(one.get("resourceId", default="")).endswith(ending)]:
        crons = [Cron.of(one.get("schedule", default=""), one.get("timezone", default="UTC")) for one in actions]
        values = [_pair(one.get("scalableTargetAction", default={}), least, most) for one in actions]
        mean_least = average(list(zip(crons, [low for low, _ in values], strict=True)), least)
        mean_most = average(list(zip(crons, [high for _, high in values], strict=True)), most)
        certain = all(cron is not None for cron in crons)  # at(...) and rate(...) are not averaged
        lows, highs = [least, *(low for low, _ in values)], [most, *(high for _, high in values)]
        lowest = Span(low=mean_least if certain else min(lows), expected=mean_least, worst=mean_least)
        highest = Span(low=mean_most, expected=mean_most, worst=mean_most if certain else max(highs))
        text += f", by {len(actions)} schedule(s) {mean_least:.2f} to {mean_most:.2f} on average of a week"
    return Bounds(
        least=lowest,
        most=highest,
        on=on,
        words="; ".join(part for part in (text, office) if part),
        lower="slipway:serving.instances.min (expected), .max (worst)",
    )


def _pair(action: dict[str, int], least: Decimal, most: Decimal) -> tuple[Decimal, Decimal]:
    return Decimal(action.get("minCapacity", least)), Decimal(action.get("maxCapacity", most))
