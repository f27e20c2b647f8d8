"""The application: /ping and /invocations, on top of whatever model is loaded."""

import asyncio
import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from inference.artifact import Artifact
from inference.batcher import Batcher
from inference.encode import Encoder
from inference.engine import Engine, Output
from inference.errors import RequestError
from inference.messages import Request, Response, error_response
from inference.negotiate import negotiate
from inference.service import Service

log = logging.getLogger(__name__)

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"  # SageMaker passes it both ways
Respond = Callable[[Response], None]


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model that has proven itself on its examples; `batchers` has one for each of its programs."""

    artifact: Artifact
    engine: Engine
    service: Service
    batchers: dict[str, Batcher]


class App:
    """Answers requests; `model` is None until one is loaded."""

    def __init__(self) -> None:
        self.model: LoadedModel | None = None
        self._routes: dict[str, dict[str, Callable[[Request, Respond], None]]] = {
            "/ping": {"GET": self._ping},
            "/invocations": {"POST": self._invoke},
        }

    def handle(self, request: Request, respond: Respond) -> None:
        """Answer `request` by calling `respond` once, now or later on this loop."""
        try:
            self._route(request)(request, respond)
        except RequestError as error:
            respond(error_response(error))

    def _route(self, request: Request) -> Callable[[Request, Respond], None]:
        methods = self._routes.get(request.path)
        if methods is None:
            paths = ", ".join(self._routes)
            raise RequestError(HTTPStatus.NOT_FOUND, f"no such path {request.path!r:.100}; there are {paths}")
        if request.method not in methods:
            allowed = ", ".join(methods)
            raise RequestError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"method {request.method} is not allowed on {request.path}; use {allowed}",
                {"Allow": allowed},
            )
        return methods[request.method]

    def _loaded(self) -> LoadedModel:
        if self.model is None:
            raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, "the model is still loading", {"Retry-After": "1"})
        return self.model

    def _ping(self, request: Request, respond: Respond) -> None:
        model = self._loaded()
        facts = {"status": "ready", "engine": model.engine.name, "model": model.artifact.version}
        respond(Response(status=HTTPStatus.OK, body=orjson.dumps(facts)))

    def _invoke(self, request: Request, respond: Respond) -> None:
        model = self._loaded()
        program, batch, encoders = model.service(request.body, request.headers.get("content-type", ""))
        media = negotiate(request.headers.get("accept", ""), encoders)
        future = model.batchers[program].submit(batch)
        future.add_done_callback(functools.partial(_answer, request, media, encoders[media], respond))


def _answer(request: Request, media: str, encode: Encoder, respond: Respond, future: "asyncio.Future[Output]") -> None:
    error = future.exception()
    if error is not None:
        log.error("the model failed on a valid request", exc_info=error)
        failure = RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, f"the model failed: {type(error).__name__}")
        respond(error_response(failure))
        return
    attributes = request.headers.get(CUSTOM_ATTRIBUTES.lower())
    respond(
        Response(
            status=HTTPStatus.OK,
            body=encode(future.result()),
            content_type=media,
            headers={} if attributes is None else {CUSTOM_ATTRIBUTES: attributes},
        )
    )
