"""Checkpoints that survive a kill at any moment and are never trusted blindly.

A file is written under another name, flushed to disk and renamed: SageMaker copies the folder to S3 while the job runs,
so a half-written file must never carry a final name. The name holds the run's identity, the step and the content's
hash: `<identity>-step-<step>-<12 hex>.pt`. Loading uses `weights_only=True`, so a file cannot run code.
"""

import hashlib
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

KEPT_CHECKPOINTS = 2  # the newest, and the one before in case it is damaged
_NAME = re.compile(r"(?P<identity>[0-9a-f]{16})-step-(?P<step>\d{9})-(?P<digest>[0-9a-f]{12})\.pt")


@dataclass(frozen=True, kw_only=True)
class CheckpointStore:
    """The checkpoints of one configuration in `folder`; other files stay. `report` gets lines for the log."""

    folder: Path
    identity: str
    report: Callable[[str], None]

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write `state` (tensors, numbers, strings, lists, dicts) durably; returns the file's path."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getvalue()
        path = self.folder / f"{self.identity}-step-{step:09d}-{_digest(content)}.pt"
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f".{path.name}.partial"
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
        _sync_folder(self.folder)
        for old in self._files()[KEPT_CHECKPOINTS:]:
            old.unlink()
        return path

    def newest(self) -> dict[str, Any] | None:
        """The newest undamaged state, or None; each damaged file is reported and the one before it is tried."""
        for path in self._files():
            content = path.read_bytes()
            match = _NAME.fullmatch(path.name)
            if match and match["digest"] == _digest(content):
                state: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
                return state
            self.report(
                f"checkpoint {path.name} is damaged (its content does not match its name); trying the one before"
            )
        return None

    def _files(self) -> list[Path]:
        """Newest first."""
        found = self.folder.glob(f"{self.identity}-step-*.pt") if self.folder.is_dir() else []
        return sorted((path for path in found if _NAME.fullmatch(path.name)), key=lambda path: path.name, reverse=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
