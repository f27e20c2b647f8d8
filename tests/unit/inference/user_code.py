"""Folders with user code, and a model of one that is asked on an event loop of its own."""

import asyncio
import textwrap
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from inference.http.errors import RequestError
from inference.http.messages import Request, Respond, Response, error_response
from inference.metrics import Metrics, SharedTable
from inference.model import Model
from inference.user_code.model import PreparedUserModel, load

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
LIMIT_SECONDS = 20.0
Test = Callable[[Model], Awaitable[Any]]


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """`folder` with the files (path -> source, dedented)."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())
    return folder


def with_code(folder: Path, source: str) -> Path:
    """`folder` with code/inference.py."""
    return write(folder, {"code/inference.py": source})


def request(body: bytes | object = b"", content_type: str = JSON, accept: str = "", **headers: str) -> Request:
    """A request; a body that is not bytes is sent as JSON, and underscores in names of headers are hyphens."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = {"content-type": content_type, "accept": accept, **named}
    present = {name: value for name, value in found.items() if value}
    return Request(method="POST", path="/invocations", headers=present, body=raw)


def invoke(model: Model, asked: Request) -> "asyncio.Future[Response]":
    """The response to come; cancelling it is the client's going away."""
    future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    try:
        cancel = model.invoke(asked, _once(future))
    except RequestError as error:
        future.set_result(error_response(error))
        return future
    if cancel is not None:
        future.add_done_callback(lambda done: cancel() if done.cancelled() else None)
    return future


def _once(future: "asyncio.Future[Response]") -> Respond:
    answered = False

    def respond(response: Response) -> None:
        nonlocal answered
        assert not answered, "answered twice"
        answered = True
        if not future.done():
            future.set_result(response)

    return respond


def on_loop(prepared: PreparedUserModel, test: Test, metrics: Metrics | None = None) -> Any:
    """What `test` returns, on a new loop with the model; the model is closed after."""

    async def run() -> Any:
        model = prepared.start(metrics or Metrics(SharedTable(rows=1)))
        try:
            return await asyncio.wait_for(_awaited(test(model)), LIMIT_SECONDS)
        finally:
            model.close()

    return asyncio.run(run())


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def answers(folder: Path, *requests: Request, **environ: str) -> list[Response]:
    """The responses of the model in `folder` to requests that come together."""

    async def ask(model: Model) -> list[Response]:
        return list(await asyncio.gather(*(invoke(model, one) for one in requests)))

    found: list[Response] = on_loop(load(folder, environ), ask)
    return found


def answer(folder: Path, asked: Request, **environ: str) -> Response:
    """The one response."""
    return answers(folder, asked, **environ)[0]


def document(response: Response) -> Any:
    """The JSON of a response."""
    assert isinstance(response.body, bytes)
    return orjson.loads(response.body)
