"""A container of many models as one that can be served: /models in place of /invocations (SAGEMAKER_MULTI_MODEL)."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

from inference.http.errors import RequestError
from inference.http.messages import Cancel, Handler, Request, Respond
from inference.many_models.api import Models
from inference.many_models.memory import MemoryBudget
from inference.metrics import Metrics
from inference.processes.worker import Startable
from inference.settings import Settings

LoadFolder = Callable[[Settings, Path, asyncio.AbstractEventLoop | None], Startable]


class Container:
    """What is known before there is an event loop."""

    def __init__(self, settings: Settings, load_folder: LoadFolder) -> None:
        self.settings, self.load_folder = settings, load_folder

    def __str__(self) -> str:
        """For the log."""
        return f"no model yet; many are loaded from {self.settings.models_folder} on demand"

    def start(self, metrics: Metrics) -> "ManyModels":
        """The models on the running event loop."""
        return ManyModels(self, metrics)


class ManyModels:
    """Ready without any model; its routes come and go with them."""

    def __init__(self, container: Container, metrics: Metrics) -> None:
        settings, loop = container.settings, asyncio.get_running_loop()
        self._models = Models(
            lambda folder: container.load_folder(settings, folder, loop),
            MemoryBudget(limit_bytes=settings.models_memory_bytes or None),
            metrics,
            root=settings.models_folder,
        )
        self.facts: Mapping[str, str] = {"engine": "many models", "task": "multi-model", "version": ""}
        self.routes: Mapping[str, Mapping[str, Handler]] = _Routes(self._models)

    def invoke(self, request: Request, respond: Respond) -> Cancel | None:
        """Nothing to ask without a name."""
        raise RequestError(
            HTTPStatus.BAD_REQUEST, "this container has many models; POST /models/NAME/invoke asks one of them"
        )

    def close(self) -> None:
        """Unload everything."""
        self._models.close()


class _Routes(Mapping[str, Mapping[str, Handler]]):
    """Every path that the models answer now."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def __getitem__(self, path: str) -> Mapping[str, Handler]:
        found = self._models.handler(path)
        if found is None:
            raise KeyError(path)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(["/models", *(f"/models/{name}/invoke" for name in self._models.models)])

    def __len__(self) -> int:
        return 1 + len(self._models.models)
