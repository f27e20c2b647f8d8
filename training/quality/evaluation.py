"""`evaluate`: outputs of the test part against the truth, as a Quality: every metric with its 95% interval.

    quality = evaluate("image-classification", scores, targets, labels)
    quality.log_line()   # test_accuracy=0.9972 test_accuracy_low=0.9845 test_accuracy_high=0.9995 test_loss=...

Metrics by task, each logged and stored with `test_` before its name:

- classifications: accuracy, loss (log loss, nats), precision, recall, f1 (macro), auc (macro), calibration_error
- tabular-regression: rmse, mae, r2, median_error
- image-generation: reconstruction (mean squared error of pixels scaled to 0..1)

A metric that the test part does not define (AUC of one class, R2 of equal targets) is left out, never made up.
"""

from collections.abc import Callable

import numpy as np

from training.errors import DataError, DivergedError
from training.quality import classification, ranking, regression
from training.quality.calibration import calibration
from training.quality.classification import ClassTable
from training.quality.intervals import Array, mean
from training.quality.record import Quality

SUM_TOLERANCE = 0.02  # of a row of scores; bf16 rounds a score of one half by up to 0.002
LISTED = 5  # names in a note


def evaluate(task: str, outputs: Array, targets: Array, labels: tuple[str, ...]) -> Quality:
    """Measure the outputs of the served program on the test part, in the order of its examples.

    Classifications: outputs float32 (N, len(labels)) scores with rows that sum to 1, targets int64 (N,) class numbers.
    tabular-regression: outputs (N, 1) and targets (N,) in units of the target. image-generation: outputs (N,) are the
    mean squared reconstruction error of each example; the targets are not read.
    Raises DataError for an empty test part, DivergedError for outputs that are no finite numbers, ValueError for
    shapes, scores and class numbers that no program of this task can have given.
    """
    outputs, targets = np.asarray(outputs), np.asarray(targets)
    if not len(outputs):
        raise DataError("the test part holds no examples, so nothing can be measured; raise test_fraction or add data")
    measure, width = _MEASURES[task]
    expected = {"scores": (len(outputs), len(labels)), "values": (len(outputs), 1), "errors": (len(outputs),)}[width]
    if outputs.shape != expected or (width != "errors" and targets.shape != expected[:1]):
        raise ValueError(
            f"outputs have shape {outputs.shape} and targets {targets.shape}; {task} with {len(labels)} labels "
            f"needs {width} of shape {expected} and targets of shape {expected[:1]}"
        )
    _check_finite(outputs)
    return measure(task, outputs, targets, labels)


def _check_finite(outputs: Array) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        rows = outputs.reshape(len(outputs), -1).sum(1, dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(rows))
    if len(wrong):
        raise DivergedError(
            f"{len(wrong)} of {len(outputs)} outputs for the test part are not finite numbers, first at example "
            f"{wrong[0]}: the weights have diverged; lower learning_rate, set clip_norm=1, or use precision=fp32"
        )


def _classification(task: str, outputs: Array, targets: Array, labels: tuple[str, ...]) -> Quality:
    _check_scores(outputs, targets, labels)
    called = outputs.argmax(1)
    right = called == targets
    areas, auc, ranked = ranking.auc(outputs, targets)
    table = ClassTable(confusion=classification.confusion_matrix(called, targets, len(labels)), auc=areas)
    error, bins = calibration(outputs[np.arange(len(called)), called], right)
    measured = {
        "accuracy": classification.accuracy(table),
        "loss": classification.log_loss(outputs, targets),
        **classification.macro(table),
        **({"auc": auc} if auc else {}),
        "calibration_error": error,
    }
    return Quality(
        task=task,
        labels=labels,
        measured=measured,
        per_example=right,
        classes=table,
        calibration=bins,
        notes=tuple(_notes(table, labels, ranked)),
    )


def _check_scores(outputs: Array, targets: Array, labels: tuple[str, ...]) -> None:
    sums = outputs.sum(1, dtype=np.float64)
    row = int(np.abs(sums - 1).argmax())
    if abs(sums[row] - 1) > SUM_TOLERANCE or outputs.min() < -SUM_TOLERANCE:
        raise ValueError(
            f"the scores of example {row} sum to {sums[row]:g} and the lowest of all is {outputs.min():g}; "
            "expected rows of numbers from 0 to 1 that sum to 1; put a softmax at the end of the served program"
        )
    if targets.min() < 0 or targets.max() >= len(labels):
        raise ValueError(
            f"class numbers from {targets.min()} to {targets.max()}; expected 0 to {len(labels) - 1}, the places of "
            "the labels; prepare the data set again"
        )


def _notes(table: ClassTable, labels: tuple[str, ...], ranked: int) -> list[str]:
    notes = []
    absent = [labels[index] for index in np.flatnonzero(table.support == 0)]
    if absent:
        names = ", ".join(absent[:LISTED]) + (", ..." if len(absent) > LISTED else "")
        notes.append(f"{len(absent)} of {len(labels)} classes have no test example; nothing is known of: {names}.")
    if ranked < int(table.support.sum()):
        notes.append(f"AUC was measured on {ranked} test examples, chosen at random.")
    return notes


def _regression(task: str, outputs: Array, targets: Array, labels: tuple[str, ...]) -> Quality:
    predictions, truth = outputs[:, 0].astype(np.float64), targets.astype(np.float64)
    return Quality(
        task=task,
        labels=labels,
        measured=regression.measure(predictions, truth),
        per_example=np.square(predictions - truth),
        fit=regression.fit(predictions, truth),
    )


def _generation(task: str, outputs: Array, targets: Array, labels: tuple[str, ...]) -> Quality:
    errors = outputs.astype(np.float64)
    return Quality(task=task, labels=labels, measured={"reconstruction": mean(errors)}, per_example=errors)


# Task -> how it is measured, and what its outputs are.
_MEASURES: dict[str, tuple[Callable[[str, Array, Array, tuple[str, ...]], Quality], str]] = {
    "image-classification": (_classification, "scores"),
    "text-classification": (_classification, "scores"),
    "tabular-classification": (_classification, "scores"),
    "tabular-regression": (_regression, "values"),
    "image-generation": (_generation, "errors"),
}
