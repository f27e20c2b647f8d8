"""Twenty kills without a warning change nothing: weights, optimizer, average and history are bitwise the same."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from tests.unit.training.kills import KILLS, STEPS

ROOT = Path(__file__).resolve().parents[3]
LIMIT_SECONDS = 200


def test_a_run_killed_twenty_times_ends_with_bitwise_the_same_state(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.unit.training.kills", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    steps = [int(word) for word in done.stdout.split()]
    assert len(steps) == KILLS and steps == sorted(steps) and steps[0] > 0 and steps[-1] < STEPS
    resumed, whole = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("resumed", "whole"))
    assert whole["step"] == STEPS
    assert_same(resumed, whole, "state")


def assert_same(ours: Any, theirs: Any, place: str) -> None:
    if isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs), place
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), place
        for name, value in ours.items():
            assert_same(value, theirs[name], f"{place}.{name}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), place
        for number, value in enumerate(ours):
            assert_same(value, theirs[number], f"{place}[{number}]")
    else:
        assert ours == theirs, place
