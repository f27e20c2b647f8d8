"""The artifact: a folder with `manifest.json` beside the exported programs. This module is its only definition.

    manifest.json                 what the model is, and size and sha256 of every other file
    model.pt2, model.onnx         the program `predict`; a generator has `encode` and `decode` in its place
    tokenizer.json                texts only
    code/*                        what a user's own serving code needs

`write` makes one, `load` validates one (version, presence, size and sha256 of every file the manifest lists), and
`Artifact.program` and `Artifact.run` use it. Reading and validating needs no torch, and nothing is ever unpickled.

    python -m inference --check FOLDER
"""

import dataclasses
import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.formats.images import MAX_IMAGE_PIXELS, fit_image
from inference.manifests.fields import ArtifactError
from inference.manifests.manifest import FORMAT_VERSION, TASKS, Manifest, as_document, may_be_a_file, parse
from inference.manifests.records import Example, ExportFacts, FileRecord, GateCheck, GateVerdict, Prediction
from inference.manifests.schema import TOKENIZER_NAME, InputSchema
from inference.manifests.table import Column
from inference.manifests.tokenizer import Tokenizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from inference.engines.engine import Engine

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "MAX_IMAGE_PIXELS",
    "TASKS",
    "TOKENIZER_NAME",
    "Artifact",
    "ArtifactError",
    "Column",
    "Example",
    "ExportFacts",
    "FileRecord",
    "GateCheck",
    "GateVerdict",
    "InputSchema",
    "Manifest",
    "Prediction",
    "Tokenizer",
    "file_record",
    "fit_image",
    "load",
    "remove",
    "write",
]

MANIFEST_NAME = "manifest.json"
PARTIAL_NAME = f".{MANIFEST_NAME}.partial"
MAX_MANIFEST_BYTES = 16 * 2**20


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A validated artifact on disk."""

    folder: Path
    manifest: Manifest
    version: str
    """First 12 hex digits of the manifest's sha256: it covers every file by their hashes."""

    def program(self, name: str = "predict", device: str = "cpu") -> "Callable[[Tensor], Tensor]":
        """A program of torch.export as a function of a batch on `device`: the schema's raw values, or latents.

        Imports torch. Raises ArtifactError where the file is another format or no program of one tensor.
        """
        from inference.engines.program import load_program

        path = self.path(name)
        if path.suffix != ".pt2":
            raise ArtifactError(f"{path} is no torch.export archive; run it with Artifact.run")
        return load_program(path, device)

    def run(self, name: str, batch: "NDArray[Any]") -> "NDArray[np.float32]":
        """The program `name` on a numpy batch, whatever its format; float32 (N, ...) comes back.

        `batch` is (N, *input.shape) of the schema's dtype, or float32 (N, latent) for `decode`. The programs are loaded
        by the first call. Raises ArtifactError where they cannot be.
        """
        return self._engine.run(name, batch)

    def tokenizer(self) -> Tokenizer | None:
        """What turns texts into token ids, None where the model takes no texts; raises ArtifactError."""
        name = self.manifest.input.tokenizer
        return Tokenizer.load(self.folder / name) if name else None

    def path(self, name: str) -> Path:
        """The file of the program `name`; raises ArtifactError where the task has no such program."""
        programs = self.manifest.programs
        if name not in programs:
            raise ArtifactError(f"{self.folder} has no program {name!r}; it has {', '.join(programs)}")
        return self.folder / programs[name]

    @functools.cached_property
    def _engine(self) -> "Engine":
        from inference.engines.engine import engine_for

        return engine_for(self)


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
    """Copy `files` (name in the artifact -> source) into `folder`, between a partial manifest and the atomic real one.

    The manifest's `files` is filled in here. The partial manifest comes first so that `remove` knows what an
    interrupted call has left. The finished folder is loaded again, so a wrong manifest never leaves.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = dataclasses.replace(manifest, files={name: file_record(source) for name, source in files.items()})
    text = json.dumps(as_document(manifest), indent=1, sort_keys=True, allow_nan=False)
    parse(json.loads(text))
    partial = folder / PARTIAL_NAME
    partial.write_text(text + "\n", encoding="utf-8")
    for name, source in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    partial.replace(folder / MANIFEST_NAME)
    return load(folder)


def remove(folder: Path) -> None:
    """Take away whatever `write` put into `folder`, finished or not, the manifest first; other people's files stay."""
    names = [name for manifest in (MANIFEST_NAME, PARTIAL_NAME) for name in _listed(folder / manifest)]
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    for name in names:
        (folder / name).unlink(missing_ok=True)
        _remove_empty(folder / name, folder)
    (folder / PARTIAL_NAME).unlink(missing_ok=True)


def file_record(path: Path) -> FileRecord:
    """Hash and size of the file at `path`."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileRecord(sha256=digest, size_bytes=path.stat().st_size)


def _listed(manifest: Path) -> list[str]:
    """The files that a manifest of any version names, less those that no artifact may hold."""
    try:
        document = json.loads(manifest.read_bytes())
        names = list(document["files"])
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return []
    return [name for name in names if isinstance(name, str) and may_be_a_file(name)]


def _remove_empty(path: Path, folder: Path) -> None:
    """Take away the folders between `path` and `folder` that have become empty."""
    for parent in path.parents:
        if parent == folder or not parent.is_dir() or any(parent.iterdir()):
            return
        parent.rmdir()


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
