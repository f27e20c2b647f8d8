"""The files of a Pulumi state backend, in a folder or in a bucket: `file:///path` or `s3://bucket/prefix?region=...`.

Pulumi keeps stacks and locks in them (`.pulumi/`); Slipway reads the locks, and writes its own notes beside them.
"""

import contextlib
import json
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from slipway.engine import Engine
from slipway.errors import USAGE, SlipwayError
from slipway.project import Stack


class Files(Protocol):
    """Small files by name; a name is a path with slashes."""

    def names(self, folder: str) -> list[str]: ...

    def read(self, name: str) -> bytes | None:
        """The content; None when it is not there (any more)."""

    def write(self, name: str, content: bytes) -> None: ...

    def delete(self, name: str) -> None:
        """Remove it; no error when it is gone already."""


ATTRIBUTES = ".attrs"  # what S3 keeps as an object's metadata, Pulumi keeps in a file beside it


class Folder:
    """A `file://` backend."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self, folder: str) -> list[str]:
        found = (self._root / folder).rglob("*")
        files = (path for path in found if path.is_file() and path.suffix != ATTRIBUTES)
        return sorted(str(path.relative_to(self._root)) for path in files)

    def read(self, name: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):
            return (self._root / name).read_bytes()
        return None

    def write(self, name: str, content: bytes) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def delete(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)
        (self._root / f"{name}{ATTRIBUTES}").unlink(missing_ok=True)

    def mend(self, folder: str) -> int:
        """Remove attributes that a killed engine left empty, with which it could read nothing; returns how many.

        The files themselves are whole: they are renamed into place. Without attributes they are read as they are.
        """
        empty = [path for path in (self._root / folder).rglob(f"*{ATTRIBUTES}") if path.stat().st_size == 0]
        for path in empty:
            path.unlink(missing_ok=True)
        return len(empty)


class Bucket:
    """An `s3://` backend."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/".lstrip("/")

    def names(self, folder: str) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}{folder}/"
        )
        return [entry["Key"].removeprefix(self._prefix) for page in pages for entry in page.get("Contents", [])]

    def read(self, name: str) -> bytes | None:
        try:
            content: bytes = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content)

    def delete(self, name: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)


def state_files(stack: Stack) -> Files:
    """The files of the backend that holds this stack.

    Raises SlipwayError for a backend that has no files (Pulumi Cloud, Postgres): those keep their own locks.
    """
    url = backend_url(stack)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Folder(Path(parts.netloc + parts.path).expanduser())
    if parts.scheme == "s3":
        return Bucket(stack.client("s3"), parts.netloc, parts.path)
    raise SlipwayError(
        f"Pulumi's state is in {url!r}; this verb knows file:// and s3:// (slipway init --stack {stack.name})", USAGE
    )


def backend_url(stack: Stack) -> str:
    """Where Pulumi keeps the stack's state: PULUMI_BACKEND_URL, else where `pulumi login` has logged in."""
    if url := stack.environment.get("PULUMI_BACKEND_URL"):
        return url
    return str(json.loads(Engine(stack).call("whoami", "--json"))["url"])
