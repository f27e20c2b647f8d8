"""What boto3 really sends, as a WSGI environment: the request is caught before it leaves."""

from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

REGION = "eu-west-1"


class _CaughtError(Exception):
    """Ends the call once its request is known."""


def capture(service: str, operation: str, **parameters: Any) -> tuple[dict[str, Any], bytes]:
    """(environ, body) of one call."""
    found: list[Any] = []

    def keep(request: Any, **_: Any) -> AWSResponse:
        found.append(request)
        raise _CaughtError

    client = boto3.client(
        service,
        endpoint_url="http://127.0.0.1:1",
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False),
    )
    client.meta.events.register("before-send", keep)
    try:
        getattr(client, operation)(**parameters)
    except _CaughtError:
        pass
    return environ(found[0])


def environ(request: Any) -> tuple[dict[str, Any], bytes]:
    parts = urlsplit(request.url)
    headers = {
        key.upper().replace("-", "_"): value.decode() if isinstance(value, bytes) else value
        for key, value in request.headers.items()
    }
    body = request.body or b""
    body = body.read() if hasattr(body, "read") else body
    kept = {
        key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}": value for key, value in headers.items()
    }
    made = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(parts.path, "latin-1"),
        "QUERY_STRING": parts.query,
        "HTTP_HOST": parts.netloc,
        **kept,
    }
    return made, body.encode() if isinstance(body, str) else body
