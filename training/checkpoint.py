"""Checkpoints that survive a kill at any moment and are never trusted blindly.

A file is written under another name, flushed to disk and renamed: SageMaker copies the folder to S3 while the job runs,
so a half-written file must never carry a final name. The name holds the run's identity, the step and the content's
hash: `<identity>-step-<step>-<12 hex>.pt`. Loading uses `weights_only=True`, so a file cannot run code.

Large states are copied in memory (20 ms for 75 MiB) and written by a thread while the loop goes on.
"""

import hashlib
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

FORMAT_VERSION = 2
KEPT_CHECKPOINTS = 2  # the newest, and the one before in case it is damaged
BACKGROUND_BYTES = 4 * 2**20  # smaller ones are on disk before a thread would have started
_NAME = re.compile(r"(?P<identity>[0-9a-f]{16})-step-(?P<step>\d{9})-(?P<digest>[0-9a-f]{12})\.pt")


class CheckpointError(Exception):
    """A checkpoint could not be written, or fits this run by its name but not by its content."""


@dataclass(kw_only=True)
class CheckpointStore:
    """The checkpoints of one configuration in `folder`; other files stay. `report` gets lines for the log."""

    folder: Path
    identity: str
    report: Callable[[str], None]
    _thread: threading.Thread | None = field(default=None, init=False)
    _copy: Any = field(default=None, init=False)  # of the last state: fresh memory would cost five times the copying

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write `state` (tensors, numbers, strings, lists, dicts) durably; returns the file's path.

        Raises CheckpointError where it cannot be written (disk full, say); the earlier ones stay.
        """
        self.wait()
        try:
            return self._write(step, state)
        except OSError as error:
            raise CheckpointError(self._problem(step, error)) from error

    def save_soon(self, step: int, state: dict[str, Any]) -> None:
        """Like `save`, but returns once the state is copied; a failure is reported and the run goes on.

        An expensive run should not die of a full disk that is none of its business: it still has its older checkpoint.
        """
        self.wait()
        if _size_bytes(state) < BACKGROUND_BYTES:
            self._attempt(step, state)
            return
        self._copy = copied(state, self._copy)
        self._thread = threading.Thread(target=self._attempt, args=(step, self._copy), name="checkpoint", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until nothing is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def newest(self) -> dict[str, Any] | None:
        """The newest undamaged state, or None; each damaged file is reported and the one before it is tried."""
        for path in self._files():
            match = _NAME.fullmatch(path.name)
            if match and match["digest"] == _digest(path):
                return self._load(path)
            self.report(
                f"checkpoint {path.name} is damaged (its content does not match its name); trying the one before"
            )
        self._mention_others()
        return None

    def _load(self, path: Path) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        if state.get("format_version") != FORMAT_VERSION:
            raise CheckpointError(
                f"checkpoint {path.name} has format {state.get('format_version')!r}, this release reads "
                f"{FORMAT_VERSION}; empty the checkpoint folder to start anew, or train with the release that wrote it"
            )
        return state

    def _mention_others(self) -> None:
        """A changed setting or data set starts anew; say so, or a person wonders where the work went."""
        found = self.folder.glob("*.pt") if self.folder.is_dir() else []
        names = [match for path in found if (match := _NAME.fullmatch(path.name))]
        if names := [match for match in names if match["identity"] != self.identity]:
            self.report(
                f"{len(names)} checkpoints of other settings, models or data (such as {names[0].group()}) are not "
                f"resumed; this run is {self.identity} and starts at its first step"
            )

    def _attempt(self, step: int, state: dict[str, Any]) -> None:
        try:
            self._write(step, state)
        except OSError as error:
            self.report(f"{self._problem(step, error)}; the run goes on")

    def _problem(self, step: int, error: OSError) -> str:
        kept = [path.name for path in self._files()]
        return (
            f"the checkpoint of step {step} could not be written to {self.folder}: {error.strerror or error}; "
            f"the newest is {kept[0] if kept else 'none'}; give the instance a larger volume (volume_gb)"
        )

    def _write(self, step: int, state: dict[str, Any]) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f".{self.identity}-step-{step:09d}.partial"
        try:
            with partial.open("wb") as stream:
                hashing = _HashingStream(stream)
                torch.save({"format_version": FORMAT_VERSION, **state}, hashing)
                stream.flush()
                os.fsync(stream.fileno())
            path = self.folder / f"{self.identity}-step-{step:09d}-{hashing.digest.hexdigest()[:12]}.pt"
            partial.replace(path)
        except (OSError, RuntimeError) as error:  # torch's writer turns a failed write into a RuntimeError
            partial.unlink(missing_ok=True)
            raise error if isinstance(error, OSError) else OSError(error.__cause__ or str(error)) from error
        sync_folder(self.folder)
        for old in [*self._files()[KEPT_CHECKPOINTS:], *self.folder.glob(f".{self.identity}-step-*.partial")]:
            old.unlink()  # partial ones are what a kill has left
        return path

    def _files(self) -> list[Path]:
        """Newest first."""
        found = self.folder.glob(f"{self.identity}-step-*.pt") if self.folder.is_dir() else []
        return sorted((path for path in found if _NAME.fullmatch(path.name)), key=lambda path: path.name, reverse=True)


class _HashingStream:
    """A file that is only appended to, hashed on the way."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()


def copied(state: Any, earlier: Any = None) -> Any:
    """The same, with every tensor copied to the CPU's memory: that of `earlier`, a copy made before, where it fits."""
    if isinstance(state, Tensor):
        if isinstance(earlier, Tensor) and (earlier.shape, earlier.dtype) == (state.shape, state.dtype):
            return earlier.copy_(state.detach())
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        known = earlier if isinstance(earlier, dict) else {}
        return {name: copied(value, known.get(name)) for name, value in state.items()}
    if isinstance(state, list):
        old = earlier if isinstance(earlier, list) and len(earlier) == len(state) else [None] * len(state)
        return [copied(*pair) for pair in zip(state, old, strict=True)]
    return state


def _size_bytes(state: Any) -> int:
    if isinstance(state, Tensor):
        return state.nbytes
    if isinstance(state, dict):
        return sum(map(_size_bytes, state.values()))
    return sum(map(_size_bytes, state)) if isinstance(state, list) else 0


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
