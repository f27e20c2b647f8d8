"""A folder of this machine as a data set, or as code: its files in order, and one hash of all that they hold.

The hash names the folder in S3 and is part of a run's name, so the folder is read at each `pulumi up`. Hashes are
kept by size and time of change, which makes the second `up` quick. Names that begin with a dot are left out, and so is
what Python keeps of a module that was imported: neither may retrain a model.
"""

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pulumi

CHUNK_BYTES = 2**20
KEY_BYTES = 1024 - len(f"data/{'0' * 64}/files/")  # S3 takes 1024 for a whole key
BYTECODE = "__pycache__"
FRESH_SECONDS = 2  # a file changed so lately may change again within one tick of its file system's clock


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a folder is for."""

    prefix: str
    """Its place in the bucket."""
    setting: str
    name: str
    """In messages."""
    instead: str
    """What else the setting takes."""


DATA = Kind(prefix="data", setting="slipway:data", name="data set", instead="a folder, or an s3:// prefix")
CODE = Kind(prefix="code", setting="slipway:training.code", name="code", instead="a folder, or leave it out")


class FolderError(pulumi.RunError):
    """A folder that cannot be uploaded. The engine prints the message without a traceback."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    name: str
    """Path inside the folder, with `/`."""
    path: Path
    size: int
    """Bytes."""
    changed_ns: int
    """Time of the last change, ns since 1970."""
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """What is uploaded: `entries` in order of their names."""

    path: Path
    entries: tuple[Entry, ...]
    kind: Kind = DATA

    @cached_property
    def manifest(self) -> bytes:
        """JSON, the same for the same content wherever the folder lies."""
        files = [{"name": one.name, "bytes": one.size, "sha256": one.sha256} for one in self.entries]
        return json.dumps({"version": 1, "files": files}, indent=0, sort_keys=True).encode()

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.manifest).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.entries)

    @property
    def prefix(self) -> str:
        """Where it lies in the bucket: its manifest, and beside it files/."""
        return f"{self.kind.prefix}/{self.sha256}/"


def read_folder(named: str, root: Path, caches: Path, kind: Kind = DATA) -> Folder:
    """What is in folder `named`, a path from `root` (or an absolute one, or one from `~`).

    `caches` is where hashes are kept. Raises FolderError when it is missing, empty or cannot be read.
    """
    path, said = (root / Path(named).expanduser()).resolve(), f"{kind.setting} is {named!r}"
    if not path.is_dir():
        what = "is not a folder" if path.exists() else "does not exist"
        raise FolderError(f"{said}, but {path} {what}; give {kind.instead}")
    try:
        found = sorted(_walk(path, "", (_identity(path),)), key=lambda one: one.name)
    except OSError as error:
        raise FolderError(f"{said}: cannot read {error.filename}: {error.strerror}") from error
    if not found:
        raise FolderError(f"{said}, but {path} holds no files (hidden ones do not count)")
    cache = caches / f"{hashlib.sha256(str(path).encode()).hexdigest()[:12]}.json"
    return Folder(path=path, entries=tuple(_hashed(found, cache)), kind=kind)


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[Entry]:
    """Every file below, links followed; `above` are the folders that lead here."""
    for child in os.scandir(folder):
        if child.name.startswith(".") or child.name == BYTECODE:
            continue
        path, name = Path(child.path), _checked(prefix + child.name)
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            if (facts.st_dev, facts.st_ino) in above:
                raise FolderError(f"{path} is a link to a folder that it lies in; remove it from the folder")
            yield from _walk(path, f"{name}/", (*above, (facts.st_dev, facts.st_ino)))
        elif stat.S_ISREG(facts.st_mode):
            yield Entry(name=name, path=path, size=facts.st_size, changed_ns=facts.st_mtime_ns)
        else:
            raise FolderError(f"{path} is neither a file nor a folder; remove it from the folder")


def _identity(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def _checked(name: str) -> str:
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        raise FolderError(f"the file name {name!r} is not valid UTF-8, which S3's keys are; rename it") from None
    if length > KEY_BYTES:
        raise FolderError(f"the path {name[:80]}... has {length} bytes; S3's keys leave room for {KEY_BYTES}")
    return name


def _hashed(entries: list[Entry], cache: Path) -> list[Entry]:
    known = _read_cache(cache)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = list(pool.map(lambda one: known.get(_fingerprint(one)) or _sha256(one), entries))
    hashed = [
        Entry(name=one.name, path=one.path, size=one.size, changed_ns=one.changed_ns, sha256=sha256)
        for one, sha256 in zip(entries, hashes, strict=True)
    ]
    kept = {_fingerprint(one): one.sha256 for one in hashed if time.time_ns() - one.changed_ns > FRESH_SECONDS * 10**9}
    if kept != known:
        _write_cache(cache, kept)
    return hashed


def _fingerprint(entry: Entry) -> str:
    return f"{entry.size} {entry.changed_ns} {entry.name}"


def _sha256(entry: Entry) -> str:
    digest = hashlib.sha256()
    try:
        with entry.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise FolderError(f"cannot read {entry.path}: {error.strerror}") from error
    unchanged(entry)
    return digest.hexdigest()


def unchanged(entry: Entry) -> None:
    """Raises FolderError when the file is no longer the one that was listed."""
    try:
        facts = entry.path.stat()
    except OSError as error:
        raise FolderError(f"cannot read {entry.path}: {error.strerror}") from error
    if (facts.st_size, facts.st_mtime_ns) != (entry.size, entry.changed_ns):
        raise FolderError(f"{entry.path} changed while it was read; run again once nothing writes to the folder")


def _read_cache(cache: Path) -> dict[str, str]:
    try:
        known = json.loads(cache.read_text())
    except (FileNotFoundError, ValueError):
        return {}  # none yet, or one that was cut off: the files are read instead
    return known if isinstance(known, dict) else {}


def _write_cache(cache: Path, kept: dict[str, str]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    part = cache.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(kept, indent=0))
    part.replace(cache)
