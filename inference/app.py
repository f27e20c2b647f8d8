"""The application: /ping, /metrics, /invocations and what else a model offers, on top of whatever model is loaded."""

from collections.abc import Mapping
from http import HTTPStatus
from time import perf_counter

import orjson

from inference.http.errors import RequestError
from inference.http.messages import Abandon, Cancel, Handler, Request, Respond, Response, error_response
from inference.metrics import REQUEST, Metrics
from inference.model import Model

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OUTCOMES = {
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded",
    HTTPStatus.REQUEST_TIMEOUT: "timeout",
    HTTPStatus.GATEWAY_TIMEOUT: "timeout",
}
PREDICTIONS = ("/invocations", "/infer", "/invoke")  # ours, KServe's, and of many models in one container
Methods = Mapping[str, Handler]


class App:
    """Answers requests; `model` is None until one is loaded."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.model: Model | None = None
        self._routes: dict[str, Methods] = {
            "/ping": {"GET": self._ping},
            "/metrics": {"GET": self._metrics},
            "/invocations": {"POST": self._invoke},
        }

    def handle(self, request: Request, respond: Respond) -> Abandon | None:
        """Answer `request` by calling `respond` once, now or later on this loop; returns what stops the work."""
        try:
            handler = self._find(request)
            if request.path.endswith(PREDICTIONS):
                return self._count(handler, request, respond)
            handler(request, respond)
            return None
        except RequestError as error:
            respond(error_response(error))
            return None

    def use(self, model: Model) -> None:
        """Serve `model` from now on."""
        self.model = model

    def _find(self, request: Request) -> Handler:
        more = self.model.routes if self.model is not None else {}
        methods = self._routes.get(request.path) or more.get(request.path)
        if methods is None:
            paths = ", ".join([*self._routes, *more])
            raise RequestError(HTTPStatus.NOT_FOUND, f"no such path {request.path!r:.100}; there are {paths}")
        if request.method not in methods:
            allowed = ", ".join(methods)
            raise RequestError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"method {request.method} is not allowed on {request.path}; use {allowed}",
                {"Allow": allowed},
            )
        return methods[request.method]

    def _loaded(self) -> Model:
        if self.model is None:
            raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, "the model is still loading", {"Retry-After": "1"})
        return self.model

    def _ping(self, request: Request, respond: Respond) -> None:
        facts = {"status": "ready", **self._loaded().facts}
        respond(Response(status=HTTPStatus.OK, body=orjson.dumps(facts)))

    def _metrics(self, request: Request, respond: Respond) -> None:
        facts = self.model.facts if self.model is not None else {}
        respond(Response(status=HTTPStatus.OK, body=self.metrics.render(facts), content_type=PROMETHEUS))

    def _invoke(self, request: Request, respond: Respond) -> Cancel | None:
        return self._loaded().invoke(request, respond)

    def _count(self, handler: Handler, request: Request, respond: Respond) -> Abandon | None:
        """Let `handler` answer, and count how that went and how long it took."""
        metrics, started = self.metrics, perf_counter()
        metrics.add("requests_in_flight", 1)

        is_over = False

        def end(outcome: str) -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                metrics.add("requests_in_flight", -1)
                metrics.outcome(outcome)
                metrics.observe(REQUEST, perf_counter() - started)

        def answer(response: Response) -> None:
            end(outcome_of(response.status))
            respond(response)

        try:
            cancel = handler(request, answer)
        except Exception as error:
            end(outcome_of(error.status) if isinstance(error, RequestError) else "model_error")
            raise

        def abandon(outcome: str) -> None:
            if cancel is not None:
                cancel()
            end(outcome)

        return None if is_over and cancel is None else abandon


def outcome_of(status: HTTPStatus) -> str:
    """The name in the metrics of how a request ended."""
    if status < HTTPStatus.BAD_REQUEST:
        return "ok"
    return OUTCOMES.get(status, "client_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "model_error")
