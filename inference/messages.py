"""A request as the application sees it, and a response as it goes onto the wire."""

from dataclasses import dataclass, field
from http import HTTPStatus

import orjson

from inference.errors import RequestError

JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A complete request; header names are lower case, values decoded as latin-1."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Response:
    """A complete answer."""

    status: HTTPStatus
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self, *, keep_alive: bool) -> bytes:
        """The bytes for the socket."""
        lines = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        if not keep_alive:
            lines.append("Connection: close")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


def error_response(error: RequestError) -> Response:
    """{"error": message} with the error's status and headers."""
    body = orjson.dumps({"error": error.message})
    return Response(status=error.status, body=body, headers=error.headers)
