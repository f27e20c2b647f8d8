"""The paired test against tables computed by hand and against every possible flip."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from training.quality import Quality, evaluate, paired_test
from training.quality.paired import MAX_FLIPPED, mcnemar_p, sign_flip_p


def calls(right: list[bool]) -> Quality:
    """A model that calls exactly these examples right."""
    scores = np.where(np.array(right)[:, None], [0.9, 0.1], [0.1, 0.9]).astype(np.float32)
    return evaluate("image-classification", scores, np.zeros(len(right), np.int64), ("a", "b"))


def values(errors: np.ndarray) -> Quality:
    return evaluate("tabular-regression", errors[:, None], np.zeros(len(errors)), ())


def test_mcnemar_on_a_table_by_hand() -> None:
    """20 discordant pairs, 15 of them lost: the sum over k = 15..20 of C(20, k) is 21700, of 2^20 = 1048576."""
    ours = calls([True] * 5 + [False] * 15 + [True] * 70 + [False] * 10)
    theirs = calls([False] * 5 + [True] * 15 + [True] * 70 + [False] * 10)
    test = paired_test(ours, theirs)
    assert (test.n, test.ours_better, test.theirs_better) == (100, 5, 15)
    assert (test.ours, test.theirs) == (0.75, 0.85)
    assert test.p_value == pytest.approx(21700 / 1048576, rel=1e-12)
    assert test.verdict(0.05) == "worse" and test.verdict(0.02) == "not worse"
    assert test.difference.value == pytest.approx(-0.1)
    # Bonett and Price: (6 - 16) / 102 -+ 1.96 sqrt((22 / 102 - (10 / 102)^2) / 102)
    assert (test.difference.low, test.difference.high) == (
        pytest.approx(-0.18614, abs=1e-5),
        pytest.approx(-0.00994, abs=1e-5),
    )


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (0, 1), (1, 0), (3, 3), (10, 40), (700, 760)])
def test_mcnemar_is_exact(gained: int, lost: int) -> None:
    n = gained + lost
    exact = Fraction(sum(math.comb(n, k) for k in range(lost, n + 1)), 2**n)
    assert mcnemar_p(gained, lost) == pytest.approx(float(exact), rel=1e-9)


def test_very_many_discordant_pairs_take_no_time_and_do_not_overflow() -> None:
    normal = math.erfc((501_000 - 0.5 - 500_000) / math.sqrt(1_000_000 / 4) / math.sqrt(2)) / 2
    assert mcnemar_p(499_000, 501_000) == pytest.approx(normal, rel=1e-3)


def test_the_same_model_is_not_worse_than_itself() -> None:
    for quality in (calls([True, False, True]), values(np.array([1.0, -2.0, 0.5]))):
        test = paired_test(quality, quality)
        assert test.p_value == 1.0 and test.difference.value == 0 and test.verdict(0.5) == "not worse"


def test_sign_flips_agree_with_every_possible_flip() -> None:
    gains = np.array([0.3, -1.2, 0.7, -2.0, -0.4, -0.9, 0.1, -1.5, 0.2, -0.6])
    sums = [float(np.dot(signs, gains)) for signs in itertools.product((1, -1), repeat=len(gains))]
    exact = np.mean(np.array(sums) <= gains.sum() + 1e-9)
    assert sign_flip_p(gains) == pytest.approx(exact, abs=0.006)  # three standard errors of 9999 flips
    assert sign_flip_p(-gains) == pytest.approx(np.mean(np.array(sums) <= -gains.sum() + 1e-9), abs=0.01)


def test_many_examples_give_the_same_answer_by_the_normal_distribution() -> None:
    gains = np.random.default_rng(0).normal(-0.04, 1, MAX_FLIPPED + 1)
    assert sign_flip_p(gains) == pytest.approx(sign_flip_p(gains[:-1]), abs=0.02)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e60])
def test_the_unit_of_the_errors_does_not_matter(scale: float) -> None:
    gains = np.random.default_rng(0).normal(-0.2, 1, 60)
    assert sign_flip_p(gains * scale) == sign_flip_p(gains)


def test_equal_models_are_refused_as_often_as_the_significance_says() -> None:
    random = np.random.default_rng(3)
    flips = [sign_flip_p(random.normal(size=40)) < 0.1 for _ in range(150)]
    assert 0.04 < np.mean(flips) < 0.17
    pairs = [paired_test(*(calls(list(random.random(300) < 0.9)) for _ in range(2))) for _ in range(150)]
    assert np.mean([pair.verdict(0.1) == "worse" for pair in pairs]) < 0.13  # exact tests err on the careful side


def test_a_worse_regression_is_found() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(size=200)
    test = paired_test(values(1.3 * noise + 0.1 * random.normal(size=200)), values(noise))
    assert test.metric == "rmse" and test.verdict(0.05) == "worse"
    assert test.difference.high is not None and test.difference.high < 0
    assert test.ours == pytest.approx(test.theirs - test.difference.value)
    assert "baseline=worse" in test.log_line(0.05)


def test_different_test_parts_are_not_compared() -> None:
    with pytest.raises(ValueError, match="3 examples cannot be compared with image-classification on 2"):
        paired_test(calls([True] * 3), calls([True] * 2))
