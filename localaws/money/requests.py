"""Requests that are billed by the piece and answered by moto: S3's, and the events of PutLogEvents."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from localaws.cloud import Cloud
from localaws.money import ledger, log_bytes, minutes
from localaws.money.ledger import Item

PUT_LOG_EVENTS = "Logs_20140328.PutLogEvents"
_LOCAL = ("127", "localhost", "[", "0")


def count(cloud: Cloud, region: str, service: str, environ: Mapping[str, Any], body: Callable[[], bytes]) -> None:
    """Look at one request on its way to moto."""
    if service == "s3":
        _count_s3(cloud, region, environ)
        minutes.watch(cloud)  # there is something now that costs by being there
    elif environ.get("HTTP_X_AMZ_TARGET") == PUT_LOG_EVENTS:
        log_bytes.count_request(cloud, region, body())


def _count_s3(cloud: Cloud, region: str, environ: Mapping[str, Any]) -> None:
    """PUT, COPY, POST and LIST have one price, GET and all others the other; DELETE is free."""
    method, (bucket, key) = environ["REQUEST_METHOD"], _address(environ)
    if method == "DELETE" or not bucket:
        return
    is_put = method in ("PUT", "POST") or (method == "GET" and not key)
    ledger.of(cloud).add(_item(region, "S3:Put" if is_put else "S3:Get", bucket), 1, cloud.clock.now())


@lru_cache(maxsize=1024)
def _item(region: str, key: str, bucket: str) -> Item:
    return Item(region=region, key=key, resource=f"arn:aws:s3:::{bucket}")


def _address(environ: Mapping[str, Any]) -> tuple[str, str]:
    """(bucket, key), the bucket being in the host's name or in the path."""
    host, path = environ.get("HTTP_HOST", "").split(".", 1)[0], environ["PATH_INFO"].lstrip("/")
    if host.startswith(_LOCAL) or host == "s3":
        bucket, _, key = path.partition("/")
        return bucket, key
    return host, path
