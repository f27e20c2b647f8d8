"""A model served by the user's own functions, code/inference.py as for AWS's own PyTorch container.

    prepared = load(Path("/opt/ml/model"))   # on any thread but the loop's
    model = prepared.start(metrics)          # on the loop
    model.invoke(request, respond)

What the module may define is in inference.user_code.functions, what stands in for the rest in
inference.user_code.defaults. Everything that is not async runs on one thread, from the import on.
"""

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from inference.http.errors import RequestError
from inference.http.messages import Cancel, Handler, Request, Respond
from inference.manifests.fields import ArtifactError
from inference.metrics import Metrics
from inference.user_code.answer import call_of, failure, response_of
from inference.user_code.find import find_code, forget
from inference.user_code.functions import Call, FunctionError
from inference.user_code.loading import Loaded, Loader, limit_threads
from inference.user_code.requirements import check_requirements

MAX_WAITING_REQUESTS = 1024
MAX_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class PreparedUserModel:
    """A user's model that has been loaded, in a process with a thread for it."""

    loaded: Loaded
    thread: ThreadPoolExecutor

    def __str__(self) -> str:
        """For the log."""
        facts, functions = self.loaded.facts, ", ".join(self.loaded.functions)
        return f"model {facts['version']} ({facts['engine']} {self.loaded.code.program}: {functions})"

    def start(self, metrics: Metrics) -> "UserModel":
        """The model on the running event loop."""
        return UserModel(self, metrics)


class UserModel:
    """Answers requests with a user's functions; lives on one event loop."""

    routes: Mapping[str, Mapping[str, Handler]]

    def __init__(self, prepared: PreparedUserModel, metrics: Metrics) -> None:
        self.facts: Mapping[str, str] = prepared.loaded.facts
        self.routes = {}
        self._prepared = prepared
        self._pipeline = prepared.loaded.pipeline(metrics)
        self._tasks: set[asyncio.Task[None]] = set()

    def invoke(self, request: Request, respond: Respond) -> Cancel | None:
        """Answer `request` by calling `respond` once, later.

        Raises RequestError: 400 where a text is not UTF-8, 503 where too many requests wait already.
        """
        if len(self._tasks) >= MAX_WAITING_REQUESTS:
            raise RequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{len(self._tasks)} requests are waiting already; try again later",
                {"Retry-After": "1"},
            )
        loaded = self._prepared.loaded
        call = call_of(request, loaded.properties, loaded.default_accept)
        task = asyncio.get_running_loop().create_task(self._answer(call, respond))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

        def cancel() -> None:
            task.cancel()

        return cancel

    def close(self) -> None:
        """Drop what waits, and give the thread back; a function that runs on it runs to its end."""
        for task in self._tasks:
            task.cancel()
        self._pipeline.close()
        self._prepared.thread.shutdown(wait=False, cancel_futures=True)
        forget(self._prepared.loaded.code)

    async def _answer(self, call: Call, respond: Respond) -> None:
        try:
            response = response_of(await self._pipeline.run(call), call)
        except Exception as error:  # the user's, as a FunctionError, or a defect of ours: the client hears of both
            response = failure(error if isinstance(error, FunctionError) else FunctionError("the model", error))
        respond(response)


def has_user_code(folder: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the model in `folder` brings functions of its own."""
    return find_code(folder, environ) is not None


def load(
    folder: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    max_batch: int = MAX_BATCH,
    threads: int | None = None,
) -> PreparedUserModel:
    """The model in `folder`, which has user code; raises ArtifactError saying what is wrong, in which file and line.

    Not to be called on the loop's thread, nor before a fork. `loop` is the one that will serve: async functions that
    run now, such as an async model_fn, run there. `max_batch` requests go into one call of predict_batch_fn; `threads`
    of the arithmetic, None leaves the libraries' own choice.
    """
    code = find_code(folder, environ)
    if code is None:
        raise ArtifactError(f"{folder} has no code/inference.py; put it there, or name it in SAGEMAKER_PROGRAM")
    check_requirements(code.folder)
    if threads is not None:
        limit_threads(threads)
    thread = ThreadPoolExecutor(1, "model")
    loader = Loader(folder=folder, code=code, environ=environ, thread=thread, loop=loop, max_batch=max_batch)
    try:
        return PreparedUserModel(loaded=loader.load(), thread=thread)
    except BaseException:
        thread.shutdown(wait=False, cancel_futures=True)
        forget(code)
        raise
