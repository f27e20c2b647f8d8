"""What preprocessing and loss have to know of the training part: moments of columns and target, counts of classes.

    statistics = Statistics.merged(processes.gather(measure(data, class_counts=True)))

One pass over the part, window by window, in float64; no pass at all where nothing of it is needed. Windows are joined
by the formula of Chan, Golub and LeVeque ("Updating formulae and a pairwise algorithm for computing sample variances",
1979), which does not cancel where a mean is large beside its deviation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from training.data.types import DataSet

REGRESSION = "tabular-regression"
EPSILON = torch.finfo(torch.float64).eps


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Of each of several columns, NaN left out: number of values, mean, sum of squared differences from the mean.

    All float64 (columns,).
    """

    count: Tensor
    mean: Tensor
    squares: Tensor

    @classmethod
    def of(cls, values: Tensor) -> "Moments":
        """Of `values` (n, columns)."""
        values = values.double()
        present = ~values.isnan()
        count = present.sum(0).double()
        mean = values.nansum(0) / count.clamp_min(1.0)
        return cls(count=count, mean=mean, squares=(values - mean).square().nansum(0))

    def joined(self, other: "Moments") -> "Moments":
        """Of the values of both."""
        count = self.count + other.count
        share = other.count / count.clamp_min(1.0)
        difference = other.mean - self.mean
        squares = self.squares + other.squares + difference.square() * self.count * share
        return Moments(count=count, mean=self.mean + difference * share, squares=squares)

    def scale(self) -> Tensor:
        """Standard deviation (of the population) to divide by, and 1 for a constant or empty column.

        Constant is what rounding alone explains, by scikit-learn's rule (preprocessing._data._is_constant_feature).
        """
        count = self.count.clamp_min(1.0)
        variance = self.squares / count
        rounding = count * EPSILON * variance + (count * self.mean * EPSILON).square()
        return torch.where(variance <= rounding, 1.0, variance.sqrt())


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Of the training part; None where the task has no use for it."""

    columns: Moments | None = None  # of a table
    target: Moments | None = None  # of a regression, (1,)
    class_counts: Tensor | None = None  # int64 (labels,)

    @classmethod
    def merged(cls, found: "Sequence[Statistics]") -> "Statistics":
        """Of the rows of all, in their order: what several hosts found of their own rows."""
        first, *others = found
        for other in others:
            first = cls(
                columns=first.columns and other.columns and first.columns.joined(other.columns),
                target=first.target and other.target and first.target.joined(other.target),
                class_counts=None if first.class_counts is None else first.class_counts + other.class_counts,
            )
        return first


def measure(data: "DataSet", *, class_counts: bool) -> Statistics:
    """One pass over `data.train`, on the CPU; `class_counts` only where classes are weighed."""
    has_columns, has_target = data.input.kind == "table", data.task == REGRESSION
    class_counts = class_counts and bool(data.labels)
    if not (has_columns or has_target or class_counts):
        return Statistics()
    found: Statistics | None = None
    for window in data.train.plan(None):
        inputs, targets = window.read()
        statistics = Statistics(
            columns=Moments.of(inputs) if has_columns else None,
            target=Moments.of(targets[:, None]) if has_target else None,
            class_counts=torch.bincount(targets, minlength=len(data.labels)) if class_counts else None,
        )
        found = statistics if found is None else Statistics.merged([found, statistics])
    return found or Statistics()
