"""Is the new model worse than the one now served? Both answer the same test examples, so the pairs decide.

    test = paired_test(quality_of_the_new_model, quality_of_the_served_model)
    test.verdict(0.05)   # "worse" | "not worse"

Two accuracies with overlapping intervals can still differ beyond chance, since most examples are the same for both
models; a paired test looks only at those where they differ. It is one-sided: p_value is the chance of seeing the new
model do this badly or worse, if it were exactly as good. Everything is deterministic.
"""

import math
from dataclasses import dataclass

import numpy as np

from training.quality.intervals import SEED, Array, Metric, Z, bootstrap
from training.quality.record import Quality

FLIPS = 9999
MAX_FLIPPED = 1000  # differing examples; the sum over more is normal for all purposes


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """The new model (ours) against the served one (theirs) on the same n examples."""

    metric: str
    """Name without `test_`: accuracy, rmse or reconstruction."""

    n: int
    ours: float
    theirs: float
    ours_better: int
    """Examples that ours alone calls right, or on which its error is smaller."""

    theirs_better: int
    difference: Metric
    """How much better ours is, in units of the metric; below zero: worse."""

    p_value: float
    method: str

    def verdict(self, significance: float) -> str:
        """Gives "worse" where chance alone would do this with a probability below `significance`, else "not worse"."""
        return "worse" if self.p_value < significance else "not worse"

    def log_line(self, significance: float) -> str:
        """One line of key=value for the log."""
        return (
            f"baseline={self.verdict(significance).replace(' ', '_')} examples={self.n} {self.metric}={self.ours:.6g} "
            f"served_{self.metric}={self.theirs:.6g} better={self.ours_better} worse={self.theirs_better} "
            f"p_value={self.p_value:.4g}"
        )


def paired_test(ours: Quality, theirs: Quality) -> PairedTest:
    """Compare two models that were evaluated on the same test part, in the same order.

    Raises ValueError where the two cannot be of the same test part.
    """
    if (ours.task, ours.examples) != (theirs.task, theirs.examples):
        raise ValueError(
            f"{ours.task} on {ours.examples} examples cannot be compared with {theirs.task} on {theirs.examples}; "
            "evaluate both models on the same test part"
        )
    if ours.per_example.dtype == np.bool_:
        return _mcnemar(ours.per_example, theirs.per_example)
    root = ours.task == "tabular-regression"
    return _sign_flips("rmse" if root else "reconstruction", ours.per_example, theirs.per_example, root=root)


def mcnemar_p(ours_better: int, theirs_better: int) -> float:
    """Chance of `theirs_better` or more of the discordant pairs, if each fell either way with probability 1/2.

    sum over k >= theirs_better of C(n, k) / 2^n, n = ours_better + theirs_better: McNemar 1947, Psychometrika 12:153,
    in its exact form (Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91). In logarithms:
    C(n, k) overflows a float64 from n = 1030 on.
    """
    n = ours_better + theirs_better
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])  # of the factorials
    k = np.arange(theirs_better, n + 1)
    terms = logs[n] - logs[k] - logs[n - k] - n * math.log(2)
    return min(float(np.exp(terms).sum()), 1.0)


def _mcnemar(ours: Array, theirs: Array) -> PairedTest:
    n = len(ours)
    gained, lost = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    return PairedTest(
        metric="accuracy",
        n=n,
        ours=float(ours.mean()),
        theirs=float(theirs.mean()),
        ours_better=gained,
        theirs_better=lost,
        difference=_difference_of_proportions(gained, lost, n),
        p_value=mcnemar_p(gained, lost),
        method="exact McNemar test",
    )


def _difference_of_proportions(gained: int, lost: int, n: int) -> Metric:
    """Bonett and Price 2012, Journal of Educational and Behavioral Statistics 37:479: Wald's with 2 pairs added."""
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    center, reach = up - down, Z * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    value = (gained - lost) / n
    return Metric(
        value=value,
        low=max(min(center - reach, value), -1.0),
        high=min(max(center + reach, value), 1.0),
    )


def _sign_flips(metric: str, ours: Array, theirs: Array, *, root: bool) -> PairedTest:
    def level(means: Array) -> Array:
        return np.sqrt(np.maximum(means, 0)) if root else means

    gains = theirs - ours
    at = level(np.array([ours.mean(), theirs.mean()]))
    return PairedTest(
        metric=metric,
        n=len(gains),
        ours=float(at[0]),
        theirs=float(at[1]),
        ours_better=int((gains > 0).sum()),
        theirs_better=int((gains < 0).sum()),
        difference=bootstrap(
            float(at[1] - at[0]),
            np.stack([ours, theirs], axis=1),
            lambda means: level(means[:, 1]) - level(means[:, 0]),
        ),
        p_value=sign_flip_p(gains),
        method="paired permutation test",
    )


def sign_flip_p(gains: Array) -> float:
    """Chance of a sum of gains float64 (N,) this low or lower, if each were as likely to have the other sign.

    Fisher 1935, The Design of Experiments, section 21; from random flips, counting the observed one too (Phipson and
    Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9:39). Above MAX_FLIPPED differing examples
    from the normal distribution with the same variance, the sum of the squared gains.
    """
    gains = gains[gains != 0]
    if not len(gains):
        return 1.0
    gains = gains / np.abs(gains).max()  # the scale does not matter, and float32 below holds no 1e60
    total, length = float(gains.sum()), float(np.sqrt(np.square(gains).sum()))
    if len(gains) > MAX_FLIPPED:
        return math.erfc(-total / length / math.sqrt(2)) / 2
    random = np.random.default_rng(SEED)
    signs = random.integers(0, 2, (FLIPS, len(gains)), dtype=np.int8)
    sums = 2 * (signs.astype(np.float32) @ gains.astype(np.float32)).astype(np.float64) - total
    return (1 + int((sums <= total + 1e-5 * length).sum())) / (FLIPS + 1)
