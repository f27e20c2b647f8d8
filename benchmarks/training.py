"""What the training loop costs and gains; prints Markdown tables with date, machine and load.

    python benchmarks/training.py [--only steady,shipped,frameworks,checkpoint,gpu] [--rounds 11] [--threads 2]

- steady: our loop against a bare one with the same settings, in one process
- shipped: our settings against torch's defaults, to the same quality
- frameworks: Accelerate and Lightning beside it, where they are installed (benchmarks/README.md says how)
- checkpoint: what saving 75 MiB costs the loop
- gpu: the same on a GPU, and the share of its peak

Start and end of a job are in benchmarks/training_startup.py.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Before this folder, whose `training` is not the one that is measured.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import cores, headline
from benchmarks.training import checkpoint, frameworks, gpu, shipped, steady
from training.machine import raise_malloc_thresholds

SECTIONS = ("steady", "shipped", "frameworks", "checkpoint", "gpu")
ROUNDS = 11


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description="Measure the training loop.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"segments of each loop (default {ROUNDS})")
    parser.add_argument("--threads", type=int, default=min(2, cores()), help="of the arithmetic (default: 2)")
    parser.add_argument("--epochs", type=int, default=0, help="of `shipped` (default: the model's own)")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}, with commas between")
    given = parser.parse_args()
    given.only = given.only.split(",")
    if unknown := set(given.only) - set(SECTIONS):
        parser.error(f"--only: {', '.join(sorted(unknown))} is unknown; there are {', '.join(SECTIONS)}")
    if min(given.rounds, given.threads) < 1 or given.epochs < 0:
        parser.error("--rounds and --threads have to be 1 or more, --epochs 0 or more")
    return given


def main() -> None:
    """Measure and print."""
    given = arguments()
    raise_malloc_thresholds()  # as a job does
    sections: dict[str, Callable[[], None]] = {
        "steady": lambda: steady.show(given.rounds, given.threads),
        "shipped": lambda: shipped.show(given.rounds, given.threads, given.epochs),
        "frameworks": lambda: frameworks.show(given.rounds, given.threads),
        "checkpoint": lambda: checkpoint.show(given.rounds, given.threads),
        "gpu": lambda: gpu.show(given.rounds),
    }
    print(f"{headline()}, {given.rounds} rounds", flush=True)
    started = time.perf_counter()
    for name, section in sections.items():
        if name in given.only:
            section()
    print(f"\ntook {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
