"""Many models in one container: the API by which SageMaker loads, lists, asks and unloads them (SAGEMAKER_MULTI_MODEL).

| call | answer |
| --- | --- |
| GET /models | 200 {"models": [{"modelName", "modelUrl"}]}, all of them: there is no nextPageToken |
| POST /models {"model_name", "url"} | 200; 400 no such model, or one that cannot be served; 409 loaded; 507 no memory |
| GET /models/NAME | 200 {"modelName", "modelUrl"}; 404 not loaded |
| DELETE /models/NAME | 200 once its last request is answered; 404 not loaded |
| POST /models/NAME/invoke | as /invocations; 404 not loaded |

A model is loaded on a thread, one after the other, while those that are there go on answering. All state is in this
process: a container in this mode has one worker process.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from inference.http.errors import RequestError, bad_request
from inference.http.messages import Cancel, Handler, Request, Respond, Response, error_response
from inference.many_models.memory import MemoryBudget, NoMemoryError, release
from inference.many_models.messages import json_answer, not_loaded, read_load, refusal
from inference.metrics import Metrics
from inference.model import Model

log = logging.getLogger(__name__)

PREFIX = "/models"


@dataclass(eq=False, kw_only=True)
class _Entry:
    """One model: being loaded while `model` is None; `leaving` once it is to go."""

    name: str
    url: str
    model: Model | None = None
    leaving: bool = False
    in_flight: int = 0
    loaded: asyncio.Event = field(default_factory=asyncio.Event)  # or refused
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_served(self) -> bool:
        return self.model is not None and not self.leaving

    def facts(self) -> dict[str, str]:
        return {"modelName": self.name, "modelUrl": self.url}


class Loaded(Protocol):
    """A model that was loaded on a thread (inference.processes.worker.Startable)."""

    def start(self, metrics: Metrics) -> Model:
        """The model on the running event loop."""


class Models:
    """The models of a container; lives on one event loop."""

    def __init__(self, load: Callable[[Path], Loaded], memory: MemoryBudget, metrics: Metrics, *, root: Path) -> None:
        """`load` is called on a thread and raises ArtifactError; models lie below `root`."""
        self._load, self._memory, self._metrics, self._root = load, memory, metrics, root
        self._entries: dict[str, _Entry] = {}
        self._thread = ThreadPoolExecutor(1, "load")
        self._tasks: set[asyncio.Task[None]] = set()

    def handler(self, path: str) -> Mapping[str, Handler] | None:
        """Method -> handler of `path`, None where there is no such path. They raise RequestError."""
        parts = [unquote(part) for part in path.removeprefix(PREFIX).split("/")]
        if not path.startswith(PREFIX) or parts[0]:
            return None
        match parts[1:]:
            case []:
                return {"GET": self._list, "POST": self._post}
            case [name] if name:
                show = functools.partial(self._show, name)
                return {"GET": show, "DELETE": functools.partial(self._delete, name)}
            case [name, "invoke"] if name:
                return {"POST": functools.partial(self._invoke, name)}
        return None

    @property
    def models(self) -> dict[str, Model]:
        """The models that are served, by their names."""
        return {name: entry.model for name, entry in self._entries.items() if entry.model and not entry.leaving}

    def close(self) -> None:
        """Give everything back; nothing may be asked after."""
        for task in self._tasks:
            task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)
        for entry in self._entries.values():
            if entry.model is not None:
                entry.model.close()
        self._entries.clear()

    # --- the calls

    def _list(self, request: Request, respond: Respond) -> None:
        respond(json_answer({"models": [entry.facts() for entry in self._entries.values() if entry.is_served]}))

    def _show(self, name: str, request: Request, respond: Respond) -> None:
        respond(json_answer(self._served(name).facts()))

    def _post(self, request: Request, respond: Respond) -> None:
        name, url = read_load(request.body)
        if name in self._entries:
            entry = self._entries[name]
            if entry.leaving:
                raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, f"{name!r} is being unloaded", {"Retry-After": "1"})
            raise RequestError(HTTPStatus.CONFLICT, f"the model {name!r} is {'' if entry.model else 'being '}loaded")
        folder = self._folder(url)
        try:
            self._memory.take(name, folder)
        except NoMemoryError as error:
            raise RequestError(HTTPStatus.INSUFFICIENT_STORAGE, str(error)) from None
        entry = self._entries[name] = _Entry(name=name, url=url)
        self._start(self._bring(entry, folder, respond))

    def _delete(self, name: str, request: Request, respond: Respond) -> None:
        entry = self._entries.get(name)
        if entry is None or entry.leaving:
            raise not_loaded(name)
        entry.leaving = True
        self._start(self._take_away(entry, respond))

    def _invoke(self, name: str, request: Request, respond: Respond) -> Cancel | None:
        entry = self._served(name)
        assert entry.model is not None, "a model that is served is there"
        entry.in_flight += 1
        done = _Once(functools.partial(self._left, entry))

        def answer(response: Response) -> None:
            done()
            respond(response)

        try:
            cancel = entry.model.invoke(request, answer)
        except BaseException:
            done()
            raise

        def gone() -> None:
            done()
            if cancel is not None:
                cancel()

        return gone

    # --- what they start

    async def _bring(self, entry: _Entry, folder: Path, respond: Respond) -> None:
        """Load a model and answer the call that asked for it."""
        try:
            loop = asyncio.get_running_loop()
            loaded = await loop.run_in_executor(self._thread, self._load, folder)
            entry.model = loaded.start(self._metrics)
            self._memory.settle(entry.name)
            log.info("loaded the model %s from %s: %s", entry.name, entry.url, dict(entry.model.facts))
            response = json_answer(entry.facts())
        except Exception as error:
            self._memory.give_back(entry.name)
            if not entry.leaving:
                del self._entries[entry.name]
            response = error_response(refusal(entry.name, error))
        entry.loaded.set()
        respond(response)

    async def _take_away(self, entry: _Entry, respond: Respond) -> None:
        """Unload a model once it is loaded, if it is not yet, and has answered what it was asked."""
        await entry.loaded.wait()
        while entry.in_flight:
            entry.idle.clear()
            await entry.idle.wait()
        if entry.model is not None:
            entry.model.close()
            entry.model = None
            self._memory.give_back(entry.name)
        del self._entries[entry.name]
        release()
        log.info("unloaded the model %s", entry.name)
        respond(json_answer(entry.facts()))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _left(self, entry: _Entry) -> None:
        entry.in_flight -= 1
        if not entry.in_flight:
            entry.idle.set()

    def _served(self, name: str) -> _Entry:
        entry = self._entries.get(name)
        if entry is None or not entry.is_served:
            raise not_loaded(name)
        return entry

    def _folder(self, url: str) -> Path:
        """The model's folder; raises RequestError 400 where that is none below the root, links followed."""
        try:
            folder, root = Path(url).resolve(), self._root.resolve()
            if url.startswith("/") and root in folder.parents and folder.is_dir():
                return folder
        except (OSError, RuntimeError):  # a name too long, links in a ring
            pass
        raise bad_request(f"url is {url!r:.300}; expected the path of a folder below {self._root}")


class _Once:
    """A function that does something the first time only."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._do: Callable[[], None] | None = do

    def __call__(self) -> None:
        do, self._do = self._do, None
        if do is not None:
            do()
