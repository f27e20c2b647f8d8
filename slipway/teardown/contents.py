"""Buckets and image repositories emptied: every version and delete marker, every unfinished upload, every image."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from slipway.errors import SlipwayError
from slipway.project import Stack
from slipway.searches import pages
from slipway.teardown.arns import is_gone

OBJECTS_AT_ONCE = 1000  # S3's limit of one call
IMAGES_AT_ONCE = 100  # ECR's
CALLS_AT_ONCE = 8
Show = Callable[[str], None]
T = TypeVar("T")


def empty_bucket(stack: Stack, bucket: str, show: Show) -> int:
    """Returns how many versions, delete markers and unfinished uploads were removed; a bucket that is gone has none.

    A listing goes on while its batches are deleted, several at a time. Raises SlipwayError with what S3 refuses.
    """
    s3, counted = stack.client("s3"), _Counter(bucket, show)
    try:
        with ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="empty") as pool:
            batches = _batches(_versions(s3, bucket), OBJECTS_AT_ONCE)
            calls = [pool.submit(_delete, s3, bucket, some, counted) for some in batches]
            uploads = pages(s3, "list_multipart_uploads", "Uploads", Bucket=bucket)
            calls += [pool.submit(_abort, s3, bucket, upload, counted) for upload in uploads]
            for call in calls:
                call.result()
    except ClientError as error:
        if not is_gone(error):
            raise
    return counted.number


class _Counter:
    """How many are gone, told as they go, from several threads."""

    def __init__(self, bucket: str, show: Show) -> None:
        self.number = 0
        self._bucket, self._show = bucket, show
        self._lock = threading.Lock()

    def add(self, number: int) -> None:
        with self._lock:
            self.number += number
            self._show(f"{self._bucket}: {self.number} versions and unfinished uploads removed")


def _versions(s3: Any, bucket: str) -> Iterator[dict[str, str]]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            yield {"Key": entry["Key"], "VersionId": entry["VersionId"]}


def _batches(found: Iterator[T], most: int) -> Iterator[list[T]]:
    while some := list(islice(found, most)):
        yield some


def _delete(s3: Any, bucket: str, some: list[dict[str, str]], counted: _Counter) -> None:
    errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True}).get("Errors", [])
    counted.add(len(some) - len(errors))
    if errors:
        first = errors[0]
        raise SlipwayError(
            f"S3 keeps {len(errors)} of {len(some)} versions in {bucket}, the first: {first.get('Key')}: "
            f"{first.get('Code')} {first.get('Message')}"
        )


def _abort(s3: Any, bucket: str, upload: dict[str, str], counted: _Counter) -> None:
    s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    counted.add(1)


def empty_repository(stack: Stack, repository: str, show: Show) -> int:
    """Returns how many images were removed. Raises SlipwayError with what ECR refuses."""
    ecr, removed = stack.client("ecr"), 0
    images = (
        {"imageDigest": one["imageDigest"]} for one in pages(ecr, "list_images", "imageIds", repositoryName=repository)
    )
    different = iter({one["imageDigest"]: one for one in images}.values())
    for some in _batches(different, IMAGES_AT_ONCE):
        failures = ecr.batch_delete_image(repositoryName=repository, imageIds=some)["failures"]
        if failures:
            raise SlipwayError(f"ECR keeps images of {repository}: {failures[0]['failureReason']}")
        removed += len(some)
        show(f"{repository}: {removed} images removed")
    return removed
