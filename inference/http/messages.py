"""A request as the application sees it, and a response as it goes onto the wire."""

import functools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson

from inference.http.errors import RequestError

JSON = "application/json"


# Not frozen: that would make each of them three times as slow to create, and there are two for each request.
@dataclass(eq=False, kw_only=True, slots=True)
class Request:
    """A complete request; header names are lower case, values decoded as latin-1."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(eq=False, kw_only=True, slots=True)
class Response:
    """An answer: complete, or with a body that comes in parts and is sent as they come (chunked)."""

    status: HTTPStatus
    body: bytes | AsyncIterator[bytes]
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self, *, keep_alive: bool, chunked: bool = True) -> bytes:
        """The bytes for the socket; of a body in parts, the head. `chunked` is false for clients of HTTP/1.0."""
        if isinstance(self.body, bytes):
            length, body = f"Content-Length: {len(self.body)}\r\n", self.body
        else:
            length, body = "Transfer-Encoding: chunked\r\n" if chunked else "", b""
        more = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = _first_lines(self.status, self.content_type, keep_alive)
        return f"{head}{length}{more}\r\n".encode("latin-1") + body


@functools.lru_cache(maxsize=256)
def _first_lines(status: HTTPStatus, content_type: str, keep_alive: bool) -> str:
    end = "" if keep_alive else "Connection: close\r\n"
    return f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n{end}"


Respond = Callable[[Response], None]
"""Called once for each request, on the event loop."""
Cancel = Callable[[], None]
"""Called when the client has gone before its answer."""
Abandon = Callable[[str], None]
"""Called when nobody waits for the answer any more, with the outcome to count: `cancelled` or `timeout`."""
Handler = Callable[[Request, Respond], Cancel | None]
"""Answers a request now or later; raises RequestError."""


def error_response(error: RequestError) -> Response:
    """{"error": message} with the error's status and headers."""
    body = orjson.dumps({"error": error.message})
    return Response(status=error.status, body=body, headers=error.headers)
