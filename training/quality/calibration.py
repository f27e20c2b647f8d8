"""Is a score of 0.9 right nine times in ten? Expected calibration error, and the bins of the reliability diagram.

Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2: the examples fall by the score of their called
class into 15 bins of equal width; the error is the mean over examples of |share right - mean score| of their bin.

Few examples overstate it: a perfectly calibrated model measures 0.01 to 0.06 on 360 of them. So the interval is a basic
bootstrap (2 x value - quantiles), which takes that excess off, and it starts at 0 where a perfectly calibrated model
would show as much by chance (Broecker and Smith 2007, Weather and Forecasting 22:651). A percentile bootstrap would
never hold the truth for such a model.
"""

from dataclasses import dataclass

import numpy as np

from training.quality.intervals import RESAMPLES, SEED, TAILS, Array, Metric, wilson

BINS = 15


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The bins from score 0 to 1, each array (BINS,); NaN where a bin is empty."""

    count: Array
    score: Array
    right: Array
    low: Array
    high: Array
    by_chance: float
    """What a perfectly calibrated model stays under on such a test part in 97.5 of 100 cases."""


def calibration(scores: Array, right: Array) -> tuple[Metric, Calibration]:
    """Expected calibration error of the called class's score (N,) in [0, 1] against right, bool (N,)."""
    scores = np.clip(scores.astype(np.float64), 0.0, 1.0)
    # The bins are (a, b]: a score of exactly 1/15 belongs to the first, as in the paper.
    place = np.clip(np.ceil(scores * BINS).astype(np.int64) - 1, 0, BINS - 1)
    count = np.bincount(place, minlength=BINS)
    excess = np.bincount(place, right - scores, BINS)
    error = float(np.abs(excess).sum()) / len(scores)
    random = np.random.default_rng(SEED)
    chance = _draws(random, np.zeros(BINS), np.bincount(place, scores * (1 - scores), BINS), len(scores))
    drawn = _draws(random, excess, np.bincount(place, (right - scores) ** 2, BINS), len(scores))
    by_chance = float(np.quantile(chance, TAILS[1]))
    filled = count > 0
    share = np.divide(np.bincount(place, right, BINS), count, out=np.full(BINS, np.nan), where=filled)
    low, high = wilson(np.where(filled, share, 0) * count, np.maximum(count, 1))
    bins = Calibration(
        count=count,
        score=np.divide(np.bincount(place, scores, BINS), count, out=np.full(BINS, np.nan), where=filled),
        right=share,
        low=np.where(filled, low, np.nan),
        high=np.where(filled, high, np.nan),
        by_chance=by_chance,
    )
    return _interval(error, drawn, by_chance, len(scores)), bins


def _draws(random: np.random.Generator, excess: Array, variance: Array, count: int) -> Array:
    """Errors (RESAMPLES,) of bins whose sums vary normally: a sum over independent examples, whatever their number."""
    sums = excess + np.sqrt(variance) * random.standard_normal((RESAMPLES, BINS))
    return np.abs(sums).sum(1) / count


def _interval(error: float, drawn: Array, by_chance: float, count: int) -> Metric:
    if count < 2:
        return Metric(value=error)
    below, above = (2 * error - float(quantile) for quantile in np.quantile(drawn, TAILS)[::-1])
    low = 0.0 if error <= by_chance else max(below, 0.0)
    return Metric(value=error, low=min(low, error), high=min(max(above, error), 1.0))
