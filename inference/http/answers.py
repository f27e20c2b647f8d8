"""The answers of one connection: they leave in the order of the requests, each whole or part by part."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from inference.http.errors import RequestError
from inference.http.messages import Abandon, Response, error_response
from inference.settings import Settings

log = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True, slots=True)
class Place:
    """The place of one answer in the order of answers."""

    keep_alive: bool
    chunked: bool
    deadline: float
    queue: "Answers" = field(repr=False)
    response: Response | None = None
    abandon: Abandon | None = None

    def answer(self, response: Response) -> None:
        """Take the answer; what comes after the first one (the model's, once it was too late) is dropped."""
        if self.response is None:
            self.response, self.abandon = response, None
            self.queue.send()


class Answers:
    """Places in order. `is_last()` tells whether none will follow the present ones; `answered(ended)` what has left."""

    def __init__(
        self,
        transport: asyncio.Transport,
        settings: Settings,
        is_last: Callable[[], bool],
        answered: Callable[[bool], None],
    ) -> None:
        self._transport, self._settings = transport, settings
        self._is_last, self._answered = is_last, answered
        self._loop = asyncio.get_running_loop()
        self._places: deque[Place] = deque()
        self._stream: asyncio.Task[None] | None = None
        self._caught_up: asyncio.Future[None] | None = None
        self._stalled_at = float("inf")

    def __len__(self) -> int:
        return len(self._places)

    @property
    def writable(self) -> bool:
        """Whether the client reads as fast as we answer."""
        return self._stalled_at == float("inf")

    def expect(self, *, keep_alive: bool, chunked: bool) -> Place:
        """A place for the answer of the request that has just come."""
        deadline = self._loop.time() + self._settings.request_timeout
        place = Place(keep_alive=keep_alive, chunked=chunked, deadline=deadline, queue=self)
        self._places.append(place)
        return place

    def send(self) -> None:
        """Write every answer that is there and whose turn it is."""
        if self._transport.is_closing() or self._stream is not None:
            return
        ended = False
        while self._places and not ended and (response := self._places[0].response) is not None:
            first = self._places[0]
            last = len(self._places) == 1 and self._is_last()
            if not isinstance(response.body, bytes):
                first.keep_alive = first.keep_alive and first.chunked  # in HTTP/1.0 only the end tells the end
                self._transport.write(response.encode(keep_alive=first.keep_alive and not last, chunked=first.chunked))
                self._stream = self._loop.create_task(self._send_parts(first, response.body))
                return
            self._transport.write(response.encode(keep_alive=first.keep_alive and not last))
            self._places.popleft()
            ended = last or not first.keep_alive
        self._answered(ended)

    def pause(self) -> None:
        """The client has not read what was written."""
        self._stalled_at = self._loop.time()

    def resume(self) -> None:
        """The client has caught up."""
        self._stalled_at = float("inf")
        if self._caught_up is not None and not self._caught_up.done():
            self._caught_up.set_result(None)

    def check_deadline(self, now: float) -> bool:
        """End what takes too long: a client that does not read, a model that does not answer. True where it did."""
        if now - self._stalled_at > self._settings.body_timeout:
            self._transport.abort()
            return True
        late = [place for place in self._places if place.response is None and place.deadline < now]
        for place in late:
            if place.abandon is not None:
                place.abandon("timeout")
            seconds = self._settings.request_timeout
            place.answer(
                error_response(
                    RequestError(HTTPStatus.GATEWAY_TIMEOUT, f"the model has not answered in {seconds:g} s; try again")
                )
            )
        return bool(late)

    def abandon(self) -> None:
        """The connection is gone: cancel what is still being computed."""
        if self._stream is not None:
            self._stream.cancel()
        for place in self._places:
            if place.abandon is not None:
                place.abandon("cancelled")
        self._places.clear()

    async def _send_parts(self, place: Place, parts: AsyncIterator[bytes]) -> None:
        close = getattr(parts, "aclose", None)  # generators have it
        try:
            async for part in parts:
                if part:
                    self._transport.write(b"%x\r\n%b\r\n" % (len(part), part) if place.chunked else part)
                if not self.writable:
                    self._caught_up = self._loop.create_future()
                    await self._caught_up
        except Exception:  # the answer has begun: its missing end is all that can tell the client
            log.exception("an answer broke off")
            self._transport.abort()
            return
        finally:
            if close is not None:
                await close()
        if place.chunked:
            self._transport.write(b"0\r\n\r\n")
        self._stream = None
        self._places.popleft()
        if not place.keep_alive or (not self._places and self._is_last()):
            self._answered(True)
        else:
            self.send()
