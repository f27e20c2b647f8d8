"""Steady state: our loop against the bare loop with the same settings, in one process, in short segments in turn.

    python benchmarks/training.py --only steady

Across processes the same loop strays by up to 7 % (the heap lies elsewhere), so a bar of 0.97 is checked inside one.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import table
from benchmarks.machine import Load
from benchmarks.training.loops import Bare, train_ours
from benchmarks.training.problems import CPU, Problem, problem
from benchmarks.training.segments import SEGMENT_SECONDS, Script, Segment, Summary, pairs, steps_for, timed

FLOOR = 0.97
RUN_STEPS = 200_000  # more than any sensible number of rounds takes
EPOCH_ROWS = 8192  # real parts are a few hundred rows; repeated, the ends of epochs are no part of the steady state
NEVER_SECONDS = 86_400.0  # checkpoints have a table of their own
ABOUT = """\
Examples a second of our loop over those of a bare one (index-select, zero_grad, forward, loss, backward, step of the
fused torch.optim.AdamW), in one process, in turn: bare, ours, bare, bare again. Same model, data, precision, layout,
schedule and malloc thresholds; no augmentation. Median [quartiles] of the pairs in which other processes used at most
0.15 of a core."""
COLUMNS = (
    "model",
    "settings",
    "bare, us a step",
    "ours / bare",
    "ours: extra us a step",
    "control: bare / bare",
    "others' cores; quiet pairs",
    "floor",
)
# (name, whether the epochs are long)
CASES = (("mlp", True), ("mlp", False), ("cnn", True), ("resnet9", False), ("lstm", False))


@dataclass(frozen=True, kw_only=True)
class Steady:
    """What was measured of one model."""

    ours: Summary
    control: Summary
    precision: str


def show(rounds: int, threads: int) -> None:
    """Measure and print."""
    table.show("Steady state", ABOUT, COLUMNS, _rows(rounds, threads))


def prepared(name: str, threads: int, *, is_long: bool) -> Problem:
    """A problem as it is timed: the mlp on one thread, as a second does not help it, and in fp32, as its default is."""
    settings = {"threads": 1} if name == "mlp" else {"threads": threads, "precision": "auto"}
    chosen = problem(name).having(**settings, checkpoint_every_seconds=NEVER_SECONDS)
    return (chosen.repeated(EPOCH_ROWS) if is_long else chosen).lasting(RUN_STEPS)


def _rows(rounds: int, threads: int) -> Iterator[list[str]]:
    for name, is_long in CASES:
        chosen = prepared(name, threads, is_long=is_long)
        found = measure(chosen, rounds)
        yield [
            f"{name}, {chosen.steps_per_epoch} steps an epoch",
            f"{found.precision}, threads {chosen.config.loop.threads}",
            f"{found.ours.step_us - found.ours.extra_us:.0f}",
            found.ours.ratio_cell(),
            f"{found.ours.extra_us:.1f}",
            found.control.ratio_cell(),
            found.ours.load_cell(),
            found.ours.verdict(FLOOR),
        ]


def measure(chosen: Problem, rounds: int, device: torch.device = CPU) -> Steady:
    """Segments of half a second, `rounds` of them ours."""
    timeline: list[Segment] = []
    bare = Bare(chosen, device=device)
    with tempfile.TemporaryDirectory(prefix="training-steady-") as folder:
        train_ours(chosen, _script(bare, rounds, timeline, device), Path(folder), device)
    found = {who: pairs(timeline, who, "bare") for who in ("ours", "bare again")}
    if len(found["bare again"]) < rounds:
        raise RuntimeError(f"{chosen.name}: {RUN_STEPS} steps are too few for {rounds} rounds; use fewer --rounds")
    return Steady(ours=Summary.of(found["ours"]), control=Summary.of(found["bare again"]), precision=bare.precision)


def _script(bare: Bare, rounds: int, timeline: list[Segment], device: torch.device) -> Script:
    """How many steps ours shall make; the bare loop's segments run in between."""
    load = Load()

    def run(steps: int) -> None:
        bare.run(steps)
        finish(device)

    steps = steps_for(SEGMENT_SECONDS, run)
    yield steps  # a warm-up
    finish(device)
    timeline.append(timed("bare", steps, load, run))
    for _ in range(rounds):
        before = load.read()
        yield steps
        finish(device)
        timeline.append(Segment.since(before, "ours", steps, load))
        timeline += [timed(who, steps, load, run) for who in ("bare", "bare again", "bare")]


def finish(device: torch.device) -> None:
    """Wait for the kernels that are still running on a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
