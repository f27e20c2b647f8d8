"""Folders, zip and tar archives as the same thing: names of files, and their bytes in a fixed order.

Nothing is ever unpacked to disk, so a hostile archive's names can do no harm.
"""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from training.errors import DataError

MAX_FILE_BYTES = 256 * 2**20  # of one image file
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ARCHIVE_SUFFIXES = (".zip", *TAR_SUFFIXES)
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError, RuntimeError, NotImplementedError)


class Container(Protocol):
    """Files by their names: relative, with /, without hidden ones."""

    label: str
    """Its own name, without the folder it is in."""

    def names(self) -> list[str]:
        """Of all files, in the order in which `files` gives them."""
        ...

    def files(self) -> Iterator[tuple[str, bytes | str]]:
        """(name, content) of all files; a sentence in place of the content where it cannot be read."""
        ...


def open_container(path: Path) -> Container:
    """By what `path` is; raises DataError where it is neither a folder nor an archive that can be read."""
    if path.is_dir():
        return _Folder(path)
    kind = _Zip if path.name.lower().endswith(".zip") else _Tar
    try:
        return kind(path)
    except _BROKEN as error:
        raise DataError(f"{path} cannot be read as an archive ({error}); download or pack it again") from error


def is_archive(path: Path) -> bool:
    """By its name."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


class _Folder:
    """Sorted by name, whatever order the file system has."""

    def __init__(self, path: Path) -> None:
        self.label = path.resolve().name
        self._path = path
        found = (file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        self._names = sorted(filter(is_visible, found))

    def names(self) -> list[str]:
        return self._names

    def files(self) -> Iterator[tuple[str, bytes | str]]:
        for name in self._names:
            path = self._path / name
            try:
                size = path.stat().st_size
                yield name, path.read_bytes() if size <= MAX_FILE_BYTES else _too_large(size)
            except OSError as error:
                yield name, str(error.strerror)


class _Zip:
    """Sorted by name: the directory of a zip file allows to read in any order."""

    def __init__(self, path: Path) -> None:
        self.label = path.name
        self._path = path
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        self._members = [info for name, info in sorted(members.items()) if is_visible(name)]

    def names(self) -> list[str]:
        return [info.filename for info in self._members]

    def files(self) -> Iterator[tuple[str, bytes | str]]:
        with zipfile.ZipFile(self._path) as archive:
            for info in self._members:
                if info.file_size > MAX_FILE_BYTES:
                    yield info.filename, _too_large(info.file_size)
                    continue
                try:
                    yield info.filename, archive.read(info)
                except _BROKEN as error:
                    yield info.filename, str(error)


class _Tar:
    """In the order of the file: a compressed tar can only be read from its beginning."""

    def __init__(self, path: Path) -> None:
        self.label = path.name
        self._path = path
        with tarfile.open(path, "r|*") as archive:
            self._names = [_plain(member.name) for member in _members(archive)]

    def names(self) -> list[str]:
        return self._names

    def files(self) -> Iterator[tuple[str, bytes | str]]:
        with tarfile.open(self._path, "r|*") as archive:
            for member in _members(archive):
                stream = archive.extractfile(member) if member.size <= MAX_FILE_BYTES else None
                yield _plain(member.name), stream.read() if stream else _too_large(member.size)


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Plain, visible files. The archive's own list is emptied, which would keep a kilobyte of each."""
    while (member := archive.next()) is not None:
        if member.isreg() and is_visible(_plain(member.name)):
            yield member
        archive.members = []  # type: ignore[attr-defined]


def _plain(name: str) -> str:
    return name.removeprefix("./")


def is_visible(name: str) -> bool:
    """No hidden file, and none of what macOS adds to archives."""
    return not any(word.startswith(".") or word == "__MACOSX" for word in name.split("/"))


def _too_large(size: int) -> str:
    return f"the file has {size} bytes; at most {MAX_FILE_BYTES} are read"
