"""The bytes of what a program uploads: a file, a text, an archive, or plain content."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from localaws.pulumi_provider.values import ARCHIVE, SIGNATURE

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold: equal content, equal bytes
SOURCES = ("source", "content", "contentBase64")


def body(properties: Mapping[str, Any]) -> bytes | BinaryIO:
    """An object's content, from whichever of `source`, `content` and `contentBase64` is set; nothing set: empty.

    A file is opened, not read, so that large ones stream; botocore reads it to its end, and with it goes the handle.
    Raises OSError for a file that cannot be read, ValueError for an asset elsewhere.
    """
    if properties.get("content") is not None:
        return str(properties["content"]).encode()
    if properties.get("contentBase64") is not None:
        return base64.b64decode(properties["contentBase64"], validate=True)
    source = properties.get("source")
    return b"" if source is None else _asset(source)


def _asset(asset: Mapping[str, Any]) -> bytes | BinaryIO:
    if asset.get("text") is not None:
        return str(asset["text"]).encode()
    if asset.get("path"):
        path = Path(asset["path"])
        return _zip(_files(path)) if path.is_dir() else path.open("rb")
    if asset[SIGNATURE] == ARCHIVE and asset.get("assets") is not None:
        return _zip(_members(asset["assets"]))
    raise ValueError(f"an asset is a local file, a text or an archive of these; got {sorted(asset)}")


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _members(members: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for name, member in members.items():
        if member.get("assets") is not None:
            yield from _members(member["assets"], f"{prefix}{name}/")
        elif member.get("path") and Path(member["path"]).is_dir():
            yield from ((f"{prefix}{name}/{inner}", data) for inner, data in _files(Path(member["path"])))
        else:
            data = _asset(member)
            yield f"{prefix}{name}", data if isinstance(data, bytes) else data.read()


def _zip(files: Iterator[tuple[str, bytes]]) -> bytes:
    """A zip archive that depends on names and contents only."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
