"""Where a run's checkpoints are kept, and the way back into the loop after an interruption."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from training.checkpoint import CheckpointError, CheckpointStore
from training.processes import Processes
from training.sharded_checkpoint import ShardedCheckpointStore

State = dict[str, Any]
Report = Callable[[str], None]


class Store(Protocol):
    """What the loop asks of its checkpoints."""

    def save(self, step: int, state: State) -> Path:
        """On disk when this returns."""

    def save_soon(self, step: int, state: State) -> None:
        """Copied when this returns; a failure is only reported."""

    def wait(self) -> None:
        """Until nothing is being written."""


class NoStore:
    """Of a process that leaves the writing to the main one."""

    def save(self, step: int, state: State) -> Path:
        return Path("written by the main process")

    def save_soon(self, step: int, state: State) -> None: ...

    def wait(self) -> None: ...


def create_store(folder: Path, identity: str, processes: Processes, report: Report, *, sharded: bool) -> Store:
    """Each process of a sharded run writes its own part; otherwise the main process writes everything."""
    if sharded:
        return ShardedCheckpointStore(folder=folder, identity=identity, report=report, processes=processes)
    return CheckpointStore(folder=folder, identity=identity, report=report) if processes.is_main else NoStore()


def newest(
    folder: Path, identity: str, processes: Processes, report: Report, template: Callable[[], State], *, sharded: bool
) -> State | None:
    """The newest state that every process has, or None. `template` gives a snapshot of the run before its first step.

    A sharded run's checkpoints fit any number of processes, and one process without shards too.
    Raises CheckpointError where the hosts' folders differ.
    """
    quiet: Report = report if processes.is_main else lambda line: None
    shards = ShardedCheckpointStore(folder=folder, identity=identity, report=quiet, processes=processes)
    if sharded:
        return shards.newest(template())
    found = CheckpointStore(folder=folder, identity=identity, report=quiet).newest()
    if found is None and processes.count == 1:
        found = shards.newest(template())
    steps = processes.gather(found["step"] if found else 0)
    if len(set(steps)) > 1:
        raise CheckpointError(
            f"the hosts hold checkpoints of different steps ({', '.join(map(str, steps))}, by rank); "
            "let the platform restore the checkpoint folder on every host, or empty it on all of them"
        )
    return found
