"""Puts a model's archive, unpacked, into a folder: what the init container of an exported pod runs.

python3 fetch_model.py s3://bucket/model.tar.gz /opt/ml/model

Needs Python 3.12 (or 3.11.4), and boto3 for s3:// only. Exit code 1 and a reason where it cannot.
"""

import contextlib
import gzip
import shutil
import sys
import tarfile
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60
CHUNK_BYTES = 2**20


def opened(source: str) -> tuple[Any, str]:
    """The archive as a stream, and what it is called in messages: without a signature."""
    where = urlsplit(source)
    name = f"{where.scheme}://{where.netloc}{where.path}"
    if where.scheme != "s3":
        return urllib.request.urlopen(source, timeout=TIMEOUT_SECONDS), name
    import boto3

    return boto3.client("s3").get_object(Bucket=where.netloc, Key=where.path.lstrip("/"))["Body"], name


def emptied(folder: str) -> None:
    """A try before this one may have left a part."""
    for entry in Path(folder).iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def main(source: str, folder: str) -> None:
    """Unpack the archive at `source` into `folder`, which exists; what lay there goes."""
    started = time.monotonic()
    emptied(folder)
    stream, name = opened(source)
    with contextlib.closing(stream), gzip.open(stream) as unzipped:
        with tarfile.open(fileobj=unzipped, mode="r|") as tar:
            tar.extractall(folder, filter="data")
        while unzipped.read(CHUNK_BYTES):  # to the checksum at the end, which a cut download lacks
            pass
    print(f"{name} is in {folder} after {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:
        sys.exit(f"cannot fetch the model: {type(error).__name__}: {error}")
