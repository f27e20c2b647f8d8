"""What a training job costs beside its steps, and what the recipe reaches; prints a table with machine and date.

    python benchmarks/training_startup.py [--rounds 5]

Every round is a fresh `train` process with another seed on the digits of scikit-learn; the clock is this process's,
read when a line of the job arrives. The first step is taken to begin when the job prints its `model=` line, and the
last to end with the last `epoch=` line. One more job, not counted, fills the caches first.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Round:
    """Wall-clock seconds of one job, and its test accuracy."""

    start_to_first_step: float
    training: float
    last_step_to_exit: float
    whole: float
    accuracy: float


# label, field, floor in words
ROWS = (
    ("process start to first step, s", "start_to_first_step", "< 2.5"),
    ("training, s", "training", "< 3"),
    ("last step to exit (with export), s", "last_step_to_exit", "< 0.5"),
    ("whole process, s", "whole", ""),
    ("test accuracy", "accuracy", "mean >= 0.995, lowest >= 0.99"),
)


def run_job(seed: int) -> Round:
    """Train once in a folder of its own; raises RuntimeError with the job's output where it fails."""
    with tempfile.TemporaryDirectory(prefix="training-startup-") as folder:
        base = Path(folder)
        (base / "input" / "data" / "train").mkdir(parents=True)
        (base / "input" / "config").mkdir()
        (base / "input" / "config" / "hyperparameters.json").write_text(json.dumps({"seed": str(seed)}))
        with as_file(files("sklearn.datasets.data") / "digits.csv.gz") as source:
            shutil.copy(source, base / "input" / "data" / "train")
        return _measure({**os.environ, "SAGEMAKER_BASE_DIR": folder, "PYTHONPATH": str(ROOT)})


def _measure(environment: dict[str, str]) -> Round:
    seen: dict[str, float] = {}
    accuracy = ""
    output = []
    started = time.perf_counter()
    command = [sys.executable, "-m", "training"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            key, _, rest = line.partition("=")
            seen[key] = time.perf_counter()  # the last line of a kind stays
            output.append(line)
            if key == "test_accuracy":
                accuracy = rest.split()[0]
        code = process.wait()
    ended = time.perf_counter()
    if code != 0:
        raise RuntimeError(f"the job ended with {code}:\n{''.join(output)}")
    return Round(
        start_to_first_step=seen["model"] - started,
        training=seen["epoch"] - seen["model"],
        last_step_to_exit=ended - seen["epoch"],
        whole=ended - started,
        accuracy=float(accuracy),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the training job's start, end and accuracy.")
    parser.add_argument("--rounds", type=int, default=5, help="jobs to measure, seeds 0, 1, ... (default 5)")
    count = parser.parse_args().rounds
    run_job(0)
    rounds = [run_job(seed) for seed in range(count)]
    load = os.getloadavg()[0]
    print(f"{datetime.date.today()}, {os.cpu_count()} CPUs ({platform.machine()}), Python {platform.python_version()},")
    print(f"{count} jobs, load average at the end {load:.1f}\n")
    print("| what | median | lowest | highest | mean | floor |\n| --- | --- | --- | --- | --- | --- |")
    for label, field, floor in ROWS:
        values = [getattr(item, field) for item in rounds]
        numbers = (statistics.median(values), min(values), max(values), statistics.fmean(values))
        print(f"| {label} | {' | '.join(f'{number:.4g}' for number in numbers)} | {floor} |")


if __name__ == "__main__":
    main()
