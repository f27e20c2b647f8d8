"""Accelerate and Lightning beside our loop, all against the bare loop with the same settings.

    python benchmarks/training.py --only frameworks

Each loop is a live process of its own that trains in short segments, each between two segments of the bare loop. The
control is a second bare process: what it strays from 1 is what a ratio across processes is good for.
"""

import statistics
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from benchmarks import table
from benchmarks.machine import Load
from benchmarks.training.live import Live, workers
from benchmarks.training.peers import PEERS, is_installed
from benchmarks.training.problems import Problem
from benchmarks.training.segments import SEGMENT_SECONDS, Segment, Summary, pairs, steps_for, timed
from benchmarks.training.steady import prepared

CASES = ("mlp", "cnn")
COLUMNS = ("model", "loop", "examples a second", "ratio to bare", "extra us a step", "others' cores; quiet pairs")
ABOUT = """\
The same settings for all: batches in memory, precision, layout, malloc thresholds, fused AdamW, schedule. Frameworks
without logger, checkpoints, progress bar and data loader."""


def show(rounds: int, threads: int) -> None:
    """Measure and print."""
    table.show("Frameworks", ABOUT, COLUMNS, (row for name in CASES for row in _rows(name, rounds, threads)))


def _rows(name: str, rounds: int, threads: int) -> Iterator[list[str]]:
    chosen = prepared(name, threads, is_long=True)
    size = chosen.config.loop.batch_size
    others = ["bare again", "ours", *filter(is_installed, PEERS)]
    with tempfile.TemporaryDirectory(prefix="training-frameworks-") as folder:
        timeline = _timeline(chosen, others, rounds, Path(folder))
    bare_us = statistics.median(segment.step_us for segment in timeline if segment.who == "bare")
    yield [name, "bare", f"{size / bare_us * 1e6:.0f}", "1", "0", ""]
    for who in others:
        found = Summary.of(pairs(timeline, who, "bare"))
        label = f"{who} {version(who)}" if who in PEERS else who
        rate = f"{size / found.step_us * 1e6:.0f}"
        yield [name, label, rate, found.ratio_cell(), f"{found.extra_us:.0f}", found.load_cell()]
    for who in PEERS:
        if who not in others:
            yield [name, who, "not installed", "", "", ""]


def _timeline(chosen: Problem, others: list[str], rounds: int, folder: Path) -> list[Segment]:
    with workers(chosen, ["bare", *others], folder) as loops:
        bare, *rest = loops
        load = Load(loop.pid for loop in loops)
        steps = steps_for(SEGMENT_SECONDS, bare.run)
        for loop in rest:
            loop.run(steps)
        timeline = [timed("bare", steps, load, bare.run)]
        for round_ in range(rounds):
            for loop in _rotated(rest, round_):
                timeline += [timed(each.name, steps, load, each.run) for each in (loop, bare)]
    return timeline


def _rotated(loops: list[Live], by: int) -> list[Live]:
    """Each round begins with another one, or the same loop would always follow the same neighbour."""
    by %= len(loops)
    return loops[by:] + loops[:by]
