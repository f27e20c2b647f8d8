"""`slipway plot`: a run's course from its metrics.json or its log, drawn, in a table, as JSON; its report saved."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from slipway import project
from slipway.__main__ import app
from slipway.errors import SlipwayError
from slipway.history import from_lines, names, read_history, series
from slipway.plot import chart, plots, table
from slipway.project import Stack
from slipway.runs import Run, find_runs
from tests.unit.slipway.run_fakes import HISTORY, NEW, STACK, account, document, forget, put_log, put_metrics

LINES = [
    "model=cnn parameters=12345",
    "epoch=1/2 step=10/20 loss=2.0000 learning_rate=0.01 examples_per_second=3456",
    "epoch=1/2 validation_loss=1.5000 validation_accuracy=0.5000",
    "epoch=2/2 step=20/20 loss=1.0000 learning_rate=0.001 examples_per_second=3456",
    "epoch=2/2 validation_loss=1.2500 validation_accuracy=0.7500",
    "test_accuracy=0.7500 test_loss=1.2000",
]


@pytest.fixture(scope="module")
def two_jobs() -> Iterator[None]:
    with account():
        yield


@pytest.fixture
def stack(two_jobs: None, monkeypatch: pytest.MonkeyPatch) -> Stack:
    forget()
    monkeypatch.setattr("slipway.runs.tuning_jobs", lambda stack: [])
    monkeypatch.setattr("slipway.runs.served_artifact", lambda stack: "")
    monkeypatch.setattr(project, "open_stack", lambda name: STACK)
    return STACK


def with_status(stack: Stack, status: str) -> Run:
    run = find_runs(stack)[0]
    return Run(name=run.name, status=status, created=run.created, output=run.output, reason="out of memory")


def test_a_log_tells_what_metrics_json_tells() -> None:
    assert from_lines(LINES) == HISTORY


def test_steps_that_an_interrupted_run_did_again_count_once() -> None:
    again = "epoch=1/2 step=10/20 loss=1.9000 learning_rate=0.01 examples_per_second=1"
    points = from_lines([LINES[1], LINES[2], LINES[3], again, LINES[3]])
    assert series(points, "loss") == [(10, 1.9), (20, 1.0)] and names(points) == ["loss", "learning_rate"]


def test_a_run_that_is_going_is_read_from_its_log(stack: Stack) -> None:
    put_log(NEW, LINES[:4])
    assert read_history(stack, with_status(stack, "InProgress")) == HISTORY[:3]


def test_a_run_that_has_ended_is_read_from_its_output_and_one_that_broke_from_its_log(stack: Stack) -> None:
    put_log(NEW, LINES[:2])
    assert read_history(stack, with_status(stack, "Failed")) == HISTORY[:1]
    put_metrics(NEW, document([True]))
    assert read_history(stack, with_status(stack, "Completed")) == HISTORY


@pytest.mark.parametrize(
    ("status", "words"), [("InProgress", "has not logged a step yet"), ("Failed", "has nothing to plot: out of memory")]
)
def test_a_run_without_a_step_says_so(stack: Stack, status: str, words: str) -> None:
    with pytest.raises(SlipwayError, match=words):
        read_history(stack, with_status(stack, status))


def test_a_falling_line_runs_from_corner_to_corner() -> None:
    first, last, scale = chart([[(0, 1.0), (7, 0.0)]], width=16, height=2)
    assert first.plain == "         1 \u2524\u2811\u2884\u2800\u2800"
    assert last.plain == "         0 \u2524\u2800\u2800\u2811\u2884"
    assert scale.plain.split() == ["step", "07"]


@pytest.mark.parametrize("curve", [[(5.0, 0.25)], [(1.0, 2.0), (2.0, 2.0), (3.0, 2.0)]])
def test_one_point_and_a_flat_line_are_drawn_too(curve: Any) -> None:
    lines = chart([curve], width=30, height=3)
    assert len(lines) == 4 and any("\u2800" < mark < "\u28ff" for mark in lines[2].plain)


def test_a_terminal_gets_charts_with_the_best_validation() -> None:
    console = Console(file=io.StringIO(), width=60, force_terminal=True, record=True)
    console.print(plots(HISTORY, 60))
    text = console.export_text()
    assert "loss 1   validation_loss 1.25 (best 1.25 in epoch 2)" in text
    assert "validation_accuracy 0.75 (best 0.75 in epoch 2)" in text and "learning_rate 0.001" in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 60


def test_a_pipe_gets_one_line_a_point() -> None:
    console = Console(file=io.StringIO(), width=200, record=True)
    console.print(table(HISTORY))
    head, first, second, *_ = (line.split() for line in console.export_text().splitlines())
    assert head == ["step", "epoch", "loss", "learning_rate", "validation_loss", "validation_accuracy"]
    assert (first, second) == (["10", "1", "2", "0.01", "-", "-"], ["10", "1", "-", "-", "1.5", "0.5"])


def test_the_verb_prints_json_and_saves_the_report_flat(stack: Stack, tmp_path: Path) -> None:
    put_metrics(NEW, document([True]), **{"report.html": b"<p>", "../curves.png": b"png", "weights.bin": b"no"})
    done = CliRunner().invoke(app, ["plot", "latest", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {"run": NEW, "status": "Completed", "history": HISTORY}
    done = CliRunner().invoke(app, ["plot", NEW, "--save", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["curves.png", "metrics.json", "report.html"]
    assert done.output.splitlines()[0].endswith("curves.png")


def test_a_run_without_a_report_says_what_it_has(stack: Stack, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["plot", "--save", str(tmp_path)])
    assert isinstance(done.exception, SlipwayError) and "has no metrics.json" in str(done.exception)
