"""Answers while nobody can serve: the model is loading, or there are too many connections."""

import asyncio
import socket
from http import HTTPStatus

from inference.http.accept import accept
from inference.http.connection import Connection
from inference.http.errors import RequestError
from inference.http.messages import Request, Respond, error_response
from inference.metrics import Metrics
from inference.processes.worker import SWEEP_SECONDS
from inference.settings import Settings

LOADING = "the model is still loading"


class Reception:
    """Gives each client one 503 and says goodbye."""

    one_request = True

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.reason = LOADING
        self._metrics = metrics
        self._connections: set[Connection] = set()
        self._accepting: set[asyncio.Task[None]] = set()
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    @property
    def size(self) -> int:
        """Open connections."""
        return len(self._connections)

    def adopt(self, client: socket.socket) -> None:
        """Answer an accepted connection."""
        accept(self, client, self._accepting, gone=lambda: None)

    def handle(self, request: Request, respond: Respond) -> None:
        """503, to be tried again."""
        if request.path == "/invocations":
            self._metrics.outcome("overloaded")
        respond(error_response(RequestError(HTTPStatus.SERVICE_UNAVAILABLE, self.reason, {"Retry-After": "1"})))

    def opened(self, connection: Connection) -> None:
        """A client has come."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """A client has gone."""
        self._connections.discard(connection)

    def close(self) -> None:
        """Cut what is open."""
        self._sweeper.cancel()
        for connection in list(self._connections):
            connection.abort()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for connection in list(self._connections):
                connection.check_deadline(loop.time())
