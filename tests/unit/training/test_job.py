"""Whole jobs: what they write, what they say, how they end."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from inference import artifact
from training.__main__ import run
from training.environment import JobPaths
from training.export.parity import TOLERANCES
from training.signals import StopFlag

ROOT = Path(__file__).resolve().parents[3]
HELPER_END_SECONDS = 10
EPOCH_LINE = re.compile(
    r"epoch=(\d+)/2 step=\d+/\d+ loss=(\d+\.\d{4}) learning_rate=([\d.e-]+) examples_per_second=(\d+)"
)


def _configure(paths: JobPaths, **values: str) -> None:
    (paths.base / "input" / "config" / "hyperparameters.json").write_text(json.dumps(values))


def _command(paths: JobPaths) -> tuple[list[str], dict[str, str]]:
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(paths.base), "PYTHONPATH": str(ROOT)}
    return [sys.executable, str(ROOT / "training" / "bin" / "train")], environment


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("model", ["cnn", "mlp"])
def test_a_job_leaves_an_artifact_metrics_and_a_log(
    job: JobPaths, capfd: pytest.CaptureFixture[str], model: str
) -> None:
    _configure(job, model=model, epochs="2", width="4", min_accuracy="0.2")
    assert run(job, StopFlag()) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [match[1] for line in lines if (match := EPOCH_LINE.fullmatch(line))] == ["1", "2"]
    assert any(
        re.match(r"test_accuracy=0\.\d{4} test_accuracy_low=0\.\d{4} .* test_loss=\d\.\d{4} ", line) for line in lines
    )
    assert any(line.startswith("gate=passed min_accuracy=0.2 ") for line in lines)
    assert not job.failure.exists()

    written = artifact.load(job.model)
    assert sorted(path.name for path in job.model.iterdir()) == ["manifest.json", "model.pt2"]
    manifest = written.manifest
    assert manifest.gate.passed and manifest.labels == tuple("0123456789") and manifest.input.shape == (8, 8)
    assert [example.target for example in manifest.examples] == list("01234567")
    assert manifest.exports["model.pt2"].max_difference <= TOLERANCES["fp32"]
    metrics: dict[str, Any] = json.loads((job.output_data / "metrics.json").read_text())
    assert metrics["test_accuracy"] == manifest.metrics["test_accuracy"]
    assert sum(map(sum, metrics["confusion"])) == 360
    assert set(metrics["seconds"]) == {"import", "data", "train", "evaluate", "export", "report"}
    assert [point["epoch"] for point in metrics["history"]] == [1, 2]
    report = (job.output_data / "report.html").read_text()
    assert f"{manifest.metrics['test_accuracy']:.4f}" in report and (job.output_data / "confusion.png").is_file()


def test_the_same_job_once_more_trains_nothing_and_gives_the_same_model(
    job: JobPaths, capfd: pytest.CaptureFixture[str]
) -> None:
    _configure(job, epochs="2", width="4")
    assert run(job, StopFlag()) == 0
    first = artifact.load(job.model).manifest.metrics
    capfd.readouterr()
    assert run(job, StopFlag()) == 0
    assert not EPOCH_LINE.search(capfd.readouterr().out)
    assert artifact.load(job.model).manifest.metrics == first


def test_the_artifact_is_what_torch_export_itself_would_run(job: JobPaths) -> None:
    _configure(job, epochs="1", width="4")
    assert run(job, StopFlag()) == 0
    ours = artifact.load(job.model).program()
    theirs = torch.export.load(str(job.model / "model.pt2")).module()
    for count in (1, 2, 33):
        pixels = torch.rand(count, 8, 8, generator=torch.Generator().manual_seed(count)) * 16
        torch.testing.assert_close(ours(pixels), theirs(pixels), rtol=0, atol=TOLERANCES["fp32"])
    assert str(Path.home()).encode() not in (job.model / "model.pt2").read_bytes()


def test_below_the_gate_there_is_no_artifact_not_even_an_old_one(job: JobPaths) -> None:
    _configure(job, epochs="1", width="1")
    assert run(job, StopFlag()) == 0
    _configure(job, epochs="1", width="1", min_accuracy="1")
    assert run(job, StopFlag()) == 3
    assert list(job.model.iterdir()) == []
    first = job.failure.read_text().splitlines()[0]
    assert re.match(r"test_accuracy 0\.\d+ is below the limit 1 \(hyperparameter min_accuracy\)", first)
    assert (job.output_data / "report.html").is_file()
    assert json.loads((job.output_data / "metrics.json").read_text())["gate"]["passed"] is False


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("hyperparameters.json", '{"epoch": "2"}', "ConfigError: hyperparameters: epoch: unknown; did you mean"),
        ("hyperparameters.json", "{", "ConfigError: "),
        ("hyperparameters.json", "[]", "ConfigError: "),
        ("resourceconfig.json", '{"hosts": ["algo-2"]}', "ConfigError: resourceconfig.json: hosts is ['algo-2']"),
        ("hyperparameters.json", '{"min_r2": "0.5"}', "ConfigError: min_r2"),
        ("inputdataconfig.json", '{"data": {}}', "ConfigError: inputdataconfig.json: channels are ['data']"),
        ("inputdataconfig.json", '{"train": {"TrainingInputMode": "Pipe"}}', "ConfigError: channel 'train'"),
    ],
)
def test_bad_platform_files_end_with_2_and_the_cause_first(job: JobPaths, name: str, text: str, cause: str) -> None:
    (job.base / "input" / "config" / name).write_text(text)
    assert run(job, StopFlag()) == 2
    assert job.failure.read_text().startswith(cause)


def test_bad_data_ends_with_2_and_leaves_no_process(job: JobPaths) -> None:
    (job.channel / "more.csv").write_text("1")
    before = _children(os.getpid())
    assert run(job, StopFlag()) == 2
    assert job.failure.read_text().startswith("DataError: ")
    assert _children(os.getpid()) == before


def test_any_other_failure_ends_with_1_type_and_message_first(job: JobPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the loss is gone")

    monkeypatch.setattr("training.verdict.evaluate", broken)
    _configure(job, epochs="1", width="1")
    assert run(job, StopFlag()) == 1
    lines = job.failure.read_text().splitlines()
    assert lines[0] == "ZeroDivisionError: the loss is gone"
    assert "Traceback (most recent call last):" in lines


def test_a_signal_saves_a_checkpoint_and_the_next_start_goes_on(job: JobPaths) -> None:
    number = signal.SIGTERM
    _configure(job, epochs="10000", width="1")
    command, environment = _command(job)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("epoch=2/"))
        helpers = _children(process.pid)
        process.send_signal(number)
        rest = process.stdout.read().splitlines()
        assert process.wait() == 143
    assert rest[-1].startswith(f"stopped by {number.name} at step ")
    assert not any(Path(f"/proc/{helper}").exists() for helper in helpers)
    assert not job.failure.exists() and not job.model.exists()
    step = int(rest[-1].split(" at step ")[1].split("/")[0])

    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = next(line for line in process.stdout if line.startswith("model="))
        process.terminate()
        process.stdout.read()
    assert first.rstrip().endswith(f"first_step={step + 1}")


def test_a_killed_job_leaves_no_helper_behind(job: JobPaths) -> None:
    _configure(job, epochs="10000", width="1")
    command, environment = _command(job)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("epoch=1/"))
        helpers = [os.pidfd_open(pid) for pid in _children(process.pid)]
        process.kill()
        process.wait()
    assert helpers
    for helper in helpers:
        ended, _, _ = select.select([helper], [], [], HELPER_END_SECONDS)  # a pidfd is readable once its process ended
        assert ended
        os.close(helper)
