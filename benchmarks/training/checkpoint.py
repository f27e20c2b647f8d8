"""What a checkpoint costs: 75 MiB, a ResNet-9 of width 64 with the state of AdamW.

    python benchmarks/training.py --only checkpoint

`TMPDIR` chooses the disk. Every way ends with an fsync; the ways are taken in turns.
"""

import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks import table
from benchmarks.machine import QUIET_CORES, Load
from benchmarks.training.problems import problem
from benchmarks.training.segments import LEAST_QUIET_PAIRS
from training.checkpoint import CheckpointStore
from training.state import TrainState

FLOOR_MS = 40.0
COLUMNS = (
    "way",
    "loop blocked, ms: median [lowest, highest]",
    "until on disk, ms",
    "others' cores; quiet rounds",
    "floor",
)
OURS = "ours: save_soon"
State = dict[str, Any]


class Seconds(NamedTuple):
    """Of one save."""

    blocked: float
    on_disk: float


class Round(NamedTuple):
    """One save each way, and what other processes used meanwhile, in cores."""

    saves: dict[str, Seconds]
    others: float


def show(rounds: int, threads: int) -> None:
    """Measure and print."""
    torch.set_num_threads(threads)
    state = _state()
    about = f"""\
A state of {_mib(state):.1f} MiB, {rounds} times each, in turns. The first of each, which finds no memory to copy into,
is not counted."""
    with tempfile.TemporaryDirectory(prefix="training-checkpoint-") as folder:
        table.show("Checkpoints", about, COLUMNS, _rows(state, Path(folder), rounds))


def _state() -> State:
    chosen = problem("resnet9")
    return TrainState.create(chosen.network().model, chosen.config, "fp32").snapshot()


def _tensors(state: Any) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, (dict, list)):
        for value in state.values() if isinstance(state, dict) else state:
            yield from _tensors(value)


def _mib(state: State) -> float:
    return sum(tensor.nbytes for tensor in _tensors(state)) / 2**20


def _rows(state: State, folder: Path, rounds: int) -> Iterator[list[str]]:
    with _process_group():
        ways = _ways(state, folder)
        _, *found = [_round(ways) for _ in range(rounds + 1)]
    quiet = [each for each in found if not each.others > QUIET_CORES]
    is_busy = len(quiet) < LEAST_QUIET_PAIRS
    used = found if is_busy else quiet
    load = f"{statistics.median(each.others for each in found):.2f}; {len(quiet)} of {len(found)}"
    for name in ways:
        blocked = [each.saves[name].blocked * 1e3 for each in used]
        on_disk = statistics.median(each.saves[name].on_disk * 1e3 for each in used)
        median = statistics.median(blocked)
        reached = "not judged" if is_busy else "met" if median < FLOOR_MS else "**missed**"
        yield [
            name,
            f"{median:.0f} [{min(blocked):.0f}, {max(blocked):.0f}]",
            f"{on_disk:.0f}",
            load + (" **busy**" if is_busy else ""),
            f"< {FLOOR_MS:g}: {reached}" if name == OURS else "",
        ]


def _round(ways: dict[str, Callable[[], Seconds]]) -> Round:
    load = Load()
    before = load.read()
    saves = {name: way() for name, way in ways.items()}
    return Round(saves, load.cores_since(before))


def _ways(state: State, folder: Path) -> dict[str, Callable[[], Seconds]]:
    """Each saves once and says how long that took."""
    import torch.distributed.checkpoint as dcp

    store = CheckpointStore(folder=folder / "ours", identity="0" * 16, report=print)
    flat = {str(index): tensor for index, tensor in enumerate(_tensors(state))}
    return {
        OURS: lambda: _timed(lambda: store.save_soon(1, state), lambda _: store.wait()),
        "torch.save, fsync, rename": lambda: _timed(lambda: _save(state, folder / "plain.pt")),
        "torch.distributed.checkpoint.save": lambda: _timed(lambda: dcp.save(flat, checkpoint_id=folder / "dcp")),
        "torch.distributed.checkpoint.async_save": lambda: _timed(
            lambda: dcp.async_save(flat, checkpoint_id=folder / "async"), lambda future: future.result()
        ),
    }


def _timed(begin: Callable[[], Any], end: Callable[[Any], object] = lambda begun: None) -> Seconds:
    started = time.perf_counter()
    begun = begin()
    blocked = time.perf_counter() - started
    end(begun)
    return Seconds(blocked, time.perf_counter() - started)


def _save(state: State, path: Path) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


@contextmanager
def _process_group() -> Iterator[None]:
    """Of this process alone: async_save wants one."""
    import torch.distributed as dist

    warnings.filterwarnings("ignore", module="torch.distributed")  # on saving from one process
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    try:
        yield
    finally:
        dist.destroy_process_group()
