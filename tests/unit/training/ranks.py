"""Runs of several processes, forked from one that has torch imported: `python -m tests.unit.training.ranks FOLDER`.

Every run leaves `<name>.pt` with its final whole weights in FOLDER; the tests compare them. A start of Python with
torch for each process would cost two seconds; the forks cost none.
"""

import dataclasses
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.unit.training import toy
from training import processes
from training.config import TrainingConfig
from training.distribute import full_weights
from training.errors import StoppedError
from training.processes import Processes
from training.sharded_checkpoint import ShardedCheckpointStore
from training.signals import StopFlag

CONFIG: dict[str, Any] = {"epochs": 4, "batch_size": 16, "checkpoint_every_seconds": 86_400.0}
STOP_AT = 8


def in_processes(count: int, work: Callable[[Processes], None]) -> None:
    """Run `work` in `count` forked processes; raises where one fails."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    children = [_forked(rank, count, port, work) for rank in range(count)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    if any(codes):
        raise SystemExit(f"exit codes {codes}")


def _forked(rank: int, count: int, port: int, work: Callable[[Processes], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        own = {"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in own.items()})
        os.environ.update(MASTER_ADDR="127.0.0.1", GLOO_SOCKET_IFNAME="lo")
        torch.set_num_threads(1)
        me = processes.join()
        work(me)
        processes.leave(me)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def train(
    folder: Path, name: str, *, kind: str = "ddp", resume: str = "", stop: str = ""
) -> Callable[[Processes], None]:
    """A run that leaves `<name>.pt`; it resumes from folder `resume`, or stops and saves in folder `stop`."""

    def work(me: Processes) -> None:
        config = TrainingConfig.of(**CONFIG, distributed=kind)
        checkpoints = folder / (stop or name)
        sharded = ShardedCheckpointStore(folder=checkpoints, identity=toy.IDENTITY, report=print, processes=me)
        plain = toy.store(checkpoints)
        writer: Any = sharded if kind == "fsdp" else plain if me.is_main else Silent()
        ask = StopFlag() if not stop or me.rank else AskFrom(STOP_AT - 2)
        loop = toy.make(config, writer, build=toy.layers, processes=me, stop=ask, lines=[])
        if resume:
            there: Any = (
                dataclasses.replace(writer, folder=folder / resume) if kind == "fsdp" else toy.store(folder / resume)
            )
            saved = there.newest(loop.snapshot()) if kind == "fsdp" else there.newest()
            assert saved is not None and saved["step"] == STOP_AT
            loop.restore(saved)
        try:
            loop.fit()
            assert not stop
        except StoppedError:
            assert stop and loop.state.step == STOP_AT
        weights = full_weights(loop.state.model.state_dict())
        if me.is_main:
            torch.save(weights, folder / f"{name}.pt")

    return work


class AskFrom(StopFlag):
    """Set from the nth look on, as a signal is."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = 0

    def __bool__(self) -> bool:
        self.looks += 1
        return True


class Silent:
    """The store of a process that does not write."""

    def save(self, step: int, state: dict[str, Any]) -> Path:
        return Path("elsewhere")

    def save_soon(self, step: int, state: dict[str, Any]) -> None:
        pass

    def wait(self) -> None:
        pass


def main() -> None:
    folder = Path(sys.argv[1])
    import torch.distributed.checkpoint
    import torch.distributed.fsdp  # noqa: F401  (both once, before the forks)

    in_processes(1, train(folder, "one"))
    in_processes(2, train(folder, "ddp"))
    in_processes(2, train(folder, "fsdp", kind="fsdp"))
    in_processes(2, train(folder, "ddp-stopped", stop="ddp-half"))
    in_processes(2, train(folder, "fsdp-stopped", kind="fsdp", stop="fsdp-half"))
    for count in (1, 4):
        in_processes(count, train(folder, f"ddp-on-{count}", resume="ddp-half"))
        in_processes(count, train(folder, f"fsdp-on-{count}", kind="fsdp", resume="fsdp-half"))


if __name__ == "__main__":
    main()
