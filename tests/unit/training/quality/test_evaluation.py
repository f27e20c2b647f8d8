"""Metrics against scikit-learn's, and the test parts that are hard to measure."""

import numpy as np
import pytest
from sklearn import metrics as reference

from tests.unit.training.quality.scores import classifier, labels
from training.errors import DataError, DivergedError
from training.quality import evaluate, ranking
from training.quality.calibration import BINS

TASK = "image-classification"


def tied(count: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores in steps of 1/8, so that many are equal, within rows and between them."""
    scores, targets = classifier(count, classes, 1.0, seed)
    steps = np.floor(scores * 8)
    steps[:, 0] += 8 - steps.sum(1)
    return (steps / 8).astype(np.float32), targets


@pytest.mark.parametrize(
    ("scores", "targets"),
    [classifier(300, 4, 1.0, 0), classifier(300, 2, 1.5, 1), tied(300, 4, 2), tied(40, 2, 3), classifier(40, 30, 2, 4)],
    ids=["four classes", "two", "ties", "ties of two", "more classes than most have examples"],
)
def test_classification_is_scikit_learns(scores: np.ndarray, targets: np.ndarray) -> None:
    classes = scores.shape[1]
    quality = evaluate(TASK, scores, targets, labels(classes))
    called = scores.argmax(1)
    found = quality.metrics()
    assert found["test_accuracy"] == reference.accuracy_score(targets, called)
    expected = reference.precision_recall_fscore_support(targets, called, average="macro", zero_division=0)
    np.testing.assert_allclose([found["test_precision"], found["test_recall"], found["test_f1"]], expected[:3])
    table = quality.classes
    assert table is not None
    np.testing.assert_array_equal(table.confusion, reference.confusion_matrix(targets, called, labels=range(classes)))
    each = reference.precision_recall_fscore_support(targets, called, labels=range(classes), zero_division=0)
    for ours, theirs in zip((table.precision, table.recall, table.f1, table.support), each, strict=True):
        np.testing.assert_allclose(ours, theirs)
    areas = [reference.roc_auc_score(targets == label, scores[:, label]) for label in np.unique(targets)]
    np.testing.assert_allclose(table.auc[np.unique(targets)], areas)
    assert found["test_auc"] == pytest.approx(np.mean(areas))
    exact = np.maximum(scores.astype(np.float64), 1e-12)
    assert found["test_loss"] == pytest.approx(-np.log(exact[np.arange(len(targets)), targets]).mean())


def test_the_log_loss_is_scikit_learns() -> None:
    scores, targets = classifier(300, 4, 1.0, 0)
    exact = scores.astype(np.float64) / scores.sum(1, keepdims=True, dtype=np.float64)
    expected = reference.log_loss(targets, exact)
    assert evaluate(TASK, scores, targets, labels(4)).metrics()["test_loss"] == pytest.approx(expected, rel=1e-6)


def test_the_calibration_error_is_the_sum_over_the_bins() -> None:
    scores, targets = classifier(500, 3, 1.0, 0, temperature=0.5)
    quality = evaluate(TASK, scores, targets, labels(3))
    score, right = scores.max(1).astype(float), scores.argmax(1) == targets
    expected = 0.0
    for place in range(BINS):
        inside = (score > place / BINS) & (score <= (place + 1) / BINS)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - score[inside].mean())
    assert quality.measured["calibration_error"].value == pytest.approx(expected)
    assert quality.calibration is not None and quality.calibration.count.sum() == 500


def test_regression_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    targets = random.normal(100, 20, 150).astype(np.float32)
    outputs = (targets + random.normal(0, 5, 150)).astype(np.float32)[:, None]
    found = evaluate("tabular-regression", outputs, targets, ()).metrics()
    exact = targets.astype(np.float64), outputs[:, 0].astype(np.float64)
    assert found == {
        "test_rmse": pytest.approx(reference.root_mean_squared_error(*exact)),
        "test_mae": pytest.approx(reference.mean_absolute_error(*exact)),
        "test_r2": pytest.approx(reference.r2_score(*exact)),
        "test_median_error": pytest.approx(reference.median_absolute_error(*exact)),
    }


def test_generation_is_the_mean_of_the_errors() -> None:
    errors = np.array([0.1, 0.2, 0.6], np.float32)
    quality = evaluate("image-generation", errors, np.zeros(3, np.int64), ())
    assert quality.metrics() == {"test_reconstruction": pytest.approx(0.3)}
    assert quality.examples == 3


def test_the_log_line_is_key_equals_value() -> None:
    scores, targets = classifier(100, 3, 2.0, 0)
    quality = evaluate(TASK, scores, targets, labels(3))
    line = dict(word.split("=") for word in quality.log_line().split(" "))
    assert list(line)[:4] == ["test_accuracy", "test_accuracy_low", "test_accuracy_high", "test_loss"]
    found = quality.as_dict()
    assert line.keys() == found.keys()
    assert all(float(line[name]) == pytest.approx(found[name], abs=5.1e-5) for name in line)


def test_every_value_lies_in_its_interval() -> None:
    for count in (2, 3, 10):
        for seed in range(5):
            for metric in evaluate(TASK, *classifier(count, 3, 1.0, seed), labels(3)).measured.values():
                assert metric.low is not None and metric.high is not None
                assert metric.low <= metric.value <= metric.high


def test_one_example() -> None:
    quality = evaluate(TASK, np.array([[0.3, 0.7]], np.float32), np.array([1]), ("a", "b"))
    accuracy = quality.measured["accuracy"]
    assert accuracy.value == 1.0 and accuracy.low == pytest.approx(0.2065, abs=1e-4) and accuracy.high == 1.0
    assert quality.measured["loss"].low is None
    assert "test_loss_low" not in quality.log_line()
    assert "auc" not in quality.measured  # of one class alone there is none
    assert "r2" not in evaluate("tabular-regression", np.ones((1, 1)), np.ones(1), ()).measured


def test_a_class_without_test_examples_is_named_and_not_counted() -> None:
    scores = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1]], np.float32)
    quality = evaluate(TASK, scores, np.array([0, 1, 1]), ("a", "b", "absent"))
    assert quality.metrics()["test_recall"] == pytest.approx(0.75)
    assert any("absent" in note for note in quality.notes)
    assert quality.classes is not None and np.isnan(quality.classes.auc[2])


@pytest.mark.parametrize("right", [True, False])
def test_all_right_and_all_wrong_still_have_an_interval(right: bool) -> None:
    targets = np.arange(50) % 2
    scores = np.where((np.arange(2) == targets[:, None]) == right, 0.9, 0.1).astype(np.float32)
    quality = evaluate(TASK, scores, targets, ("a", "b"))
    for name in ("accuracy", "precision", "recall", "f1", "auc"):
        metric = quality.measured[name]
        assert metric.value == (1.0 if right else 0.0)
        assert metric.low is not None and metric.high is not None and metric.high - metric.low > 0.05


def test_one_class_only() -> None:
    quality = evaluate(TASK, np.ones((5, 1), np.float32), np.zeros(5, np.int64), ("only",))
    assert quality.metrics()["test_f1"] == 1.0


def test_a_thousand_classes() -> None:
    scores, targets = classifier(3000, 1000, 4.0, 0)
    found = evaluate(TASK, scores, targets, labels(1000)).metrics()
    expected = reference.f1_score(targets, scores.argmax(1), average="macro", zero_division=0)
    assert found["test_f1"] == pytest.approx(expected)


def test_of_very_many_scores_a_part_is_ranked_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, targets = classifier(4000, 4, 1.0, 0)
    whole = evaluate(TASK, scores, targets, labels(4))
    monkeypatch.setattr(ranking, "MAX_CELLS", 4000)
    part = evaluate(TASK, scores, targets, labels(4))
    assert part.notes == ("AUC was measured on 1000 test examples, chosen at random.",)
    ours, all_of_them = part.measured["auc"], whole.measured["auc"]
    assert ours.value != all_of_them.value
    assert ours.low is not None and ours.high is not None and ours.low < all_of_them.value < ours.high


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_no_numbers_are_refused(value: float) -> None:
    scores, targets = classifier(10, 3, 1.0, 0)
    scores[[4, 7], 1] = value
    with pytest.raises(DivergedError, match=r"2 of 10 outputs .* first at example 4.* lower learning_rate"):
        evaluate(TASK, scores, targets, labels(3))


def test_what_cannot_be_measured_is_refused() -> None:
    scores, targets = classifier(10, 3, 1.0, 0)
    with pytest.raises(DataError, match="holds no examples"):
        evaluate(TASK, scores[:0], targets[:0], labels(3))
    with pytest.raises(ValueError, match=r"needs scores of shape \(10, 4\)"):
        evaluate(TASK, scores, targets, labels(4))
    with pytest.raises(ValueError, match=r"scores of example 4 sum to 2.*softmax"):
        evaluate(TASK, scores * 2, targets, labels(3))
    with pytest.raises(ValueError, match="class numbers from 0 to 3; expected 0 to 2"):
        evaluate(TASK, scores, np.append(targets[1:], 3) % 4, labels(3))
    with pytest.raises(ValueError, match=r"needs values of shape \(10, 1\)"):
        evaluate("tabular-regression", scores[:, 0], targets, ())
