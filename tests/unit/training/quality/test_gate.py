"""The gate: what passes, what is refused, and what the user then reads."""

import numpy as np
import pytest

from inference.artifact import GateCheck
from training.errors import ConfigError, DataError
from training.options import GateOptions
from training.quality import Quality, check_limits, evaluate, gate, judge, paired_test

TASK = "text-classification"


def quality(right: int, count: int = 100) -> Quality:
    scores = np.where(np.arange(count)[:, None] < right, [0.9, 0.1], [0.2, 0.8]).astype(np.float32)
    targets = np.arange(count) % 2
    return evaluate(TASK, np.where(targets[:, None] == 0, scores, scores[:, ::-1]), targets, ("a", "b"))


def test_exactly_equal_passes_and_just_below_does_not() -> None:
    verdict = judge(quality(98), GateOptions(min_accuracy=0.98), None)
    assert verdict.passed
    assert verdict.checks == (GateCheck(metric="test_accuracy", rule=">=", value=0.98, limit=0.98, passed=True),)
    assert gate.log_line(verdict) == "gate=passed min_accuracy=0.98 test_accuracy=0.9800"
    assert not judge(quality(97), GateOptions(min_accuracy=0.98), None).passed


def test_without_limits_every_model_passes() -> None:
    verdict = judge(quality(1), GateOptions(), None)
    assert verdict.passed and verdict.checks == ()
    assert gate.log_line(verdict) == "gate=passed checks=none"


def test_a_refusal_names_every_failed_check_and_its_hyperparameter() -> None:
    verdict = judge(quality(50), GateOptions(min_accuracy=0.9, min_f1=0.8, max_calibration_error=0.01), None)
    assert [check.passed for check in verdict.checks] == [False, False, False]
    assert "gate=refused min_accuracy=0.9 test_accuracy=0.5000" in gate.log_line(verdict)
    assert gate.log_line(verdict).endswith("failed=min_accuracy,min_f1,max_calibration_error")
    text = gate.refusal(verdict, None)
    assert "test_accuracy 0.5 is below the limit 0.9 (hyperparameter min_accuracy)" in text
    assert "test_f1 0.5 is below the limit 0.8 (hyperparameter min_f1)" in text
    assert "test_calibration_error 0.45 is above the limit 0.01 (hyperparameter max_calibration_error)" in text
    assert "no artifact was written" in text


def test_a_near_miss_does_not_read_like_a_hit() -> None:
    text = gate.refusal(judge(quality(97_999, 100_000), GateOptions(min_accuracy=0.98), None), None)
    assert "0.97999 is below the limit 0.98" in text


def test_limits_of_another_task_are_an_error_that_lists_them_all() -> None:
    with pytest.raises(ConfigError) as caught:
        check_limits(TASK, GateOptions(min_r2=0.5, max_reconstruction=0.1, min_accuracy=0.5))
    assert "min_r2: 0.5 is a limit for tabular-regression, and the task is text-classification" in str(caught.value)
    assert "max_reconstruction: 0.1 is a limit for image-generation" in str(caught.value)
    assert "min_accuracy, min_f1, min_auc, max_calibration_error" in str(caught.value)
    with pytest.raises(ConfigError):
        judge(quality(90), GateOptions(max_rmse=3.0), None)


def test_regression_and_generation_have_limits_of_their_own() -> None:
    values = evaluate("tabular-regression", np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 2.0, 3.0]), ())
    assert judge(values, GateOptions(min_r2=0.5, max_rmse=0.6), None).passed
    assert not judge(values, GateOptions(min_r2=0.51), None).passed
    errors = evaluate("image-generation", np.array([0.25, 0.25]), np.zeros(2), ())
    assert judge(errors, GateOptions(max_reconstruction=0.25), None).passed
    assert not judge(errors, GateOptions(max_reconstruction=0.2), None).passed


def test_a_limit_on_what_the_test_part_does_not_define_does_not_pass() -> None:
    one = evaluate(TASK, np.array([[0.9, 0.1]], np.float32), np.array([0]), ("a", "b"))
    with pytest.raises(DataError, match=r"min_auc: 0\.9 cannot be checked: test_auc is not defined on the 1 test"):
        judge(one, GateOptions(min_auc=0.9), None)


@pytest.mark.parametrize(("significance", "passed"), [(0.05, False), (0.001, True), (0.0, True)])
def test_a_model_is_refused_when_it_is_significantly_worse(significance: float, passed: bool) -> None:
    baseline = paired_test(quality(80), quality(88))  # 8 discordant pairs, all lost: p = 2^-8
    verdict = judge(quality(80), GateOptions(baseline_significance=significance), baseline)
    assert verdict.passed is passed
    (check,) = verdict.checks
    assert (check.metric, check.rule, check.value, check.limit) == ("test_accuracy", gate.NOT_WORSE, 0.8, 0.88)
    if not passed:
        assert "failed=served" in gate.log_line(verdict)
        text = gate.refusal(verdict, baseline)
        assert "test_accuracy 0.8 is significantly worse than the served model's 0.88" in text
        assert "(better on 0 and worse on 8" in text
        assert "of the same 100 examples, exact McNemar test, p=0.0039) (hyperparameter baseline_significance)" in text


def test_a_better_model_and_an_equal_one_pass() -> None:
    for right in (88, 90):
        assert judge(quality(right), GateOptions(), paired_test(quality(right), quality(88))).passed
