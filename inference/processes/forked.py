"""A worker process: gets accepted connections from the supervisor, serves them, and says when they are closed."""

import asyncio
import logging
import os
import signal
import socket
from typing import NoReturn

import uvloop

from inference.manifests.fields import ArtifactError
from inference.metrics import Metrics, SharedTable
from inference.processes.channel import Channel
from inference.processes.loading import announce, load_model
from inference.processes.worker import Startable, Worker
from inference.settings import Settings

log = logging.getLogger(__name__)

# From the supervisor
CONNECTION, DRAIN, ALIVE = b"c", b"d", b"a"
# To the supervisor; ALIVE comes back
READY, CLOSED, REFUSED = b"r", b"x", b"f"


def work(end: socket.socket, settings: Settings, table: SharedTable, row: int, model: Startable | None) -> NoReturn:
    """Serve until the supervisor says or is gone; loads the model itself where none is given. Never returns."""
    code = 1
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a user's code may start processes and wait for them
    try:
        uvloop.run(_serve(Channel(end), settings, Metrics(table, row), model))
        code = 0
    except ArtifactError as error:
        log.error("%s", error)
        end.setblocking(True)
        end.send(REFUSED)
    except Exception:
        log.exception("a worker failed")
    finally:
        logging.shutdown()
        os._exit(code)


async def _serve(channel: Channel, settings: Settings, metrics: Metrics, model: Startable | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def left() -> None:
        channel.send(CLOSED)

    worker = Worker(settings, metrics, left)

    def receive() -> None:
        try:
            for byte, file in channel.receive():
                if file is not None:
                    worker.adopt(socket.socket(fileno=file))
                elif byte == ALIVE[0]:
                    channel.send(ALIVE)
                else:
                    stop.set()
        except EOFError:  # the supervisor is gone
            loop.remove_reader(channel)
            stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: None)
    loop.add_reader(channel, receive)
    if model is None:
        model = await loop.run_in_executor(None, load_model, settings, loop)
        if metrics.row == 0:
            announce(model, settings)
    worker.serve(model)
    metrics.add("workers", 1)
    channel.send(READY)
    await stop.wait()
    await worker.drain()
