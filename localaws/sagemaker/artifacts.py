"""What a training job leaves in S3: model and output archives, and the running copy of its checkpoints."""

import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from localaws import s3

Stamp = tuple[int, int]  # mtime in ns, size in bytes

GZIP_LEVEL = 1  # model weights hardly compress; a higher level costs seconds


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(path below the folder, file) of every regular file, sorted. Files may vanish while one looks."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def archive(folders: Sequence[Path]) -> bytes | None:
    """One .tar.gz of all folders' contents (a later one wins where names clash), or None if there is no file."""
    found = {name: path for folder in folders for name, path in files(folder)}
    if not found:
        return None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=GZIP_LEVEL) as tar:
        for name, path in found.items():
            tar.add(path, arcname=name, recursive=False)
    return buffer.getvalue()


def upload(folders: Sequence[Path], uri: str, kms_key: str, *, compress: bool) -> None:
    """Write `<uri>.tar.gz`, or the plain files below `<uri>/`. Nothing is written for no files."""
    if compress:
        packed = archive(folders)
        if packed is not None:
            s3.write(f"{uri}.tar.gz", packed, kms_key)
        return
    for folder in folders:
        for name, path in files(folder):
            s3.write(s3.join(uri, name), path.read_bytes(), kms_key)


class Checkpoints:
    """Keeps an S3 prefix equal to the hosts' checkpoint folders. Not thread-safe: one caller at a time.

    `owners` says which host wrote an object last, and outlives an attempt: after a restart every host has a copy of
    everything, and one that drops its copy must not take away what another host goes on with.
    """

    def __init__(self, uri: str, folders: Mapping[str, Path], owners: dict[str, str]) -> None:
        """`folders` by host."""
        self._uri = uri
        self._folders = folders
        self._owners = owners
        self._uploaded: dict[str, dict[str, Stamp]] = {host: {} for host in folders}

    def restore(self) -> None:
        """Copy what S3 has to every host, before the start."""
        bucket, prefix = s3.split(self._uri.rstrip("/") + "/")
        for key in s3.keys(bucket, prefix):
            for folder in self._folders.values():
                if not key.endswith("/"):
                    s3.download(bucket, key, folder / key[len(prefix) :])
        for host, folder in self._folders.items():
            self._uploaded[host] = {name: _stamp(path) for name, path in files(folder)}

    def sync(self) -> None:
        """Upload new and changed files, delete what was deleted here.

        A file that vanishes or changes while it is read (a temporary name before its rename, a half-written file)
        is left for the next time.
        """
        if not s3.bucket_exists(s3.split(self._uri)[0]):
            return  # the bucket was deleted under the running job; there is nothing left to keep equal
        for host, folder in self._folders.items():
            uploaded = self._uploaded[host]
            for name, path in files(folder):
                with suppress(FileNotFoundError):
                    stamp = _stamp(path)
                    if uploaded.get(name) != stamp and self._upload(host, name, path, stamp):
                        uploaded[name] = stamp
            for name in [name for name in uploaded if not (folder / name).exists()]:
                del uploaded[name]
                self._delete(host, name)

    def _upload(self, host: str, name: str, path: Path, stamp: Stamp) -> bool:
        """Whether the file stood still meanwhile."""
        content = path.read_bytes()
        if _stamp(path) != stamp:
            return False
        s3.write(s3.join(self._uri, name), content)
        self._owners[name] = host
        return True

    def _delete(self, host: str, name: str) -> None:
        """Delete an object that is this host's own, or nobody's: one that was there before the job."""
        if self._owners.get(name, host) == host:
            bucket, prefix = s3.split(self._uri)
            s3.delete(bucket, f"{prefix.rstrip('/')}/{name}")
            self._owners.pop(name, None)


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_mtime_ns, found.st_size
