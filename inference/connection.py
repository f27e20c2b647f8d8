"""One client connection: HTTP/1.1 with keep-alive, pipelining, limits and timeouts, parsed by httptools (llhttp).

Answers leave in the order of the requests, whatever order the model finishes them in. A request that breaks a rule is
answered, and the connection is then closed gently: our side first, the client's remaining bytes read and dropped,
because closing a socket with unread data resets it and the client would never see the answer.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import httptools

from inference.errors import RequestError
from inference.messages import Request, Response, error_response
from inference.settings import Settings

log = logging.getLogger(__name__)

MAX_PIPELINED = 32  # unanswered requests of one connection before we stop reading it
LINGER_SECONDS = 2.0
IDLE, HEADERS, BODY, LINGER = "idle", "headers", "body", "linger"
Handle = Callable[[Request, Callable[[Response], None]], None]


@dataclass(eq=False)
class _Slot:
    """The place of one answer in the order of answers."""

    keep_alive: bool
    response: Response | None = None


class Connection(asyncio.Protocol):
    """The protocol object of one connection; `connections` is the server's set of living ones."""

    def __init__(self, settings: Settings, handle: Handle, connections: "set[Connection]") -> None:
        self._settings, self._handle, self._connections = settings, handle, connections
        self._parser = httptools.HttpRequestParser(self)
        self._slots: deque[_Slot] = deque()
        self._phase = IDLE
        self._deadline = 0.0
        self._fault: RequestError | None = None
        self._last_request = False  # nothing more is read as HTTP: fault, EOF, or Connection: close
        self._draining = False
        self._writable = True
        self._url, self._headers = b"", dict[str, str]()
        self._body: list[bytes] = []
        self._header_bytes = self._body_bytes = 0

    # --- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._connections.add(self)
        self._enter(IDLE)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; answers still being computed are dropped when they come."""
        self._connections.discard(self)
        self._last_request = True
        self._slots.clear()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; its callbacks below do the rest."""
        if self._last_request:
            return
        unfinished_headers = self._phase == HEADERS
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            log.debug("an Upgrade was ignored; its request is answered as HTTP/1.1 and the connection ends")
        except httptools.HttpParserCallbackError as error:
            raise RuntimeError("a parser callback failed") from error
        except httptools.HttpParserError as error:
            self._refuse(RequestError(HTTPStatus.BAD_REQUEST, f"this is not HTTP/1.1: {error}"))
        if unfinished_headers and self._phase == HEADERS:  # one endless line calls no callback
            self._count_header(len(data))
        if self._fault is not None:
            self._refuse(self._fault)

    def eof_received(self) -> bool:
        """The client has sent everything; it may still be waiting for answers."""
        self._last_request = True
        return bool(self._slots) and self._phase != LINGER

    def pause_writing(self) -> None:
        """The client reads slower than we answer: read no more of its requests."""
        self._writable = False
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable = True
        self._resume_reading()

    # --- the parser's side

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._url, self._headers, self._body = b"", {}, []
        self._header_bytes = self._body_bytes = 0
        self._enter(HEADERS)

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._url += url
        self._count_header(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One whole header; repeated ones are joined by commas (RFC 9110, 5.3)."""
        self._count_header(len(name) + len(value) + 4)
        if self._fault is None:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """Refuse by the headers alone what need not be read, and let a waiting client send its body."""
        self._enter(BODY)
        length = self._headers.get("content-length")
        chunked = "transfer-encoding" in self._headers
        if self._parser.should_upgrade() and (length is not None or chunked):  # the parser would not read the body
            self._set_fault(HTTPStatus.BAD_REQUEST, "Upgrade is not supported with a body; send plain HTTP/1.1")
        elif self._parser.get_method() == b"POST" and length is None and not chunked:
            self._set_fault(HTTPStatus.LENGTH_REQUIRED, "a POST needs Content-Length or Transfer-Encoding: chunked")
        elif length is not None and int(length) > self._settings.max_body_bytes:
            self._too_large(f"{length} bytes")
        elif self._headers.get("expect", "").lower() == "100-continue" and not self._slots and self._fault is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(body)
        if self._body_bytes > self._settings.max_body_bytes:
            self._too_large("more")
        elif self._fault is None:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """A whole request: give it a place in the order of answers, and hand it on."""
        if self._fault is not None or self._last_request:
            return
        slot = _Slot(keep_alive=self._parser.should_keep_alive() and not self._parser.should_upgrade())
        self._slots.append(slot)
        self._last_request = not slot.keep_alive
        self._enter(IDLE)
        if len(self._slots) >= MAX_PIPELINED:
            self._transport.pause_reading()
        request = Request(
            method=self._parser.get_method().decode("latin-1"),
            path=self._url.partition(b"?")[0].decode("latin-1"),
            headers=self._headers,
            body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
        )
        try:
            self._handle(request, lambda response: self._respond(slot, response))
        except Exception:  # a defect of ours: this client gets 500, the others go on
            log.exception("a request could not be handled")
            failure = RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed on this request")
            self._respond(slot, error_response(failure))

    # --- the server's side

    def check_deadline(self, now: float) -> None:
        """Called a few times a second: close what is idle, refuse what is too slow. `now` is the loop's time."""
        if now < self._deadline or (self._phase == IDLE and self._slots):
            return
        if self._phase in (IDLE, LINGER):
            self._transport.close()
            return
        seconds = self._settings.header_timeout if self._phase == HEADERS else self._settings.body_timeout
        self._refuse(RequestError(HTTPStatus.REQUEST_TIMEOUT, f"the {self._phase} did not arrive in {seconds:g} s"))

    @property
    def busy(self) -> bool:
        """Whether a request has begun to arrive, or waits for its answer."""
        return self._phase in (HEADERS, BODY) or bool(self._slots)

    def drain(self) -> None:
        """Finish what has begun, accept nothing after it."""
        self._draining = True
        if self._phase == IDLE and not self._slots:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, answered or not."""
        self._transport.abort()

    # --- our own

    def _enter(self, phase: str) -> None:
        timeouts = {
            IDLE: self._settings.idle_timeout,
            HEADERS: self._settings.header_timeout,
            BODY: self._settings.body_timeout,
            LINGER: LINGER_SECONDS,
        }
        self._phase = phase
        self._deadline = self._loop.time() + timeouts[phase]

    def _set_fault(self, status: HTTPStatus, message: str) -> None:
        self._fault = self._fault or RequestError(status, message)

    def _count_header(self, count: int) -> None:
        self._header_bytes += count
        limit = self._settings.max_header_bytes
        if self._header_bytes > limit:
            self._set_fault(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the headers have more than {limit} bytes")

    def _too_large(self, found: str) -> None:
        limit = self._settings.max_body_bytes
        self._set_fault(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has {found}, allowed are {limit} bytes")

    def _refuse(self, error: RequestError) -> None:
        """Answer the broken request in its turn, and read no more requests."""
        if self._last_request:
            return
        self._last_request = True
        self._body = []
        slot = _Slot(keep_alive=False)
        self._slots.append(slot)
        self._respond(slot, error_response(error))

    def _respond(self, slot: _Slot, response: Response) -> None:
        slot.response = response
        if self._transport.is_closing():
            return
        while self._slots and (response_ready := self._slots[0].response) is not None:
            first = self._slots.popleft()
            last = not self._slots and (self._last_request or (self._draining and self._phase == IDLE))
            self._transport.write(response_ready.encode(keep_alive=first.keep_alive and not last))
            if last:
                self._close_gently()
                return
        self._resume_reading()
        if self._phase == IDLE and not self._slots:
            self._enter(IDLE)

    def _resume_reading(self) -> None:
        if self._writable and len(self._slots) < MAX_PIPELINED and not self._transport.is_closing():
            self._transport.resume_reading()

    def _close_gently(self) -> None:
        self._last_request = True
        self._enter(LINGER)
        self._transport.write_eof()
