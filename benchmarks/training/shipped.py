"""What our settings are worth: our loop against what torch does unless told otherwise, trained to the same quality.

    python benchmarks/training.py --only shipped [--epochs 1]

Each loop is a process of its own, since the plain one keeps the C library's malloc thresholds. Both train to the end in
turns, a tenth of the run at a time, and are then judged on the same test part.
"""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks import table
from benchmarks.machine import Load
from benchmarks.training.live import workers
from benchmarks.training.problems import Problem, problem
from benchmarks.training.segments import LEAST_STEPS, Segment, Summary, pairs, timed
from training.options import LoopOptions
from training.quality import evaluate
from training.quality.intervals import Metric
from training.quality.paired import paired_test
from training.quality.record import Quality

FLOORS = {"cnn": 2.0, "resnet9": 2.5, "lstm": 2.5}
WARM_UP_STEPS = 5
SIGNIFICANCE = 0.05
COLUMNS = (
    "model",
    "plain, ms a step",
    "ours, ms a step",
    "ours / plain",
    "others' cores; quiet pairs",
    "floor",
    "test accuracy, plain",
    "test accuracy, ours",
    "ours less plain, paired",
)


def show(rounds: int, threads: int, epochs: int) -> None:
    """Measure and print; the run is cut into `rounds` segments, and is as long as the model's default at 0 epochs."""
    about = f"""\
Plain: fp32, contiguous, torch.optim.AdamW with its defaults, default malloc. Ours: the job's hyperparameters with
precision=auto (default: {LoopOptions().precision}) and no augmentation. Both: threads={threads} (a job leaves a core
to its helpers unless `threads` is set), for as many epochs, in separate processes in turns. Accuracy with its 95%
interval; the difference by pairs, with the exact McNemar test of whether ours is worse."""
    rows = (_row(name, rounds, threads, epochs) for name in FLOORS)
    table.show("As shipped, against a plain loop", about, COLUMNS, rows)


def _row(name: str, rounds: int, threads: int, epochs: int) -> list[str]:
    chosen = problem(name)
    chosen = chosen.having(precision="auto", threads=threads, epochs=epochs or chosen.config.loop.epochs)
    with tempfile.TemporaryDirectory(prefix="training-shipped-") as folder:
        timeline = _train(chosen, rounds, Path(folder))
        plain, ours = (_quality(chosen, Path(folder) / f"{who}.npy") for who in ("plain", "ours"))
    found = Summary.of(pairs(timeline, "ours", "plain"))
    test = paired_test(ours, plain)
    return [
        f"{name}, {chosen.config.loop.epochs} epochs",
        f"{(found.step_us - found.extra_us) / 1e3:.1f}",
        f"{found.step_us / 1e3:.1f}",
        found.ratio_cell(),
        found.load_cell(),
        found.verdict(FLOORS[name]),
        _cell(plain.measured["accuracy"]),
        _cell(ours.measured["accuracy"]),
        f"{_cell(test.difference)}, {test.verdict(SIGNIFICANCE)} (p = {test.p_value:.2g})",
    ]


def _train(chosen: Problem, rounds: int, folder: Path) -> list[Segment]:
    """Both to their ends, in turns; the timeline begins and ends with the plain loop."""
    total = chosen.config.loop.epochs * chosen.steps_per_epoch
    with workers(chosen, ("plain", "ours"), folder, with_scores=True) as (plain, ours):
        load = Load((plain.pid, ours.pid))
        for loop in (plain, ours):
            loop.run(WARM_UP_STEPS)
        left = total - WARM_UP_STEPS - 1  # one was made before the first turn
        rounds = min(rounds, left // LEAST_STEPS - 1)
        steps = left // (rounds + 1)
        timeline = []
        for _ in range(rounds):
            timeline += [timed(loop.name, steps, load, loop.run) for loop in (plain, ours)]
        timeline.append(timed("plain", steps, load, plain.run))
        for loop, made in ((plain, (rounds + 1) * steps), (ours, rounds * steps)):
            if made < left:
                loop.run(left - made)
    return timeline


def _quality(chosen: Problem, scores: Path) -> Quality:
    targets = np.concatenate([window.read()[1].numpy() for window in chosen.data.test.plan(None)])
    return evaluate(chosen.data.task, np.load(scores), targets, chosen.data.labels)


def _cell(metric: Metric) -> str:
    return f"{metric.value:.4f} [{metric.low:.4f}, {metric.high:.4f}]"
