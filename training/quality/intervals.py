"""95% intervals: what a metric measured on a finite test part says about examples that nobody has seen.

Which method for which metric, and why (coverage by simulation, see tests/unit/training/quality/test_intervals.py):

- a proportion (accuracy, recall or precision of one class): Wilson's score interval;
- a mean of proportions (macro precision, recall, F1) or an AUC: Wilson's interval at the effective number of examples.
  The bootstrap is no good here: on 360 examples of a model that is right on 99.5%, its interval holds the truth in
  83 of 100 draws, since a test part without a mistake gives an interval of no width; this one in 96;
- a mean of errors (log loss, MAE, RMSE by its square): Hall's interval for the mean of a skewed distribution, which
  holds the truth in 95 of 100 draws where the percentile bootstrap does in 90. The loss of a nearly perfect model
  hangs on a few examples that a small test part may lack (right on 99.7%, 250 examples: 75 of 100, and 55);
- another function of means (R2, a difference of two RMSEs): the percentile bootstrap;
- a median: order statistics.

Every draw comes from a generator with a fixed seed: the same outputs give the same intervals, bit by bit.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

LEVEL = 0.95
Z = 1.959963984540054  # the standard normal's 97.5% quantile
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
RESAMPLES = 1000
MAX_RESAMPLED = 2000  # examples; a thousand resamples of so many take 20 ms a column
SMALLEST_SPREAD = 1e-12  # of errors, over their mean; what is below is rounding
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A value with its 95% interval; both ends are None where one example or none says nothing about the spread."""

    value: float
    low: float | None = None
    high: float | None = None


def wilson(hits: Array | float, counts: Array | float) -> tuple[Array, Array]:
    """Ends of Wilson's interval of hits / counts, arrays or numbers, counts > 0 (need not be whole).

    Wilson 1927, JASA 22:209; recommended for any n by Brown, Cai and DasGupta 2001, Statistical Science 16:101.
    """
    counts = np.asarray(counts, dtype=np.float64)
    share = np.asarray(hits, dtype=np.float64) / counts
    center = share + Z * Z / (2 * counts)
    reach = Z * np.sqrt(share * (1 - share) / counts + Z * Z / (4 * counts * counts))
    scale = 1 + Z * Z / counts
    # Where all are hits (or none is) the end is exactly 1 (or 0), which rounding misses by an ulp.
    low = np.where(share == 0, 0.0, (center - reach) / scale)
    high = np.where(share == 1, 1.0, (center + reach) / scale)
    return np.clip(low, 0.0, share), np.clip(high, share, 1.0)


def proportion(hits: float, count: int) -> Metric:
    """hits of count, with Wilson's interval."""
    low, high = wilson(hits, count)
    return Metric(value=hits / count, low=float(low), high=float(high))


def effective_proportion(value: float, variance: float, count: int, *, most: float = math.inf) -> Metric:
    """A metric in [0, 1] that is no plain proportion, with the `variance` of its estimate from `count` examples.

    Wilson's interval for the number of independent yes-or-no examples whose proportion has that variance,
    value (1 - value) / variance, at most `most`; `count` where no variance was seen (all right or all wrong).
    The effective sample size of surveys: Korn and Graubard 1998, Survey Methodology 24:193; with Wilson's interval:
    Dean and Pagano 2015, Journal of Survey Statistics and Methodology 3:484.
    """
    spread = value * (1 - value)
    effective = min(spread / variance, most) if variance > 0 and spread > 0 else count
    low, high = wilson(value * effective, effective)
    return Metric(value=value, low=min(value, float(low)), high=max(value, float(high)))


def bootstrap(value: float, columns: Array, statistic: Callable[[Array], Array]) -> Metric:
    """Percentile bootstrap of a function of means over examples (Efron 1979, Annals of Statistics 7:1).

    `columns` float64 (N, k) holds what each example adds; `statistic` turns means (B, k) into (B,) values. Above
    MAX_RESAMPLED examples the means are drawn from the normal distribution they then follow, with the examples'
    covariance: the time no longer grows with N but for one pass over the data.
    """
    count, width = columns.shape
    if count < 2:
        return Metric(value=value)
    random = np.random.default_rng(SEED)
    if count <= MAX_RESAMPLED:
        rows = random.integers(0, count, (RESAMPLES, count), dtype=np.int32)
        means = np.stack([columns[:, index][rows].mean(1) for index in range(width)], axis=1)
    else:
        covariance = np.atleast_2d(np.cov(columns, rowvar=False)) / count
        means = random.multivariate_normal(columns.mean(0), covariance, RESAMPLES, method="eigh", check_valid="ignore")
    with np.errstate(divide="ignore", invalid="ignore"):
        values = statistic(means)
    values = values[np.isfinite(values)]  # R2 has none where a resample holds one target only
    if not len(values):
        return Metric(value=value)
    low, high = np.quantile(values, TAILS)
    return Metric(value=value, low=min(value, float(low)), high=max(value, float(high)))


def mean(errors: Array) -> Metric:
    """The mean of errors float64 (N,), each >= 0, with Hall's interval.

    A few large errors make a mean vary more upwards than downwards. The cubic transformation of Hall 1992, Journal of
    the Royal Statistical Society B 54:221, takes that skewness off, and the normal quantiles are transformed back.
    """
    value, count = float(errors.mean()), len(errors)
    if count < 2:
        return Metric(value=value)
    deviation = float(errors.std(ddof=1))
    if deviation <= SMALLEST_SPREAD * value:
        return Metric(value=value, low=value, high=value)
    error = deviation / math.sqrt(count)
    skewness = float((((errors - value) / deviation) ** 3).mean()) / math.sqrt(count)
    low, high = (value - error * _unskewed(quantile, skewness) for quantile in (Z, -Z))
    return Metric(value=value, low=min(max(low, 0.0), value), high=max(high, value))


def root(square: Metric) -> Metric:
    """The square root of a metric >= 0 and of its interval."""
    ends = [None if end is None else math.sqrt(end) for end in (square.low, square.high)]
    return Metric(value=math.sqrt(square.value), low=ends[0], high=ends[1])


def median(values: Array) -> Metric:
    """The median of float64 (N,) between two order statistics.

    Their ranks are the 2.5% and 97.5% points of the binomial(N, 1/2), here by its normal approximation, widened to
    whole ranks (Conover, Practical Nonparametric Statistics, 3rd edition, section 3.2); no distribution is assumed.
    """
    count = len(values)
    ordered = np.sort(values)
    value = float(np.median(ordered))
    if count < 2:
        return Metric(value=value)
    reach = Z * math.sqrt(count) / 2
    low = max(math.floor(count / 2 - reach), 1)
    high = min(math.ceil(count / 2 + reach) + 1, count)
    return Metric(value=value, low=float(ordered[low - 1]), high=float(ordered[high - 1]))


def _unskewed(quantile: float, skewness: float) -> float:
    """Where t lies when its transform g(t) = t + a t^2 / 3 + a^2 t^3 / 27 + a / 6 is at the normal quantile."""
    if abs(skewness) < 1e-6:
        return quantile
    inner = 1 + skewness * (quantile - skewness / 6)
    return 3 / skewness * (math.copysign(abs(inner) ** (1 / 3), inner) - 1)
