"""From a request to the functions' arguments, and from what they return or raise to the response."""

import logging
import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from inference.http.errors import RequestError, bad_request
from inference.http.messages import Request, Response, error_response
from inference.user_code.context import Context
from inference.user_code.functions import Call, FunctionError

log = logging.getLogger(__name__)

TEXTS = ("application/json", "text/csv")  # AWS's toolkit hands over these as str, and nothing else
ANY = "*/*"
CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"  # SageMaker passes it both ways
_HEADER = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+: ?[\t\x20-\x7e\xa0-\xff]*")
_FRAMING = ("connection", "content-length", "transfer-encoding")
_ERRORS = {int(status) for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST}


def call_of(request: Request, properties: dict[str, Any], default_accept: str) -> Call:
    """What the functions get of `request`; raises RequestError 400 where a text is not UTF-8."""
    content_type = request.headers.get("content-type")
    body: bytes | str = request.body
    if (content_type or "").partition(";")[0].strip().lower() in TEXTS:
        try:
            body = request.body.decode()
        except UnicodeDecodeError as error:
            raise bad_request(f"the body is not UTF-8 at byte {error.start}; {content_type} is text") from None
    accept = request.headers.get("accept", "").strip()
    return Call(
        body=body,
        content_type=content_type,
        accept=default_accept if accept in ("", ANY) else accept,
        context=Context(properties, request.headers),
    )


def response_of(result: Any, call: Call) -> Response:
    """The response for what output_fn or transform_fn returned: a body, or (body, content type, ...).

    An async iterator is a body that is sent in parts, as they come. Raises FunctionError where that cannot be sent.
    """
    processor = call.context.request_processor[0]
    attributes = processor.get_request_property(CUSTOM_ATTRIBUTES)
    headers = {} if attributes is None else {CUSTOM_ATTRIBUTES: attributes}
    headers |= processor.get_response_headers()
    chosen = headers.pop("content-type", "") or re.split("[,;]", call.accept)[0].strip()
    body, media = result[:2] if isinstance(result, tuple) and len(result) > 1 else (result, chosen)
    try:
        _check({**headers, "content-type": media})
        status = _status(processor.get_response_status_code())
        return Response(status=status, body=_content(body), content_type=media, headers=headers)
    except (TypeError, ValueError) as error:
        raise FunctionError("the answer", error) from error


def failure(error: FunctionError) -> Response:
    """The response for an exception of the user's: its own `status_code` where it has one, else 500."""
    cause = error.cause
    if isinstance(cause, RequestError):
        return error_response(cause)
    code: Any = getattr(cause, "status_code", None)  # as sagemaker_inference.errors and web frameworks call it
    if isinstance(code, int) and code in _ERRORS:
        log.info("%s answered %d: %s", error.function, code, error.message)
        return error_response(RequestError(HTTPStatus(code), error.message or type(cause).__name__))
    log.error("%s", error, exc_info=cause)
    message = f"{error.function} failed: {type(cause).__name__}; the server's log has the rest"
    return error_response(RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, message))


def _status(code: int) -> HTTPStatus:
    if code in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED) or code < HTTPStatus.OK:
        raise ValueError(f"status {code} has no body; use another from 200 to 599")
    return HTTPStatus(code)


def _check(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if name in _FRAMING:
            raise ValueError(f"the header {name} is the server's own; leave it out")
        if not isinstance(value, str) or not _HEADER.fullmatch(f"{name}: {value}"):
            raise ValueError(f"{name!r}: {value!r:.100} is no HTTP header; use one line of latin-1")


def _content(body: Any) -> bytes | AsyncIterator[bytes]:
    return _parts(body) if isinstance(body, AsyncIterable) else _bytes(body)


async def _parts(body: AsyncIterable[Any]) -> AsyncIterator[bytes]:
    async for part in body:
        yield _bytes(part)


def _bytes(body: Any) -> bytes:
    """As TorchServe takes it: bytes, str, or what JSON has a form for."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body)
    if isinstance(body, str):
        return body.encode()
    try:
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        kind = type(body).__name__
        raise TypeError(f"it is a {kind} ({error}); return bytes, str, or what can be JSON") from error
