"""A run that is killed with SIGKILL again and again: `python -m tests.unit.training.kills FOLDER`.

Each attempt is a fork of one process that has torch imported; it saves after every step and is killed after a random
number of them, in the middle of whatever it does then: a step, a write, a rename. Prints the steps of the kills.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from tests.unit.training import toy
from training.config import TrainingConfig
from training.loop import Loop

KILLS = 20
CONFIG = {"epochs": 20, "batch_size": 16, "ema_decay": 0.9, "checkpoint_every_seconds": 1e-9}
STEPS = 20 * 6
POLL_SECONDS = 0.0005


def run(folder: Path) -> Loop:
    """To the end, from whatever the folder holds."""
    loop = toy.make(TrainingConfig.of(**CONFIG), toy.store(folder, []), lines=[])
    saved = toy.store(folder, []).newest()
    if saved is not None:
        loop.restore(saved)
    loop.fit()
    return loop


def killed(folder: Path, after: int) -> int:
    """An attempt that is killed once it has come `after` steps further; returns the step of its newest checkpoint."""
    start = newest_step(folder)
    child = os.fork()
    if not child:
        torch.set_num_threads(1)
        run(folder)
        os._exit(0)
    try:
        while newest_step(folder) < start + after and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(POLL_SECONDS)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        raise SystemExit(f"the attempt from step {start} ended by itself") from None
    return newest_step(folder)


def newest_step(folder: Path) -> int:
    names = [path.name for path in folder.glob("*.pt")] if folder.is_dir() else []
    return max((int(name.split("-")[2]) for name in names), default=0)


def main() -> None:
    torch.set_num_threads(1)
    folder, draw = Path(sys.argv[1]), random.Random(0)
    steps = [killed(folder / "killed", draw.randint(1, 5)) for _ in range(KILLS)]
    resumed, whole = run(folder / "killed"), run(folder / "whole")
    for name, loop in (("resumed", resumed), ("whole", whole)):
        torch.save(loop.state.snapshot(), folder / f"{name}.pt")
    print(*steps)


if __name__ == "__main__":
    main()
