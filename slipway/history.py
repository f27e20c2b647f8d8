"""The course of a run: loss, learning rate and validation by step, from metrics.json or, until that comes, its log.

`train` logs a line an interval, `epoch=3/20 step=69/460 loss=0.5123 learning_rate=0.0100 examples_per_second=3456`, and
one a validation, `epoch=3/20 validation_loss=0.0712 validation_accuracy=0.9812`.
"""

import json
import re
from collections.abc import Iterable, Mapping

from slipway.errors import SlipwayError
from slipway.logs import Tail, run_source
from slipway.project import Stack
from slipway.run_output import METRICS_FILE, files
from slipway.runs import Run

WORD = re.compile(r"(\w+)=([-+0-9.eE]+)(?:/([0-9]+))?(?:\s|$)")
VALIDATION = "validation_"
TRAINED = ("step", "epoch", "loss", "learning_rate")

Point = dict[str, float]
"""step, epoch, and what was measured there: loss and learning_rate, or validation_*."""


def read_history(stack: Stack, run: Run) -> list[Point]:
    """The run's points in order of their steps. Raises SlipwayError that says why there are none."""
    written = {} if run.going else files(stack, run)
    if METRICS_FILE in written:
        found = [_numbers(point) for point in json.loads(written[METRICS_FILE]).get("history", [])]
    else:
        source = run_source(stack, run.name)
        found = from_lines(line.message for line in Tail(stack, source).new_lines())
    if found:
        return found
    if run.going:
        raise SlipwayError(f"run {run.name} has not logged a step yet; see slipway logs --run {run.name} --follow")
    reason = run.reason or "no line `epoch=... step=... loss=...` is in its log; a script of your own has to print them"
    raise SlipwayError(
        f"run {run.name} ({run.status}) has nothing to plot: {reason}; see slipway logs --run {run.name}"
    )


def from_lines(lines: Iterable[str]) -> list[Point]:
    """The points that a log tells. What an interrupted run did twice counts as it was done last."""
    points: list[Point] = []
    for line in lines:
        words = {name: _number(value) for name, value, _ in WORD.findall(line)}
        point = {name: value for name, value in words.items() if value is not None}
        if "epoch" not in point:
            continue
        if {"step", "loss"} <= point.keys():
            points = [one for one in points if one["step"] < point["step"]]
            points.append({name: point[name] for name in TRAINED if name in point})
        elif any(name.startswith(VALIDATION) for name in point):
            step = points[-1]["step"] if points else 0.0
            values = {name: value for name, value in point.items() if name.startswith(VALIDATION)}
            points.append({"step": step, "epoch": point["epoch"], **values})
    return points


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _numbers(point: Mapping[str, float | None]) -> Point:
    return {name: value for name, value in point.items() if value is not None}


def series(points: Iterable[Point], name: str) -> list[tuple[float, float]]:
    """(step, value) of one measurement."""
    return [(point["step"], point[name]) for point in points if name in point]


def names(points: Iterable[Point]) -> list[str]:
    """What was measured at all, in order of its first appearance."""
    return list(dict.fromkeys(name for point in points for name in point if name not in ("step", "epoch")))
