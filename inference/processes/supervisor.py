"""The server's first process: accepts connections, hands each to the worker that has the fewest, replaces the dead.

    supervisor (listens; no torch) --- zygote (loads the model) --- workers (forked from it, serve)

Handing sockets over costs 0.1 ms a connection and nothing a request. In return the load is even, where SO_REUSEPORT
leaves it to a hash; and a worker that dies takes only its own connections with it, none that wait to be accepted.
"""

import asyncio
import logging
import os
import signal
import socket
import time

import uvloop

from inference.http.reception import LOADING, Reception
from inference.machine import workers_for
from inference.metrics import Metrics, SharedTable
from inference.processes.channel import Channel
from inference.processes.staff import OTHER_ROWS, Staff
from inference.settings import Settings

log = logging.getLogger(__name__)

BACKLOG = 2048
ACCEPT_AT_ONCE = 64
EXTRA_CONNECTIONS = 256  # above the limit, to be told so
PAUSE_SECONDS = 0.5  # of accepting, where the process has no file descriptors left
EXIT_DONE, EXIT_FAILED = 0, 1


def supervise(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises OSError where the port is taken.

    Forks before there is an event loop, so that no process inherits one.
    """
    from inference.processes import forked, zygote

    started = time.perf_counter()
    listener = socket.create_server((settings.host, settings.port), backlog=BACKLOG)
    listener.setblocking(False)
    table = SharedTable(rows=workers_for(settings) + OTHER_ROWS)
    channel, end = Channel.pair()
    pid = os.fork()
    if pid == 0:
        listener.close()
        channel.close()
        zygote.live(end, settings, table, forked.work)
    end.close()
    return uvloop.run(Supervisor(settings, listener, table, channel, pid, started).run())


class Supervisor:
    """One listening socket; `zygote` is the channel to the process `pid` that forks the workers."""

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        table: SharedTable,
        zygote: Channel,
        pid: int,
        started: float,
    ) -> None:
        self._settings, self._listener, self._table = settings, listener, table
        self._zygote, self._pid, self._started = zygote, pid, started
        self._metrics = Metrics(table, row=table.rows - 1)
        self._end: asyncio.Future[int] | None = None

    async def run(self) -> int:
        """Serve until the end; returns the exit code."""
        loop = asyncio.get_running_loop()
        self._loop, self._end = loop, loop.create_future()
        self._reception = Reception(self._settings, self._metrics)
        self._staff = Staff(self._settings, self._table, self._zygote, self._ready, self._lost)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, EXIT_DONE)
        loop.add_reader(self._zygote, self._from_zygote)
        loop.add_reader(self._listener, self._accept)
        try:
            return await self._finish(await self._end)
        finally:
            self._zygote.close()

    def _stop(self, code: int) -> None:
        assert self._end is not None
        if not self._end.done():
            self._end.set_result(code)

    async def _finish(self, code: int) -> int:
        """Hand over what has been accepted by the kernel, accept no more, and let the workers finish."""
        self._accept()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        await self._staff.drain()
        self._reception.close()
        if code == EXIT_DONE:
            log.info("stopped")
        return code

    def _from_zygote(self) -> None:
        try:
            for _ in self._zygote.receive():
                self._staff.hire()
        except EOFError:
            self._loop.remove_reader(self._zygote)
            _, status = os.waitpid(self._pid, 0)
            code = os.waitstatus_to_exitcode(status)
            if code != EXIT_FAILED:  # where it refused the model it has said why
                log.error("the process that loads the model has ended with %d", code)
            self._stop(EXIT_FAILED)

    def _ready(self) -> None:
        """The workers have become ready."""
        seconds = time.perf_counter() - self._started
        self._metrics.add("model_load_seconds", seconds)
        log.info("serving at port %d, %.1f s after the start", self._settings.port, seconds)

    def _lost(self, hopeless: bool) -> None:
        """A worker has died by itself; `hopeless` where they all do."""
        self._metrics.add("worker_restarts_total", 1)
        if hopeless:
            self._stop(EXIT_FAILED)

    def _accept(self) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("cannot accept connections: %s; trying again in %g s", error, PAUSE_SECONDS)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(PAUSE_SECONDS, self._accept_again)
                return
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._dispatch(client)

    def _accept_again(self) -> None:
        if self._end is not None and not self._end.done():
            self._loop.add_reader(self._listener, self._accept)

    def _dispatch(self, client: socket.socket) -> None:
        is_full = self._staff.connections >= self._settings.max_connections
        if not is_full and self._staff.give(client):
            return
        if self._reception.size >= EXTRA_CONNECTIONS + self._settings.max_connections:
            client.close()
            return
        self._reception.reason = (
            f"{self._settings.max_connections} connections are open, which is the limit (SLIPWAY_MAX_CONNECTIONS)"
            if is_full
            else LOADING
        )
        self._reception.adopt(client)
