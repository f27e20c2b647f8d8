"""The hardest test examples: the worst mistakes first, so that a person can see what the model does not see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from training.quality.intervals import Array
from training.quality.limits import CLASSIFICATIONS

LIMIT = 24

Shown = Array | str | Mapping[str, str]
"""One instance for people: an image uint8 (H, W) or (H, W, 3), a text, or a table row as column -> value."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test example, as the report shows it."""

    row: int
    """Its place in the test part."""

    shown: Shown
    wrong: bool
    """Classification: not called right. Always false for the other tasks."""

    truth: str = ""
    prediction: str = ""
    number: float
    """Classification: score of the called class. Regression: predicted - true. Generation: mean squared error."""


def hardest_cases(
    task: str,
    outputs: Array,
    targets: Array,
    labels: tuple[str, ...],
    show: Callable[[int], Shown],
    limit: int = LIMIT,
) -> tuple[Case, ...]:
    """At most `limit` cases; arguments are those of `evaluate`, and `show` gives a row's instance for people.

    Classification: the mistakes by the score of the true class, lowest first, then the least certain right answers.
    Regression and generation: the largest errors first.
    """
    make = _called if task in CLASSIFICATIONS else _valued if task == "tabular-regression" else _reconstructed
    return make(outputs, targets, labels, show, limit)


def _called(
    outputs: Array, targets: Array, labels: tuple[str, ...], show: Callable[[int], Shown], limit: int
) -> tuple[Case, ...]:
    called = outputs.argmax(1)
    rows = np.arange(len(outputs))
    right = called == targets
    return tuple(
        Case(
            row=int(row),
            shown=show(int(row)),
            wrong=not right[row],
            truth=labels[targets[row]],
            prediction=labels[called[row]],
            number=float(outputs[row, called[row]]),
        )
        for row in _lowest(outputs[rows, targets] + 2.0 * right, limit)  # a right one is above every mistake
    )


def _valued(
    outputs: Array, targets: Array, labels: tuple[str, ...], show: Callable[[int], Shown], limit: int
) -> tuple[Case, ...]:
    errors = outputs[:, 0].astype(np.float64) - targets
    return tuple(
        Case(
            row=int(row),
            shown=show(int(row)),
            wrong=False,
            truth=f"{float(targets[row]):.6g}",
            prediction=f"{float(outputs[row, 0]):.6g}",
            number=float(errors[row]),
        )
        for row in _lowest(-np.abs(errors), limit)
    )


def _reconstructed(
    outputs: Array, targets: Array, labels: tuple[str, ...], show: Callable[[int], Shown], limit: int
) -> tuple[Case, ...]:
    return tuple(
        Case(row=int(row), shown=show(int(row)), wrong=False, number=float(outputs[row]))
        for row in _lowest(-outputs, limit)
    )


def _lowest(keys: Array, limit: int) -> Array:
    """Row numbers of the `limit` lowest keys in order; equal keys in the order of the rows."""
    if len(keys) > limit:
        edge = np.partition(keys, limit - 1)[limit - 1]
        rows = np.flatnonzero(keys <= edge)
    else:
        rows = np.arange(len(keys))
    return rows[np.argsort(keys[rows], kind="stable")][:limit]
