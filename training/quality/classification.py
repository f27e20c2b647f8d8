"""Calls right and wrong: the confusion matrix and what follows from it, and the log loss.

A class is called where its score is highest, the first of equals. Macro means are plain means over the classes that
occur in the test part or among the calls, and a ratio over nothing is 0: what scikit-learn's
precision_recall_fscore_support(average="macro", zero_division=0) gives.
"""

from dataclasses import dataclass

import numpy as np

from training.quality.intervals import Array, Metric, effective_proportion, mean, proportion, wilson

SMALLEST_SCORE = 1e-12  # keeps the loss finite where float32 rounded a score to zero


@dataclass(frozen=True, kw_only=True)
class ClassTable:
    """What was measured of each of C classes."""

    confusion: Array
    """int64 (C, C): `confusion[i, j]` counts examples of class i that were called j."""

    auc: Array
    """float64 (C,): area under the ROC curve of each class against the rest; NaN where one side has no examples."""

    @property
    def hits(self) -> Array:
        """int64 (C,): examples of each class that were called right."""
        return np.diagonal(self.confusion)

    @property
    def support(self) -> Array:
        """int64 (C,): examples of each class."""
        return self.confusion.sum(1)

    @property
    def called(self) -> Array:
        """int64 (C,): examples that were called each class."""
        return self.confusion.sum(0)

    @property
    def precision(self) -> Array:
        """float64 (C,): share of the calls that were right."""
        return ratio(self.hits, self.called)

    @property
    def recall(self) -> Array:
        """float64 (C,): share of the examples that were found."""
        return ratio(self.hits, self.support)

    @property
    def f1(self) -> Array:
        """float64 (C,): harmonic mean of precision and recall."""
        return ratio(2 * self.hits, self.support + self.called)

    def recall_interval(self) -> tuple[Array, Array]:
        """Both ends, float64 (C,); NaN for a class without examples."""
        return _class_interval(self.hits, self.support)

    def precision_interval(self) -> tuple[Array, Array]:
        """Both ends, float64 (C,); NaN for a class that was never called."""
        return _class_interval(self.hits, self.called)


def ratio(part: Array, whole: Array) -> Array:
    """part / whole in float64, 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)


def confusion_matrix(called: Array, targets: Array, classes: int) -> Array:
    """int64 (classes, classes) from class numbers int64 (N,)."""
    cells = np.bincount(targets * classes + called, minlength=classes * classes)
    return cells.reshape(classes, classes)


def most_confused(confusion: Array, limit: int) -> list[tuple[int, int, int]]:
    """(true class, called class, count) of the commonest mistakes in int64 (C, C), commonest first."""
    wrong = confusion - np.diag(np.diagonal(confusion))
    flat = wrong.ravel()
    cells = np.flatnonzero(flat)
    cells = cells[np.argsort(-flat[cells], kind="stable")][:limit]
    return [(int(cell // len(wrong)), int(cell % len(wrong)), int(flat[cell])) for cell in cells]


def accuracy(table: ClassTable) -> Metric:
    """Share of the examples that were called right."""
    return proportion(int(table.hits.sum()), int(table.confusion.sum()))


def macro(table: ClassTable) -> dict[str, Metric]:
    """Macro `precision`, `recall` and `f1`.

    The variance is the delta method's: a cell of the confusion matrix moves the metric by its partial derivative
    (for F1: Takahashi et al. 2022, Applied Intelligence 52:4961). Few examples of a class understate it, so no
    interval is narrower than that of a proportion of as many examples.
    """
    count = int(table.confusion.sum())
    support, called, hits = table.support / count, table.called / count, table.hits / count
    ones = np.ones(len(hits))
    slopes = {
        "precision": np.diag(ratio(ones, called)) - ratio(table.precision, called)[None, :],
        "recall": np.diag(ratio(ones, support)) - ratio(table.recall, support)[:, None],
        "f1": _f1_slopes(hits, support, called),
    }
    values = {"precision": table.precision, "recall": table.recall, "f1": table.f1}
    classes = int((support + called > 0).sum())
    metrics = {}
    for name, slope in slopes.items():
        # The mean of the slopes over the examples is zero for all three, so this is their variance.
        variance = float((table.confusion * slope * slope).sum()) / (count * classes) ** 2
        value = min(float(values[name].sum()) / classes, 1.0)
        metrics[name] = effective_proportion(value, variance, count, most=count)
    return metrics


def log_loss(outputs: Array, targets: Array) -> Metric:
    """Mean negative log score of the true class, in nats; outputs float32 (N, C), targets int64 (N,)."""
    scores = outputs[np.arange(len(targets)), targets].astype(np.float64)
    return mean(-np.log(np.maximum(scores, SMALLEST_SCORE)))


def _f1_slopes(hits: Array, support: Array, called: Array) -> Array:
    both = support + called
    level = ratio(2 * hits, both * both)
    return np.diag(ratio(2 * np.ones_like(both), both)) - level[:, None] - level[None, :]


def _class_interval(hits: Array, counts: Array) -> tuple[Array, Array]:
    low, high = wilson(np.where(counts > 0, hits, 0), np.maximum(counts, 1))
    return np.where(counts > 0, low, np.nan), np.where(counts > 0, high, np.nan)
