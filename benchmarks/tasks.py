"""Every task and model with its defaults, on real data: quality with interval, seconds, size; makes docs/tasks.md.

    python benchmarks/tasks.py [--only NAME ...] [--page docs/tasks.md]

Each row is one `train` in a fresh process, as a job runs it. Beside it stands the best of scikit-learn's stock models
on the same split: what somebody would have in an afternoon without any of this.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.training.stock import Stock, best_stock  # noqa: E402
from training import samples  # noqa: E402

CLASSES, TABLE, REGRESSION = "image-classification", "tabular-classification", "tabular-regression"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One job: a sample of training.samples and hyperparameters."""

    data: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For --only."""
        return f"{self.data}:{self.options['model']}" + (f"@{size}" if (size := self.options.get("image_size")) else "")


def _row(data: str, task: str, model: str, **options: Any) -> Row:
    return Row(
        data=data, options={"task": task, "model": model, **{name: str(value) for name, value in options.items()}}
    )


ROWS = (
    _row("digits", CLASSES, "mlp"),
    _row("digits", CLASSES, "cnn"),
    _row("digits", CLASSES, "cnn", image_size=28, precision="auto"),
    _row("digits", CLASSES, "resnet9", image_size=32, channels=3),
    _row("digit_images", CLASSES, "cnn"),
    _row("photographs", CLASSES, "cnn", depth=3),
    _row("docstrings", "text-classification", "fasttext"),
    _row("docstrings", "text-classification", "lstm"),
    _row("docstrings", "text-classification", "transformer"),
    *(_row("breast_cancer", TABLE, model) for model in ("tabular_mlp", "logistic", "svm", "random_forest")),
    *(_row("wine", TABLE, model) for model in ("tabular_mlp", "logistic", "svm", "random_forest")),
    *(_row("diabetes", REGRESSION, model) for model in ("tabular_mlp", "linear", "svm", "random_forest")),
    _row("digits", "image-generation", "vae"),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a job left."""

    examples: int
    metric: str
    value: float
    low: float
    high: float
    train_seconds: float
    whole_seconds: float
    size_bytes: int


def run(row: Row) -> tuple[Outcome, Stock]:
    """Train once; raises RuntimeError with the job's output where it fails."""
    with tempfile.TemporaryDirectory(prefix="tasks-") as folder:
        base = Path(folder)
        channel = base / "input" / "data" / "train"
        samples.write(row.data, channel)
        (base / "input" / "config").mkdir()
        options = {**row.options, "threads": str(os.cpu_count() or 1), "report": "false"}
        (base / "input" / "config" / "hyperparameters.json").write_text(json.dumps(options))
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "training"],
            env={**os.environ, "SAGEMAKER_BASE_DIR": folder, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - started
        if done.returncode:
            raise RuntimeError(f"{row.name} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return _outcome(base, seconds), best_stock(channel, row.options)


def _outcome(base: Path, seconds: float) -> Outcome:
    found = json.loads((base / "output" / "data" / "metrics.json").read_text())
    metric = next(name for name in ("accuracy", "r2", "reconstruction") if f"test_{name}" in found)
    programs = [path for path in (base / "model").iterdir() if path.suffix in (".pt2", ".onnx")]
    return Outcome(
        examples=found["examples"],
        metric=metric,
        value=found[f"test_{metric}"],
        low=found[f"test_{metric}_low"],
        high=found[f"test_{metric}_high"],
        train_seconds=found["seconds"]["train"],
        whole_seconds=seconds,
        size_bytes=sum(path.stat().st_size for path in programs),
    )


HEAD = """\
# What each task and model reaches

With their default hyperparameters (but for those named), on real data that installed packages carry
(`python -m training.samples`), each measured once by `python benchmarks/tasks.py`, which writes this page.
The interval is that of the test part (95%): a difference smaller than it says little. The last column is the best of
scikit-learn's stock models on the same split, named.

| data | model | test rows | metric | value | interval | training, s | whole job, s | artifact, KB | best stock model |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def line(row: Row, outcome: Outcome, stock: Stock) -> str:
    """The table's row."""
    extra = [f"{name}={value}" for name, value in row.options.items() if name not in ("task", "model")]
    model = " ".join([f"`{row.options['model']}`", *extra])
    return (
        f"| {row.data} | {model} | {outcome.examples} | {outcome.metric} | {outcome.value:.4f} | "
        f"{outcome.low:.4f} to {outcome.high:.4f} | {outcome.train_seconds:.1f} | {outcome.whole_seconds:.1f} | "
        f"{outcome.size_bytes / 1000:.0f} | {stock.value:.4f} ({stock.name}) |"
    )


def main() -> None:
    """Measure and print, and write the page where one is named."""
    parser = argparse.ArgumentParser(description="Every task and model on real data.")
    parser.add_argument("--only", nargs="*", default=[], help=f"rows: {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--page", type=Path, help="write the table as this Markdown page")
    arguments = parser.parse_args()
    lines = []
    for row in ROWS:
        if not arguments.only or row.name in arguments.only:
            lines.append(line(row, *run(row)))
            print(lines[-1], flush=True)
    machine = (
        f"\nMeasured on {datetime.date.today()}: {os.cpu_count()} cores ({platform.machine()}), Python "
        f"{platform.python_version()}, on CPU; load average at the end {os.getloadavg()[0]:.1f}."
    )
    print(machine)
    if arguments.page:
        arguments.page.write_text("\n".join([HEAD, *lines, machine, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
