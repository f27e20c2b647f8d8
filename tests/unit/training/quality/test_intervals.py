"""Intervals: against published values, and whether 95% of them hold the truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from tests.unit.training.quality.scores import classifier, labels
from training.quality import Metric, evaluate
from training.quality.intervals import MAX_RESAMPLED, bootstrap, effective_proportion, mean, median, proportion, wilson


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_as_published(hits: int, count: int, low: float, high: float) -> None:
    found = proportion(hits, count)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize("count", [1, 2, 7, 360, 1_000_000])
def test_wilson_ends_are_exact_where_all_or_none_are_hits(count: int) -> None:
    all_hits, none = proportion(count, count), proportion(0, count)
    assert all_hits.high == 1.0 and none.low == 0.0
    assert all_hits.low is not None and none.high is not None and all_hits.low < 1 and none.high > 0


def test_wilson_covers_what_it_says() -> None:
    """The exact chance, summed over all outcomes of a binomial: between 0.93 and 0.98 where n p is not tiny."""
    count = 200
    hits = np.arange(count + 1)
    low, high = wilson(hits, np.full(count + 1, count))
    logs = np.array([math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) for k in hits])
    for truth in (0.05, 0.2, 0.5, 0.9, 0.97):
        chance = np.exp(logs + hits * math.log(truth) + (count - hits) * math.log(1 - truth))
        assert 0.925 < chance[(low <= truth) & (truth <= high)].sum() < 0.985


def test_an_effective_proportion_of_a_plain_one_is_wilsons() -> None:
    value, count = 0.9, 50
    found = effective_proportion(value, value * (1 - value) / count, count)
    low, high = wilson(45, 50)
    assert (found.low, found.high) == (pytest.approx(float(low)), pytest.approx(float(high)))


def covered(found: Metric, truth: float) -> bool:
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


@pytest.mark.parametrize("separation", [2.0, 3.5, 4.5])
def test_intervals_of_a_classifier_hold_the_truth(separation: float) -> None:
    """Right on 79%, 98% and 99.7%: of the last, a bootstrap of the macro metrics would hold the truth in 50 of 100."""
    names = ("precision", "recall", "f1", "auc", "loss")
    truth = evaluate("image-classification", *classifier(60_000, 5, separation, 1), labels(5)).measured
    draws = (classifier(250, 5, separation, 1000 + seed) for seed in range(120))
    found = [evaluate("image-classification", *draw, labels(5)).measured for draw in draws]
    shares = {name: np.mean([covered(metrics[name], truth[name].value) for metrics in found]) for name in names}
    least = {"precision": 0.9, "recall": 0.9, "f1": 0.9, "auc": 0.87, "loss": 0.9 if separation < 4 else 0.68}
    assert {name: share for name, share in shares.items() if share < least[name]} == {}


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_interval_of_the_calibration_error_holds_the_truth(temperature: float) -> None:
    """Temperature 1 is the hard case: the truth is (nearly) 0 and every test part measures more."""
    many = classifier(200_000, 5, 2.0, 1, temperature=temperature)
    truth = evaluate("image-classification", *many, labels(5)).measured["calibration_error"].value
    draws = (classifier(360, 5, 2.0, 1000 + seed, temperature=temperature) for seed in range(120))
    found = [evaluate("image-classification", *draw, labels(5)).measured["calibration_error"] for draw in draws]
    assert np.mean([covered(metric, truth) for metric in found]) >= 0.9
    if temperature == 1.0:
        assert truth < 0.005 < np.mean([metric.value for metric in found])


@pytest.mark.parametrize(("estimate", "truth"), [(mean, math.exp(0.5)), (median, 1.0)], ids=["mean", "median"])
@pytest.mark.parametrize("count", [100, 2000])
def test_intervals_of_skewed_errors_hold_the_truth(
    estimate: Callable[[np.ndarray], Metric], truth: float, count: int
) -> None:
    random = np.random.default_rng(5)
    found = [estimate(random.lognormal(size=count)) for _ in range(150)]
    assert 0.88 <= np.mean([covered(metric, truth) for metric in found]) <= 0.995


def test_drawn_means_and_resampled_ones_agree() -> None:
    """One more example changes the method, and nearly nothing else."""
    values = np.random.default_rng(0).lognormal(size=MAX_RESAMPLED + 1)
    columns = np.stack([values, values**2], axis=1)

    def ratio(means: np.ndarray) -> np.ndarray:
        return means[:, 1] / means[:, 0]

    value = float(ratio(columns.mean(0)[None])[0])
    drawn, resampled = bootstrap(value, columns, ratio), bootstrap(value, columns[:-1], ratio)
    assert drawn.low == pytest.approx(resampled.low, rel=0.05)
    assert drawn.high == pytest.approx(resampled.high, rel=0.05)


def test_one_example_says_nothing_about_the_spread() -> None:
    assert mean(np.array([3.0])) == Metric(value=3.0)
    assert median(np.array([3.0])) == Metric(value=3.0)


def test_the_same_values_give_the_same_interval() -> None:
    values = np.random.default_rng(0).normal(size=50)
    assert mean(values) == mean(values.copy())
