"""Uploads a folder's files to S3 once, by content, in parallel.

The manifest is written last: where it lies, the folder is whole and nothing is sent. An upload that was interrupted
goes on with the files that are not there yet. Not one resource a file: a folder may hold a hundred thousand.
"""

import base64
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Lock
from typing import Any

from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from infra.folder import Entry, Folder, unchanged
from infra.waiting import ActionFailed, Say

WORKERS = 10  # as many as a boto3 client keeps connections
PARTS_ABOVE_BYTES = 64 * 2**20  # larger files go in parts
REPORT_SECONDS = 1.0
MB = 10**6


def upload_folder(s3: Any, folder: Folder, bucket: str, say: Say) -> str:
    """The S3 URI of the folder's files in `bucket`, once all of them and then the manifest are there.

    Raises ActionFailed that names the file and the reason; what was sent until then is not sent again.
    """
    uri = f"s3://{bucket}/{folder.prefix}files/"
    marker = f"{folder.prefix}_manifest.json"
    if _exists(s3, bucket, marker):
        return uri
    present = _present(s3, bucket, f"{folder.prefix}files/")
    missing = [one for one in folder.entries if present.get(one.name) != one.size]
    progress = Progress(folder, missing, say)
    _send_all(s3, bucket, f"{folder.prefix}files/", missing, progress)
    s3.put_object(Bucket=bucket, Key=marker, Body=folder.manifest, ContentType="application/json")
    what = f"{folder.kind.name} {folder.path.name}"
    say(f"{what}: {len(folder.entries):,} files, {folder.size / MB:,.1f} MB are in {bucket}")
    return uri


class Progress:
    """Counts files and bytes, and says them once a second."""

    def __init__(self, folder: Folder, missing: list[Entry], say: Say, now: Callable[[], float] = time.monotonic):
        self._name, self._say, self._now = f"{folder.kind.name} {folder.path.name}", say, now
        self._files, self._bytes = len(folder.entries), folder.size
        self._sent_files = self._files - len(missing)
        self._sent_bytes = self._before = self._bytes - sum(one.size for one in missing)
        self._start, self._said = now(), now()
        self._lock = Lock()

    def add(self, bytes_sent: int, files: int = 0) -> None:
        """Any thread: so much more has been sent."""
        with self._lock:
            self._sent_bytes += bytes_sent
            self._sent_files += files
            if self._now() - self._said >= REPORT_SECONDS:
                self._said = self._now()
                self._say(self.line())

    def line(self) -> str:
        """`data set images: 120 of 4,000 files, 80.0 of 900.0 MB, 12.5 MB/s, 66 s left`."""
        rate = (self._sent_bytes - self._before) / max(self._now() - self._start, 1e-9)
        left = f"{(self._bytes - self._sent_bytes) / rate:,.0f} s left" if rate else "starting"
        return (
            f"{self._name}: {self._sent_files:,} of {self._files:,} files, "
            f"{self._sent_bytes / MB:,.1f} of {self._bytes / MB:,.1f} MB, {rate / MB:,.1f} MB/s, {left}"
        )


def _send_all(s3: Any, bucket: str, prefix: str, missing: list[Entry], progress: Progress) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        tasks = [pool.submit(_send, s3, bucket, prefix, one, progress) for one in missing]
        done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
        pool.shutdown(wait=True, cancel_futures=True)  # after a failure the files that still wait are not sent
        for task in done:
            task.result()


def _send(s3: Any, bucket: str, prefix: str, entry: Entry, progress: Progress) -> None:
    unchanged(entry)
    send = _send_parts if entry.size > PARTS_ABOVE_BYTES else _send_whole
    try:
        send(s3, bucket, prefix + entry.name, entry, progress)
    except (BotoCoreError, ClientError, OSError, S3UploadFailedError) as error:
        raise ActionFailed(
            f"sending {entry.path} to s3://{bucket}/{prefix} failed: {error}\n"
            "Run `pulumi up` again: it goes on with the files that are not there yet."
        ) from error
    unchanged(entry)
    progress.add(0, files=1)


def _send_whole(s3: Any, bucket: str, key: str, entry: Entry, progress: Progress) -> None:
    # S3 refuses a body that is not the one that was hashed.
    checksum = base64.b64encode(bytes.fromhex(entry.sha256)).decode()
    with entry.path.open("rb") as body:
        s3.put_object(Bucket=bucket, Key=key, Body=body, ChecksumSHA256=checksum)
    progress.add(entry.size)


def _send_parts(s3: Any, bucket: str, key: str, entry: Entry, progress: Progress) -> None:
    in_parts = TransferConfig(multipart_threshold=PARTS_ABOVE_BYTES, use_threads=False)
    s3.upload_file(str(entry.path), bucket, key, Callback=progress.add, Config=in_parts)


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
            return False
        raise
    return True


def _present(s3: Any, bucket: str, prefix: str) -> dict[str, int]:
    """Bytes by name of what an interrupted upload has sent; an object appears whole or not at all."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {one["Key"].removeprefix(prefix): one["Size"] for page in pages for one in page.get("Contents", [])}
