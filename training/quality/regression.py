"""How far predicted numbers are from the true ones."""

from dataclasses import dataclass

import numpy as np

from training.quality.intervals import SEED, Array, Metric, bootstrap, mean, median, root

MAX_SHOWN = 1000  # points of the report's scatter plots


@dataclass(frozen=True, kw_only=True)
class Fit:
    """True and predicted values, float64 (n,), of at most MAX_SHOWN examples: all, or a fixed random choice."""

    targets: Array
    predictions: Array


def fit(predictions: Array, targets: Array) -> Fit:
    """What the report plots of float64 (N,) each."""
    if len(targets) <= MAX_SHOWN:
        return Fit(targets=targets, predictions=predictions)
    chosen = np.random.default_rng(SEED).choice(len(targets), MAX_SHOWN, replace=False)
    return Fit(targets=targets[chosen], predictions=predictions[chosen])


def measure(predictions: Array, targets: Array) -> dict[str, Metric]:
    """`rmse`, `mae`, `r2` and `median_error` of float64 (N,) each; all but R2 in units of the target.

    R2 is 1 - mean squared error / variance of the targets; it is left out where the targets are all equal.
    """
    errors = predictions - targets
    distance = np.abs(errors)
    squares = np.square(errors)
    metrics = {"rmse": root(mean(squares)), "mae": mean(distance)}
    centered = targets - targets.mean()
    variance = float(np.square(centered).mean())
    if variance > 0:
        columns = np.stack([squares, np.square(centered), centered], axis=1)
        metrics["r2"] = bootstrap(1 - float(squares.mean()) / variance, columns, _explained)
    return metrics | {"median_error": median(distance)}


def _explained(means: Array) -> Array:
    variance = means[:, 1] - np.square(means[:, 2])
    return 1 - means[:, 0] / np.where(variance > 0, variance, np.nan)
