"""The workers as their supervisor sees them: who is ready, how many connections each has, who has died."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from inference.metrics import SharedTable, end_of_process, process_id
from inference.processes import forked
from inference.processes.channel import Channel
from inference.settings import Settings

log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
HANGING_SECONDS = 10.0  # without a sign of life, on top of the request timeout
QUICK_DEATH_SECONDS = 5.0  # after its start
OTHER_ROWS = 2  # of the shared table: the zygote's and the supervisor's, after those of the workers
MAX_QUICK_DEATHS = 5  # one after the other, before the server gives up


@dataclass(eq=False, kw_only=True)
class _Member:
    """One worker; `row` is its row in the shared table."""

    row: int
    channel: Channel
    born: float
    seen: float
    connections: int = 0
    ready: bool = False


class Staff:
    """All workers. `ready()` is called once all are, `lost(hopeless)` for each that died by itself."""

    def __init__(
        self,
        settings: Settings,
        table: SharedTable,
        zygote: Channel,
        ready: Callable[[], None],
        lost: Callable[[bool], None],
    ) -> None:
        self._settings, self._table, self._zygote = settings, table, zygote
        self._ready, self._lost = ready, lost
        self._members: dict[int, _Member] = {}
        self._quick_deaths = 0
        self._stopping = False
        self._open = False
        self._empty = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._checker = self._loop.create_task(self._check())

    @property
    def connections(self) -> int:
        """Open connections of all workers."""
        return sum(member.connections for member in self._members.values())

    def hire(self) -> None:
        """Have every missing worker forked."""
        for row in range(self._table.rows - OTHER_ROWS):
            if row not in self._members and not self._stopping:
                mine, theirs = Channel.pair()
                now = time.monotonic()
                member = self._members[row] = _Member(row=row, channel=mine, born=now, seen=now)
                self._zygote.send(bytes([row]), theirs.fileno())
                theirs.close()
                self._loop.add_reader(mine, self._hear, member)

    def give(self, client: socket.socket) -> bool:
        """Hand the connection to the ready worker with the fewest; False where there is none.

        The first connections wait for all workers: they would otherwise stay with the one that was ready first.
        """
        if not self._open:
            return False
        ready = sorted((member for member in self._members.values() if member.ready), key=lambda one: one.connections)
        for member in ready:
            if member.channel.send(forked.CONNECTION, client.fileno()):
                member.connections += 1
                client.close()
                return True
        return False

    async def drain(self) -> None:
        """Let every worker finish what it has begun; kill those that take too long."""
        self._stopping = True
        self._checker.cancel()
        for member in self._members.values():
            member.channel.send(forked.DRAIN)
        if self._members:
            try:
                await asyncio.wait_for(self._empty.wait(), self._settings.drain_timeout + 1.0)
            except TimeoutError:
                log.warning("%d workers were killed at the end of the drain", len(self._members))
        for member in list(self._members.values()):
            self._kill(member)

    def _hear(self, member: _Member) -> None:
        member.seen = time.monotonic()
        try:
            for byte, _ in member.channel.receive():
                if byte == forked.CLOSED[0]:
                    member.connections -= 1
                elif byte == forked.READY[0]:
                    member.ready = True
                    self._open_once_complete()
                elif byte == forked.REFUSED[0]:
                    self._stopping = True
                    self._lost(True)
        except EOFError:
            self._bury(member)

    def _open_once_complete(self) -> None:
        if not self._open and all(member.ready for member in self._members.values()):
            self._open = True
            self._ready()

    def _bury(self, member: _Member) -> None:
        """A worker has ended: its connections are closed, another one takes its row."""
        self._loop.remove_reader(member.channel)
        member.channel.close()
        del self._members[member.row]
        pid = process_id(self._table, member.row)
        end_of_process(self._table, member.row)
        if not self._members:
            self._empty.set()
        if self._stopping:
            return
        is_quick = time.monotonic() - member.born < QUICK_DEATH_SECONDS
        self._quick_deaths = self._quick_deaths + 1 if is_quick else 0
        log.error("worker %d (process %d) has died with %d connections", member.row, pid, member.connections)
        hopeless = self._quick_deaths >= MAX_QUICK_DEATHS
        if hopeless:
            log.error("%d workers in a row died within %g s; giving up", MAX_QUICK_DEATHS, QUICK_DEATH_SECONDS)
        self._lost(hopeless)
        self.hire()

    async def _check(self) -> None:
        """Replace a worker whose loop has not turned for longer than any request may take."""
        limit = self._settings.request_timeout + HANGING_SECONDS
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for member in list(self._members.values()):
                if member.ready and time.monotonic() - member.seen > limit:
                    log.error("worker %d has not answered for %g s and is killed", member.row, limit)
                    self._kill(member)
                else:
                    member.channel.send(forked.ALIVE)

    def _kill(self, member: _Member) -> None:
        pid = process_id(self._table, member.row)
        if pid:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it has ended meanwhile
