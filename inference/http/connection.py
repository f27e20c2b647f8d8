"""One client connection: HTTP/1.1 with keep-alive, pipelining, limits and timeouts, parsed by httptools (llhttp).

Answers leave in the order of the requests, whatever order the model finishes them in (inference.http.answers). A
request that breaks a rule is answered, and the connection is then closed gently: our side first, the client's remaining
bytes read and dropped, because closing a socket with unread data resets it and the client would never see the answer.
"""

import asyncio
import functools
import logging
from http import HTTPStatus
from typing import Protocol, cast

import httptools

from inference.http.answers import Answers
from inference.http.errors import RequestError
from inference.http.messages import Abandon, Request, Respond, error_response
from inference.settings import Settings

log = logging.getLogger(__name__)

MAX_PIPELINED = 32  # unanswered requests of one connection before we stop reading it
LINGER_SECONDS = 2.0
IDLE, HEADERS, BODY, LINGER = "idle", "headers", "body", "linger"


@functools.lru_cache(maxsize=1024)  # clients send the same ones with every request
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


class Host(Protocol):
    """Whoever owns connections: a worker, or the supervisor while no worker is ready.

    `one_request`: each connection ends after its first answer.
    """

    settings: Settings
    one_request: bool

    def handle(self, request: Request, respond: Respond) -> Abandon | None:
        """Answer a request by calling `respond` once, now or later."""

    def opened(self, connection: "Connection") -> None:
        """A client has come."""

    def closed(self, connection: "Connection") -> None:
        """A client has gone."""


class Connection(asyncio.Protocol):
    """The protocol object of one connection."""

    def __init__(self, host: Host) -> None:
        self._host, self._settings = host, host.settings
        self._timeouts = {
            IDLE: host.settings.idle_timeout,
            HEADERS: host.settings.header_timeout,
            BODY: host.settings.body_timeout,
            LINGER: LINGER_SECONDS,
        }
        self._parser = httptools.HttpRequestParser(self)
        self._phase = IDLE
        self._deadline = 0.0
        self._fault: RequestError | None = None
        self._last_request = False  # nothing more is read as HTTP: fault, EOF, or Connection: close
        self._draining = False
        self._url, self._headers = b"", dict[str, str]()
        self._body: list[bytes] = []
        self._header_bytes = self._body_bytes = 0

    # --- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._answers = Answers(self._transport, self._settings, self._is_last, self._answered)
        self._host.opened(self)
        self._enter(IDLE)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; what is still being computed for it need not be."""
        self._host.closed(self)
        self._last_request = True
        self._answers.abandon()

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
        return bool(self._answers) and self._phase != LINGER

    def pause_writing(self) -> None:
        """The client reads slower than we answer: read no more of its requests."""
        self._answers.pause()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._answers.resume()
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
            key, text = _lower(name), value.decode("latin-1")
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
        elif self._headers.get("expect", "").lower() == "100-continue" and not self._answers and self._fault is None:
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
        keep_alive = (
            self._parser.should_keep_alive() and not self._parser.should_upgrade() and not self._host.one_request
        )
        place = self._answers.expect(keep_alive=keep_alive, chunked=self._parser.get_http_version() != "1.0")
        self._last_request = not keep_alive
        self._enter(IDLE)
        if len(self._answers) >= MAX_PIPELINED:
            self._transport.pause_reading()
        request = Request(
            method=self._parser.get_method().decode("latin-1"),
            path=self._url.partition(b"?")[0].decode("latin-1"),
            headers=self._headers,
            body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
        )
        try:
            place.abandon = self._host.handle(request, place.answer)
        except Exception:  # a defect of ours: this client gets 500, the others go on
            log.exception("a request could not be handled")
            failure = RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed on this request")
            place.answer(error_response(failure))

    # --- the server's side

    def check_deadline(self, now: float) -> None:
        """Called a few times a second: close what is idle, refuse what is too slow. `now` is the loop's time."""
        if self._answers.check_deadline(now) or now < self._deadline or (self._phase == IDLE and self._answers):
            return
        if self._phase in (IDLE, LINGER):
            self._transport.abort() if self._transport.get_write_buffer_size() else self._transport.close()
            return
        seconds = self._settings.header_timeout if self._phase == HEADERS else self._settings.body_timeout
        self._refuse(RequestError(HTTPStatus.REQUEST_TIMEOUT, f"the {self._phase} did not arrive in {seconds:g} s"))

    @property
    def busy(self) -> bool:
        """Whether a request has begun to arrive, or waits for its answer."""
        return self._phase in (HEADERS, BODY) or bool(self._answers)

    def drain(self) -> None:
        """Finish what has begun, accept nothing after it."""
        self._draining = True
        if self._phase == IDLE and not self._answers:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, answered or not."""
        self._transport.abort()

    # --- our own

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._deadline = self._loop.time() + self._timeouts[phase]

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
        place = self._answers.expect(keep_alive=False, chunked=True)
        place.answer(error_response(error))

    def _is_last(self) -> bool:
        """Whether nothing will follow the answer that is about to leave."""
        return self._last_request or (self._draining and self._phase == IDLE)

    def _answered(self, ended: bool) -> None:
        """What could leave has left; `ended` where nothing may follow."""
        if ended:
            self._close_gently()
            return
        self._resume_reading()
        if self._phase == IDLE and not self._answers:
            self._enter(IDLE)

    def _resume_reading(self) -> None:
        if self._answers.writable and len(self._answers) < MAX_PIPELINED and not self._transport.is_closing():
            self._transport.resume_reading()

    def _close_gently(self) -> None:
        self._last_request = True
        self._enter(LINGER)
        self._transport.write_eof()
