"""Taking over a connection that was accepted elsewhere."""

import asyncio
import logging
import socket
from collections.abc import Callable

from inference.http.connection import Connection, Host

log = logging.getLogger(__name__)


def accept(host: Host, client: socket.socket, tasks: set[asyncio.Task[None]], gone: Callable[[], None]) -> None:
    """Serve a connection that another process, or another part of this one, has accepted.

    `tasks` keeps the work, `gone` is called where the client has left before it began.
    """

    async def connect() -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(host), client)
        except OSError as error:  # it was reset meanwhile
            log.debug("a connection could not be taken over: %s", error)
            client.close()
            gone()

    task = asyncio.get_running_loop().create_task(connect())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
