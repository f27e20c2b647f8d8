"""`slipway runs --compare`: which runs are meant, what counts as a difference, and what is shown."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from slipway import project
from slipway.__main__ import app
from slipway.compare import Comparison, compare, view
from slipway.errors import SlipwayError
from slipway.project import Stack
from slipway.runs import Run, choose, find_runs, headline
from slipway.significance import judge, mcnemar, sign_flips
from tests.unit.slipway.run_fakes import (
    BUCKET,
    HISTORY,
    NEW,
    OLD,
    STACK,
    account,
    document,
    forget,
    put_metrics,
    put_output,
)

WORSE = [True] * 28 + [False] * 12
BETTER = [True] * 39 + [False]


@pytest.fixture(scope="module")
def two_jobs() -> Iterator[None]:
    with account():
        yield


@pytest.fixture
def stack(two_jobs: None, monkeypatch: pytest.MonkeyPatch) -> Stack:
    forget()
    monkeypatch.setattr("slipway.runs.tuning_jobs", lambda stack: [])
    monkeypatch.setattr("slipway.runs.served_artifact", lambda stack: f"s3://{BUCKET}/runs/{OLD}/output/model.tar.gz")
    return STACK


def shown(comparison: Comparison) -> str:
    file = io.StringIO()
    Console(file=file, width=200).print(view(comparison))
    return file.getvalue()


def row(comparison: Comparison, metric: str) -> Any:
    return next(row for row in comparison.metrics if row.metric == metric)


def test_on_the_same_examples_the_pairs_decide(stack: Stack) -> None:
    put_metrics(OLD, document(WORSE))
    put_metrics(NEW, document(BETTER, settings={"epochs": 20, "width": 8}, test_auc=0.99))
    found = compare(stack, "served", "latest")
    assert (found.runs, found.same_test_part, found.test_examples) == ((OLD, NEW), True, (40, 40))
    accuracy = row(found, "test_accuracy")
    assert accuracy.difference == pytest.approx(0.275)
    assert (accuracy.verdict.word, accuracy.verdict.how) == ("better", "exact McNemar test")
    assert accuracy.verdict.p_value == pytest.approx(2 * 1 / 2**11)
    assert (row(found, "test_loss").verdict.word, row(found, "test_loss").verdict.how) == ("better", "intervals apart")
    assert row(found, "test_auc").verdict.how == "only one run has it"
    assert found.settings["epochs"] == (2, 20) and "width" not in found.settings and "image" in found.settings
    assert found.facts["instances"] == ("2 x ml.m5.large", "2 x ml.m5.large, spot")
    assert found.facts["seconds of the training"] == (1.5, 1.5)
    text = shown(found)
    assert "0.7 [0.6, 0.8]" in text and "+0.275" in text and "p = 0.000977" in text
    assert "compared on the same 40 test examples" in text
    json.dumps(found.as_json())


def test_on_other_examples_only_intervals_that_are_apart_count(stack: Stack) -> None:
    put_metrics(OLD, document(WORSE))
    put_metrics(NEW, document(BETTER[:30], test_examples={"sha256": "other", "correct": ""}))
    found = compare(stack, OLD, NEW)
    assert not found.same_test_part
    verdict = row(found, "test_accuracy").verdict
    assert (verdict.word, verdict.how, verdict.p_value) == ("better", "intervals apart", None)
    assert "other test examples (40 and 30), so only by their intervals" in shown(found)
    put_metrics(NEW, document([True] * 33 + [False] * 7, test_examples={}))
    verdict = row(compare(stack, OLD, NEW), "test_accuracy").verdict
    assert (verdict.word, verdict.how) == ("within chance", "intervals overlap")


def test_runs_are_named_by_their_beginnings(stack: Stack) -> None:
    runs = find_runs(stack)
    for word, name in {"latest": NEW, "served": OLD, "0123": OLD, "slipway-dev-ba": NEW, NEW: NEW}.items():
        assert choose(stack, runs, word).name == name


def test_a_run_whose_job_is_gone_is_compared_by_what_it_left(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    put_metrics(OLD, document(WORSE))
    put_metrics(NEW, document(BETTER))
    new, old = find_runs(stack)
    gone = Run(name=OLD, status="Completed", created=old.created, output=old.output)
    monkeypatch.setattr("slipway.compare.find_runs", lambda stack: [new, gone])
    found = compare(stack, OLD, NEW)
    assert found.settings == {} and found.facts["instances"] == (None, "2 x ml.m5.large, spot")
    assert row(found, "test_accuracy").verdict.word == "better"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("slipway-dev", "latest"), f"'slipway-dev' begins the names of 2 runs: {NEW}, {OLD}"),
        (("ba9876543211", "latest"), f"has no run 'ba9876543211'; there are latest, served, {NEW}: slipway runs"),
        (("latest", NEW), "are the same run"),
    ],
)
def test_words_that_name_no_two_runs_are_refused(stack: Stack, words: tuple[str, str], part: str) -> None:
    with pytest.raises(SlipwayError) as caught:
        compare(stack, *words)
    assert part in str(caught.value) and caught.value.exit_code == 2


def test_without_runs_or_without_a_served_one_it_is_said(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SlipwayError, match="make one: slipway train --stack dev"):
        choose(stack, [], "latest")
    monkeypatch.setattr("slipway.runs.served_artifact", lambda stack: "")
    with pytest.raises(SlipwayError, match="no run of stack dev is served now"):
        choose(stack, find_runs(stack), "served")


@pytest.mark.parametrize(
    ("status", "files", "part"),
    [
        ("InProgress", None, "still going; metrics.json comes at its end. Until then: slipway plot"),
        (
            "Failed",
            None,
            "is Failed and left no metrics.json: AlgorithmError: DataError: no rows. Its log: slipway logs",
        ),
        ("Completed", None, "does not exist"),
        ("Completed", {"notes.txt": "x"}, "holds only notes.txt. A script of your own writes one"),
    ],
)
def test_a_run_without_metrics_says_why(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, status: str, files: Any, part: str
) -> None:
    if files:
        put_output(NEW, files)
    old, new = find_runs(stack)[1], find_runs(stack)[0]
    changed = Run(
        name=NEW, status=status, created=new.created, output=new.output, reason="AlgorithmError: DataError: no rows"
    )
    monkeypatch.setattr("slipway.compare.find_runs", lambda stack: [changed, old])
    with pytest.raises(SlipwayError, match=part):
        compare(stack, "latest", OLD)


def test_mcnemar_is_the_exact_two_sided_binomial() -> None:
    assert mcnemar(0, 0) == 1.0 and mcnemar(5, 5) == 1.0
    assert mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(9, 1) == pytest.approx(2 * 11 / 1024)
    assert mcnemar(40_000, 41_000) == pytest.approx(0.000446, rel=0.01), "thousands of pairs do not overflow"


def test_sign_flips_see_a_shift_and_not_a_spread() -> None:
    assert sign_flips([0.0] * 9) == 1.0
    assert sign_flips([1.0] * 12) < 0.01
    assert sign_flips([1.0, -1.0] * 6) > 0.5
    assert sign_flips([1.0] * 600 + [-1.0] * 500) == pytest.approx(0.00257, rel=0.01)


def test_errors_of_a_regression_are_compared_pair_by_pair() -> None:
    def regression(errors: list[float]) -> dict[str, Any]:
        import array
        import base64

        text = base64.b64encode(array.array("f", errors).tobytes()).decode()
        return {"test_rmse": sum(errors) / len(errors), "test_examples": {"sha256": "same", "errors": text}}

    verdict = judge("test_rmse", regression([1.0, 2.0, 3.0] * 5), regression([0.5, 1.0, 1.5] * 5))
    assert (verdict.word, verdict.how) == ("better", "paired permutation test")
    assert judge("test_rmse", regression([1.0, 2.0]), regression([2.0, 1.0])).word == "within chance"


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        ({"test_loss": "0.1", "test_accuracy": "0.99"}, "accuracy 0.99"),
        ({"test_r2": "0.4", "test_rmse": "55.1"}, "rmse 55.1"),
        ({"test_reconstruction": "0.01", "train_loss": "1"}, "reconstruction 0.01"),
        ({"train_loss": "1"}, "train_loss 1"),
        ({}, ""),
    ],
)
def test_a_run_of_any_task_is_known_by_its_main_metric(metrics: dict[str, str], text: str) -> None:
    run = Run(name="a", status="Completed", created=None, metrics=metrics)  # type: ignore[arg-type]
    assert headline(run) == text


def test_the_verb_prints_a_comparison_as_json(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    put_metrics(OLD, document(WORSE))
    put_metrics(NEW, document(BETTER))
    monkeypatch.setattr(project, "open_stack", lambda name: stack)
    done = CliRunner().invoke(app, ["runs", "--compare", "0123", "ba98", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["runs"] == [OLD, NEW] and found["metrics"][0]["verdict"]["word"] == "better"


@pytest.mark.parametrize("task", ["tabular-classification", "tabular-regression"])
def test_what_train_writes_is_read_as_it_was_meant(task: str) -> None:
    import numpy as np

    from inference.artifact import GateVerdict
    from training.quality import evaluate, metrics_document, paired_test
    from training.quality.document import example_ids

    draw = np.random.default_rng(0)
    if task.endswith("regression"):
        targets, labels = draw.normal(size=90).astype(np.float32), ()
        outputs = [(targets + draw.normal(scale=scale, size=90))[:, None].astype(np.float32) for scale in (1.0, 0.5)]
    else:
        targets, labels = draw.integers(0, 2, 90), ("no", "yes")
        right = [draw.random(90) < share for share in (0.7, 0.95)]
        outputs = [np.eye(2, dtype=np.float32)[np.where(good, targets, 1 - targets)] for good in right]
    ours, theirs = (evaluate(task, found, targets, labels) for found in outputs)
    rest: Any = {"baseline": None, "history": HISTORY, "seconds": {}, "settings": {}}
    rest |= {"ids": example_ids(np.arange(90), targets), "verdict": GateVerdict(passed=True, checks=())}
    first, second = (json.loads(json.dumps(metrics_document(quality, **rest))) for quality in (ours, theirs))
    metric = "test_rmse" if task.endswith("regression") else "test_accuracy"
    verdict = judge(metric, first, second)
    tests = paired_test(ours, theirs), paired_test(theirs, ours)
    assert verdict.p_value == pytest.approx(2 * min(test.p_value for test in tests), abs=0.003)
    assert (verdict.word, verdict.how) == ("better", tests[0].method)
