"""One loop in a process of its own: `python -m benchmarks.training.worker LOOP PROBLEM [SCORES]`.

LOOP is a name of LOOPS, PROBLEM a pickled Problem. Each line of standard input is a number of steps; once they are made
it goes back on standard output. At the end of the input the scores of the test part, float32 (n, labels), go to the
file SCORES, and the process ends.
"""

import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.training.loops import Bare, train_ours
from benchmarks.training.peers import accelerate, lightning
from benchmarks.training.problems import CPU, Problem
from benchmarks.training.segments import Script
from training.machine import raise_malloc_thresholds
from training.network import Network
from training.tasks import quality_inputs


def ours(problem: Problem, script: Script) -> Network:
    """Our loop."""
    with tempfile.TemporaryDirectory(prefix="training-worker-") as folder:
        return train_ours(problem, script, Path(folder))


def bare(problem: Problem, script: Script) -> Network:
    """The bare loop with our settings."""
    return _driven(Bare(problem), script)


def plain(problem: Problem, script: Script) -> Network:
    """The bare loop with torch's defaults."""
    return _driven(Bare(problem, plain=True), script)


def _driven(loop: Bare, script: Script) -> Network:
    loop.run(1)  # ours has made one too when its script begins
    for steps in script:
        loop.run(steps)
    return loop.network


LOOPS: dict[str, Callable[[Problem, Script], Any]] = {
    "ours": ours,
    "bare": bare,
    "bare again": bare,
    "plain": plain,
    "accelerate": accelerate,
    "lightning": lightning,
}


def commands(answers: Any) -> Script:
    """The numbers on standard input, each answered when the next one is asked for."""
    for line in sys.stdin:
        yield int(line)
        answers.write(line)
        answers.flush()


def main(name: str, problem_file: str, scores_file: str = "") -> None:
    """Train as standard input says."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what frameworks print is no answer
    with Path(problem_file).open("rb") as stream:
        problem: Problem = pickle.load(stream)  # written by the benchmark itself
    torch.set_num_threads(problem.config.loop.threads)
    if name != "plain":
        raise_malloc_thresholds()
    network = LOOPS[name](problem, commands(answers))
    if scores_file:
        programs = network.programs()
        scores, _ = quality_inputs(network.task, programs, problem.data.test, CPU)
        np.save(scores_file, scores)


if __name__ == "__main__":
    main(*sys.argv[1:])
