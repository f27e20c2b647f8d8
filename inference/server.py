"""The server in one process: listen first, load the model on a thread, answer, and drain on SIGTERM.

Listening before loading lets /ping say 503 instead of refusing the connection, so that a platform can tell a slow
start from a dead process. On Linux `serve` uses inference.processes.supervisor, which has several processes and
replaces those that die; this one is for systems where a process with PyTorch in it cannot be forked.
"""

import asyncio
import signal
import time
from collections.abc import Callable

from inference.app import App
from inference.http.connection import Connection
from inference.metrics import Metrics, SharedTable
from inference.processes.loading import announce, load_model
from inference.processes.worker import Startable, Worker
from inference.settings import Settings

BACKLOG = 2048
Load = Callable[[Settings, asyncio.AbstractEventLoop], Startable]


class Server:
    """One listening socket, its connections and one model."""

    def __init__(self, settings: Settings, load: Load = load_model) -> None:
        self.settings = settings
        self.metrics = Metrics(SharedTable(rows=1))
        self.port = settings.port  # the real one once `listening` is set, also where the settings say 0
        self.listening = asyncio.Event()
        self.worker: Worker | None = None
        self._load = load
        self._stop = asyncio.Event()

    @property
    def app(self) -> App:
        """The application, once `listening` is set."""
        assert self.worker is not None
        return self.worker.app

    async def run(self) -> None:
        """Serve until `stop` or a signal.

        Raises OSError where the port is taken, ArtifactError where there is no model to serve.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        worker = self.worker = Worker(self.settings, self.metrics)
        listener = await loop.create_server(
            lambda: Connection(worker), self.settings.host, self.settings.port, backlog=BACKLOG
        )
        self.port = listener.sockets[0].getsockname()[1]
        self.listening.set()
        loading = loop.create_task(self._load_and_serve(worker))
        loading.add_done_callback(lambda task: self.stop() if task.cancelled() or task.exception() else None)
        try:
            await self._stop.wait()
            if loading.done():
                loading.result()  # raises where the artifact was refused
        finally:
            loading.cancel()
            listener.close()
            await worker.drain()

    def stop(self) -> None:
        """Begin the end: requests in flight are answered, then `run` returns."""
        self._stop.set()

    async def _load_and_serve(self, worker: Worker) -> None:
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        model = await loop.run_in_executor(None, self._load, self.settings, loop)
        worker.serve(model)
        announce(model, self.settings)
        self.metrics.add("model_load_seconds", time.perf_counter() - started)
        self.metrics.add("workers", 1)
