"""The server: listen first, load the model on a thread, answer, and drain on SIGTERM.

Listening before loading lets /ping say 503 instead of refusing the connection, so that a platform can tell a slow
start from a dead process.
"""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable

from inference import artifact
from inference.app import App, LoadedModel
from inference.batcher import Batcher
from inference.connection import Connection
from inference.engine import Engine, engine_for
from inference.machine import cpu_limit, keep_freed_memory
from inference.prove import prove
from inference.service import Service, service_for
from inference.settings import Settings

log = logging.getLogger(__name__)

BACKLOG = 2048
SWEEP_SECONDS = 0.25
Loaded = tuple[artifact.Artifact, Engine, Service, dict[str, float]]


class Server:
    """One listening socket, its connections and one model."""

    def __init__(self, settings: Settings, load: Callable[[Settings], Loaded] | None = None) -> None:
        self.settings = settings
        self.app = App()
        self.connections: set[Connection] = set()
        self.port = settings.port  # the real one once `listening` is set, also where the settings say 0
        self.listening = asyncio.Event()
        self._load = load or load_model
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Serve until `stop` or a signal.

        Raises OSError where the port is taken, ArtifactError where there is no model to serve.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        listener = await loop.create_server(
            lambda: Connection(self.settings, self.app.handle, self.connections),
            self.settings.host,
            self.settings.port,
            backlog=BACKLOG,
        )
        self.port = listener.sockets[0].getsockname()[1]
        self.listening.set()
        sweeper = loop.create_task(self._sweep())
        loading = loop.create_task(self._load_and_use())
        loading.add_done_callback(lambda task: self.stop() if task.cancelled() or task.exception() else None)
        try:
            await self._stop.wait()
            if loading.done():
                loading.result()  # raises where the artifact was refused
        finally:
            loading.cancel()
            listener.close()
            await self._drain()
            sweeper.cancel()

    def stop(self) -> None:
        """Begin the end: requests in flight are answered, then `run` returns."""
        self._stop.set()

    async def _load_and_use(self) -> None:
        loop = asyncio.get_running_loop()
        loaded, engine, service, seconds = await loop.run_in_executor(None, self._load, self.settings)
        batchers = {
            name: Batcher(program, max_batch=self.settings.max_batch, seconds_per_call=seconds[name])
            for name, program in engine.programs.items()
        }
        self.app.model = LoadedModel(artifact=loaded, engine=engine, service=service, batchers=batchers)
        calls = "; ".join(
            f"{name} {seconds[name] * 1e3:.2f} ms a call on {'the loop' if batcher.inline else 'a worker'}'s thread"
            for name, batcher in batchers.items()
        )
        log.info("serving model %s (%s; %s) at port %d", loaded.version, engine.name, calls, self.port)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for connection in list(self.connections):
                connection.check_deadline(loop.time())

    async def _drain(self) -> None:
        """Wait until every request in flight is answered, at most the drain timeout; then cut what is left."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.drain_timeout
        for connection in list(self.connections):
            connection.drain()
        while self.connections and loop.time() < deadline:
            await asyncio.sleep(0.01)
        if self.connections:
            log.warning("%d connections were cut at the end of the drain", len(self.connections))
        for connection in list(self.connections):
            connection.abort()
        if self.app.model is not None:
            for batcher in self.app.model.batchers.values():
                batcher.close()


def load_model(settings: Settings) -> Loaded:
    """Validate the artifact, load it and let it answer its examples.

    Returns it with its engine, what understands its requests, and the seconds of one call of each program.
    """
    keep_freed_memory()
    gc.disable()  # collecting during the import of torch costs a fifth of it, and finds nothing
    try:
        loaded = artifact.load(settings.model_folder)
        engine = engine_for(loaded, cpu_limit())
        tokenizer = loaded.tokenizer()
        seconds = prove(engine, loaded, tokenizer)
    finally:
        gc.freeze()  # nor will anything be found among the modules later
        gc.enable()
    return loaded, engine, service_for(loaded.manifest, tokenizer), seconds
