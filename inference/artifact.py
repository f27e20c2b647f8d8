"""The artifact: a folder with `manifest.json` beside `model.pt2`. This module is its only definition.

`write` makes one, `load` validates one (version, presence, size and sha256 of every file the manifest lists) and
`Artifact.program` turns it into a function. Reading and validating needs no torch, and nothing is ever unpickled.

    python -m inference --check FOLDER
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inference.manifest import (
    ArtifactError,
    Example,
    FileRecord,
    GateVerdict,
    InputSchema,
    Manifest,
    Prediction,
    parse,
)

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Artifact",
    "ArtifactError",
    "Example",
    "FileRecord",
    "GateVerdict",
    "InputSchema",
    "Manifest",
    "Prediction",
    "file_record",
    "load",
    "remove",
    "write",
]

MANIFEST_NAME = "manifest.json"
MODEL_NAME = "model.pt2"
MAX_MANIFEST_BYTES = 16 * 2**20


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A validated artifact on disk."""

    folder: Path
    manifest: Manifest
    version: str
    """First 12 hex digits of the manifest's sha256: it covers every file by their hashes."""

    def program(self) -> "Callable[[Tensor], Tensor]":
        """The model as a function: float32 (N, *input.shape) raw values -> float32 (N, labels) scores in [0, 1].

        Imports torch. Raises ArtifactError where `model.pt2` is not a program that takes and gives one tensor.
        """
        from inference.program import load_program

        return load_program(self.folder / MODEL_NAME)


def load(folder: Path) -> Artifact:
    """Validate the artifact in `folder`; raises ArtifactError naming the file, what was found and what to do."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else "no such folder"
        raise ArtifactError(f"{path} is missing (found: {found}); point the server at a folder that `train` wrote")
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise ArtifactError(f"{path} has {path.stat().st_size} bytes; expected at most {MAX_MANIFEST_BYTES}")
    raw = path.read_bytes()
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is not JSON ({error}); copy or train the artifact again") from error
    manifest = parse(document)
    for name, record in manifest.files.items():
        _check_file(folder / name, record)
    return Artifact(folder=folder, manifest=manifest, version=hashlib.sha256(raw).hexdigest()[:12])


def write(folder: Path, manifest: Manifest, files: dict[str, Path]) -> Artifact:
    """Copy `files` (name in the artifact -> source) into `folder`, then the manifest, last and atomically.

    The manifest's `files` is filled in here. The finished folder is loaded again, so a wrong manifest never leaves.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    manifest = dataclasses.replace(manifest, files={name: file_record(folder / name) for name in files})
    text = json.dumps(dataclasses.asdict(manifest), indent=1, sort_keys=True, allow_nan=False)
    partial = folder / f".{MANIFEST_NAME}.partial"
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(folder / MANIFEST_NAME)
    return load(folder)


def remove(folder: Path) -> None:
    """Take away whatever `write` put into `folder`, manifest first; other people's files stay."""
    for name in (MANIFEST_NAME, f".{MANIFEST_NAME}.partial", MODEL_NAME):
        (folder / name).unlink(missing_ok=True)


def file_record(path: Path) -> FileRecord:
    """Hash and size of the file at `path`."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileRecord(sha256=digest, size_bytes=path.stat().st_size)


def _check_file(path: Path, expected: FileRecord) -> None:
    if not path.is_file():
        raise ArtifactError(f"{path} is missing; the manifest lists it; copy or train the artifact again")
    size_bytes = path.stat().st_size
    if size_bytes != expected.size_bytes:
        raise ArtifactError(
            f"{path} has {size_bytes} bytes, expected {expected.size_bytes}; copy or train the artifact again"
        )
    found = file_record(path)
    if found.sha256 != expected.sha256:
        raise ArtifactError(
            f"{path} has sha256 {found.sha256}, expected {expected.sha256}; copy or train the artifact again"
        )
