"""Checkpoints of sharded runs: a folder that every process writes its own part of (torch.distributed.checkpoint).

    <identity>-step-<step>/  __0_0.distcp  __1_0.distcp ...  .metadata  rest.pt  complete.json

Parts are named by rank, so that the hosts of a job can copy their folders to one S3 prefix. `complete.json` lists every
file with its size; it is written last and only a folder that holds all of it is resumed: a restart may meet the copies
of some hosts and not of others. The number of processes may differ between writing and reading.
"""

import contextlib
import json
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.checkpoint import FORMAT_VERSION, KEPT_CHECKPOINTS, CheckpointError, sync_folder
from training.processes import Processes

COMPLETE, REST = "complete.json", "rest.pt"
SHARDED = ("model", "optimizer", "averaged")  # the parts of a snapshot that hold shards
_NAME = re.compile(r"(?P<identity>[0-9a-f]{16})-step-(?P<step>\d{9})")


@dataclass(frozen=True, kw_only=True)
class ShardedCheckpointStore:
    """The same verbs as CheckpointStore; every process has to call each of them. `report` belongs to the main one."""

    folder: Path
    identity: str
    report: Callable[[str], None]
    processes: Processes

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write this process's shards of `state`; returns once those of all processes are on disk."""
        import torch.distributed.checkpoint as dcp

        final = self.folder / f"{self.identity}-step-{step:09d}"
        partial = final.with_name(f".{final.name}.partial")
        partial.mkdir(parents=True, exist_ok=True)
        try:
            with self._quietly():
                dcp.save(_tensors(state), checkpoint_id=str(partial), no_dist=self.processes.count == 1)
            if self.processes.is_main:
                rest = {name: value for name, value in state.items() if name not in SHARDED}
                torch.save({"format_version": FORMAT_VERSION, **rest}, partial / REST)
            self._complete(partial, final)
        except OSError as error:
            raise CheckpointError(
                f"the checkpoint of step {step} could not be written to {self.folder}: {error}; "
                "give the instances a larger volume (volume_gb)"
            ) from error
        for old in self._folders()[KEPT_CHECKPOINTS:]:
            shutil.rmtree(old, ignore_errors=True)
        return final

    def save_soon(self, step: int, state: dict[str, Any]) -> None:
        """At once: writing in the background would need a second set of messages between the processes."""
        try:
            self.save(step, state)
        except CheckpointError as error:
            self.report(f"{error}; the run goes on")

    def wait(self) -> None:
        """Nothing is ever being written."""

    @contextlib.contextmanager
    def _quietly(self) -> Iterator[None]:
        """Without torch's remark that a single process is single."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled, unavailable or uninitialized")
            yield

    def _complete(self, partial: Path, final: Path) -> None:
        """Give the folder its final name on every host, once all processes have written."""
        everywhere = self.processes.gather(_sizes(partial))
        sizes: dict[str, int] = {}
        for found in everywhere:
            sizes |= found
        if self.processes.local_rank == 0:
            (partial / COMPLETE).write_text(json.dumps(sizes, indent=1, sort_keys=True), encoding="utf-8")
            sync_folder(partial)
            shutil.rmtree(final, ignore_errors=True)
            partial.rename(final)
            sync_folder(self.folder)
        self.processes.gather(None)  # nobody deletes or resumes before all have renamed

    def newest(self, template: dict[str, Any]) -> dict[str, Any] | None:
        """The newest complete state, its tensors read into those of `template` (a snapshot of this run), or None."""
        complete = self.processes.gather([path.name for path in self._folders() if self._is_complete(path)])
        common = set(complete[0]).intersection(*complete[1:])
        if not common:
            return None
        return self.load(self.folder / max(common), template)

    def load(self, path: Path, template: dict[str, Any]) -> dict[str, Any]:
        """Read `path` into the tensors of `template`; raises CheckpointError where it does not fit."""
        import torch.distributed.checkpoint as dcp

        tensors = _tensors(template)
        try:
            with self._quietly():
                dcp.load(tensors, checkpoint_id=str(path), no_dist=self.processes.count == 1)
            rest: dict[str, Any] = torch.load(path / REST, weights_only=True, map_location="cpu")
        except Exception as error:  # torch.distributed.checkpoint wraps whatever each process met
            raise CheckpointError(
                f"checkpoint {path.name} cannot be read ({type(error).__name__}: {str(error)[:300]}); "
                "empty the checkpoint folder to start anew"
            ) from error
        if rest.pop("format_version") != FORMAT_VERSION:
            raise CheckpointError(f"checkpoint {path.name} has another format than this release; start anew")
        return {**rest, **{name: template[name] for name in SHARDED}}

    def _is_complete(self, path: Path) -> bool:
        try:
            wanted: dict[str, int] = json.loads((path / COMPLETE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            wanted = {}
        found = _sizes(path)
        if wanted and all(found.get(name) == size for name, size in wanted.items()):
            return True
        self.report(f"checkpoint {path.name} is not complete; trying the one before")
        return False

    def _folders(self) -> list[Path]:
        """Newest first."""
        found = self.folder.iterdir() if self.folder.is_dir() else []
        own = [path for path in found if (match := _NAME.fullmatch(path.name)) and match["identity"] == self.identity]
        return sorted((path for path in own if path.is_dir()), key=lambda path: path.name, reverse=True)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.name != COMPLETE}


def _tensors(state: dict[str, Any]) -> dict[str, Tensor]:
    """Flat name -> tensor of everything that may be sharded."""
    found: dict[str, Tensor] = {f"model.{name}": value for name, value in state["model"].items()}
    for kind, values in state["optimizer"].items():
        found |= {f"optimizer.{kind}.{index}": value for index, value in enumerate(values)}
    return found | {f"averaged.{index}": value for index, value in enumerate(state["averaged"] or [])}
