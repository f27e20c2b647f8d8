"""What serves connections: one event loop with a model, wherever the connections come from."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Protocol

from inference.app import App
from inference.http.accept import accept
from inference.http.connection import Connection
from inference.http.messages import Abandon, Request, Respond
from inference.metrics import Metrics
from inference.model import Model
from inference.settings import Settings

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.25


class Startable(Protocol):
    """A loaded model that any process can begin to serve (see `loading`); `str` says which, for the log."""

    def start(self, metrics: Metrics) -> Model:
        """The model on the running event loop."""


class Worker:
    """Connections and one model; lives on one event loop. `left` is called whenever a client has gone."""

    one_request = False

    def __init__(self, settings: Settings, metrics: Metrics, left: Callable[[], None] = lambda: None) -> None:
        self.settings = settings
        self.app = App(metrics)
        self.connections: set[Connection] = set()
        self._left = left
        self._accepting: set[asyncio.Task[None]] = set()
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    def serve(self, model: Startable) -> None:
        """Answer with `model` from now on."""
        self.app.use(model.start(self.app.metrics))

    def adopt(self, client: socket.socket) -> None:
        """Serve an accepted connection."""
        accept(self, client, self._accepting, self._left)

    def handle(self, request: Request, respond: Respond) -> Abandon | None:
        """Answer a request."""
        return self.app.handle(request, respond)

    def opened(self, connection: Connection) -> None:
        """A client has come."""
        self.connections.add(connection)
        self.app.metrics.add("connections", 1)

    def closed(self, connection: Connection) -> None:
        """A client has gone."""
        self.connections.discard(connection)
        self.app.metrics.add("connections", -1)
        self._left()

    async def drain(self) -> None:
        """Wait until every request in flight is answered, at most the drain timeout; then cut what is left."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.drain_timeout
        if self._accepting:  # handed over at the last moment
            await asyncio.wait(self._accepting)
        for connection in list(self.connections):
            connection.drain()
        while self.connections and loop.time() < deadline:
            await asyncio.sleep(0.01)
        if self.connections:
            log.warning("%d connections were cut at the end of the drain", len(self.connections))
        for connection in list(self.connections):
            connection.abort()
        self._sweeper.cancel()
        if self.app.model is not None:
            self.app.model.close()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for connection in list(self.connections):
                connection.check_deadline(loop.time())
