"""In-process access to moto's S3, for jobs that read and write buckets without a network round trip."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from moto.core.exceptions import AWSError
from moto.s3.exceptions import S3ClientError

from localaws.cloud import GLOBAL, backend


def split(uri: str) -> tuple[str, str]:
    """`s3://bucket/a/b` as ("bucket", "a/b"). Raises ValueError for anything else."""
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise ValueError(f"{uri!r} is not an S3 address; it should look like s3://bucket/prefix")
    return parts.netloc, parts.path.lstrip("/")


def join(uri: str, *parts: str) -> str:
    return "/".join([uri.rstrip("/"), *parts])


def bucket_exists(name: str) -> bool:
    return name in backend("s3", GLOBAL).buckets


def keys(bucket: str, prefix: str) -> list[str]:
    """All keys below a prefix, sorted; none if the bucket does not exist."""
    if not bucket_exists(bucket):
        return []
    return sorted(name for name in list(backend("s3", GLOBAL).get_bucket(bucket).keys) if name.startswith(prefix))


def exists(uri: str) -> bool:
    return _find(*split(uri)) is not None


def _find(bucket: str, key: str) -> Any:
    try:
        return backend("s3", GLOBAL).get_object(bucket, key)
    except (S3ClientError, AWSError):  # no such bucket
        return None


def read(bucket: str, key: str) -> bytes:
    """An object's bytes. Raises FileNotFoundError."""
    found = _find(bucket, key)
    if found is None:
        raise FileNotFoundError(f"s3://{bucket}/{key} does not exist")
    value: bytes = found.value
    return value


def download(bucket: str, key: str, target: Path) -> None:
    """Write an object to a file, making its folders."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(read(bucket, key))


def write(uri: str, value: bytes, kms_key: str = "") -> None:
    """Put an object. Raises FileNotFoundError when the bucket does not exist."""
    bucket, key = split(uri)
    if not bucket_exists(bucket):
        raise FileNotFoundError(f"the bucket {bucket} does not exist")
    encryption = {"encryption": "aws:kms", "kms_key_id": kms_key} if kms_key else {}
    backend("s3", GLOBAL).put_object(bucket, key, value, **encryption)


def delete(bucket: str, key: str) -> None:
    backend("s3", GLOBAL).delete_object(bucket, key)
