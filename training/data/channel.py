"""What lies in a channel's folder, by the names of its files; nothing is opened here."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.types import Host
from training.errors import DataError
from training.options import DataOptions

MANIFEST_NAME = "dataset.json"
SHARD_SUFFIX = ".safetensors"
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
FORMATS = {
    ".csv": "CSV",
    ".csv.gz": "CSV",
    ".jsonl": "JSONL",
    ".jsonl.gz": "JSONL",
    ".parquet": "Parquet",
    **dict.fromkeys(IMAGE_SUFFIXES, "images"),
}
PARTS = ("train", "validation", "test")
_PART_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_FIRST_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One channel and what is wanted of it: what every source is given."""

    folder: Path
    names: tuple[str, ...]
    """Files, relative to the folder with /, sorted; hidden ones and those that begin with _ (_SUCCESS) are left out."""
    options: DataOptions
    host: Host

    def path(self, name: str) -> Path:
        """Where the file is."""
        return self.folder / name

    @property
    def found(self) -> str:
        """What is in the channel, for messages."""
        listed = ", ".join(self.names[:5]) or "nothing"
        return f"{self.folder} holds {listed}{', ...' if len(self.names) > 5 else ''} ({len(self.names)} files)"

    def sha256(self) -> str:
        """Of the names and the bytes of all files."""
        digest = hashlib.sha256()
        for name in self.names:
            with self.path(name).open("rb") as stream:
                digest.update(f"{name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
        return digest.hexdigest()


def look(folder: Path, options: DataOptions, host: Host) -> Channel:
    """List the channel's files. A folder that does not exist is an empty channel."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    visible = sorted(name for name in names if not any(word.startswith((".", "_")) for word in name.split("/")))
    return Channel(folder=folder, names=tuple(visible), options=options, host=host)


def format_of(name: str) -> str:
    """Format by the file's name; its suffix where that is not known, in quotes."""
    lowered = name.lower()
    suffix = next((known for known in sorted(FORMATS, key=len, reverse=True) if lowered.endswith(known)), None)
    return FORMATS[suffix] if suffix else repr(Path(name).suffix or name)


def part_of(name: str) -> str | None:
    """train, validation or test where the first folder or the file's name says so: test/a.csv, train-00001.parquet."""
    first, folder, _ = name.lower().partition("/")
    word = _FIRST_WORD.match(first)
    if word is None or (folder and word.group() != first):
        return None
    return _PART_NAMES.get(word.group())


def file_parts(names: Sequence[str], found: str) -> list[str]:
    """The part that each file is, or an empty one for every file where the names do not say.

    Raises DataError where only some of them do; `found` says what holds them.
    """
    parts = [part_of(name) or "" for name in names]
    if len(names) == 1 or set(parts) <= {"", "train"}:
        return [""] * len(names)
    if "" in parts or "train" not in parts:
        odd = f"{names[parts.index('')]} does not" if "" in parts else "none of them is the training part"
        raise DataError(
            f"{found}: some names say which part they are, but {odd}; let all names begin with train, validation or "
            "test, or none"
        )
    return parts


def files_by_part(channel: Channel) -> dict[str, list[str]]:
    """Part -> the channel's files, or {"": all}; raises DataError as file_parts does."""
    parts = file_parts(channel.names, channel.found)
    return {
        part: [name for name, its_part in zip(channel.names, parts, strict=True) if its_part == part]
        for part in ("", *PARTS)
        if part in parts
    }
