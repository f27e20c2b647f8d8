"""The front: one WSGI application on one URL. Routes by X-Amz-Target, then by path; the rest goes to moto.

Besides AWS it answers `GET /_localaws/health`, `GET` and `POST` of `/_localaws/clock` (clock.py) and of
`/_localaws/spot` (sagemaker/interruptions.py), and the pushes of builds.
"""

import io
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localaws import capacity, corrections, pushes, quotas, rest, roles, signature, wire
from localaws.alarms.store import catch_up
from localaws.build_run import BuildRun
from localaws.cloud import Call, Cloud
from localaws.codebuild import Builds
from localaws.errors import AwsError, not_implemented
from localaws.functions import deliveries
from localaws.iam import enforce, front
from localaws.money import control, requests
from localaws.sagemaker import asynchronous, interruptions, router, streaming
from localaws.sagemaker.job import TERMINAL
from localaws.sagemaker.state import SageMaker
from localaws.schedules import clockwork
from localaws.services import BY_TARGET, Service
from localaws.wire import Answer

VERSION = "0.1.0"
DRAIN_LIMIT_BYTES = 64 * 1024 * 1024  # of a refused body: beyond it the connection is closed
_INVOCATION = re.compile(r"/endpoints/([^/]+)/(invocations|async-invocations|invocations-response-stream)")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class App:
    """WSGI application over a Cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._started = cloud.clock.now()
        corrections.install()
        deliveries.connect(cloud)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._control: dict[tuple[str, str], Callable[[bytes], Any]] = {
            ("GET", "/_localaws/health"): lambda body: self.health(),
            ("GET", "/_localaws/clock"): lambda body: cloud.clock.describe(),
            ("POST", "/_localaws/clock"): self._set_clock,
            ("POST", "/_localaws/interrupt"): lambda body: interruptions.interrupt(cloud, body),
            ("GET", "/_localaws/spot"): lambda body: interruptions.describe(cloud),
            ("POST", "/_localaws/spot"): lambda body: interruptions.set_rate(cloud, body),
            ("GET", "/_localaws/capacity"): lambda body: capacity.describe(cloud),
            ("POST", "/_localaws/capacity"): lambda body: capacity.change(cloud, body),
            ("GET", "/_localaws/quotas"): lambda body: quotas.describe(cloud),
            ("POST", "/_localaws/quotas"): lambda body: quotas.change(cloud, body),
            ("GET", "/_localaws/meter"): lambda body: control.meter(cloud),
            ("GET", "/_localaws/schedules"): lambda body: clockwork.describe(cloud),
            ("POST", "/_localaws/registry"): lambda body: pushes.push(cloud, body),
            ("POST", "/_localaws/login"): lambda body: pushes.login(cloud, body),
            ("POST", "/_localaws/credentials"): lambda body: roles.hand_out(cloud, body),
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        refused = enforce.refuse(self._cloud, environ, lambda: _body(environ))
        if refused is not None:
            _discard_unread(environ)
            return _reply(start_response, refused)
        invocation = _INVOCATION.fullmatch(path) if path.startswith("/endpoints/") and method == "POST" else None
        if invocation and _scope(environ)[1] in ("sagemaker", ""):
            return _reply(start_response, self._invoke(environ, *invocation.groups()))
        if path.startswith("/_localaws/"):
            return _reply(start_response, self._answer_control(environ, method, path))
        if path == "/moto-api/reset" and method == "POST":
            self._cloud.reset()
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        service = BY_TARGET.get(target.partition(".")[0])
        if service is not None:
            answer = self._answer(environ, service, target.partition(".")[2])
            if answer is not None:
                return _reply(start_response, answer)
        answer = front.answer(self._cloud, environ, lambda: _body(environ))
        if answer is not None:
            return _reply(start_response, answer)
        region, signed = _scope(environ)
        corrections.before(signed)
        requests.count(self._cloud, region, signed, environ, lambda: _body(environ))
        answer = rest.answer(self._cloud, environ, lambda: _body(environ))
        if answer is not None:
            return _reply(start_response, answer)
        if _reads_metrics(environ, target):
            catch_up(self._cloud, _scope(environ)[0])
        return self._answer_by_moto(environ, start_response, target)

    def _invoke(self, environ: Environ, endpoint: str, kind: str) -> Answer | streaming.Streamed:
        try:
            size = int(environ.get("CONTENT_LENGTH") or 0)
            if size > router.BODY_LIMIT_BYTES:
                _discard(environ, size)
                text = f"HTTP content length exceeded {router.BODY_LIMIT_BYTES} bytes."
                raise AwsError("ValidationError", text, status=413)
            body = _body(environ)
            headers = {name: environ[key] for name, key in _FORWARDED_KEYS.items() if environ.get(key)}
            region = _scope(environ)[0]
            if kind == "async-invocations":
                return asynchronous.accept(router.find(self._cloud, region, endpoint), headers, body)
            if kind == "invocations-response-stream":
                return streaming.invoke(self._cloud, region, endpoint, headers, body)
            return router.invoke(self._cloud, region, endpoint, headers, body)
        except AwsError as error:
            return router.failure(error)

    def _answer(self, environ: Environ, service: Service, operation: str) -> Answer | None:
        """Our answer, or None where moto answers."""
        handler = service.operations.get(operation)
        if handler is None and service.moto:
            return None
        body = _body(environ)
        if handler is None:
            return wire.failure(not_implemented(service.name, operation))
        try:
            request = wire.parse(service.name, operation, body)
            call = Call(cloud=self._cloud, region=_scope(environ)[0], operation=operation, request=request)
            return wire.answer(service.name, operation, handler(call))
        except AwsError as error:
            return wire.failure(error)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            return wire.failure(AwsError("InternalFailure", f"localaws failed in {operation}: {error!r}", status=500))

    def _answer_by_moto(self, environ: Environ, start_response: StartResponse, target: str) -> Iterable[bytes]:
        try:
            answer: Iterable[bytes] = self._moto.get_application(environ)(environ, start_response)
            return answer
        except NotImplementedError as error:
            service = _scope(environ)[1] or "this service"
            refused = not_implemented(service, target.partition(".")[2] or str(error) or environ["PATH_INFO"])
            return _reply(start_response, _failure_for(environ, refused))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            broken = AwsError("InternalFailure", f"moto failed: {error!r}", status=500)
            return _reply(start_response, _failure_for(environ, broken))

    def _answer_control(self, environ: Environ, method: str, path: str) -> Answer:
        try:
            handler = self._control.get((method, path))
            if handler is None:
                known = ", ".join(f"{verb} {where}" for verb, where in self._control)
                raise AwsError("NotFound", f"{method} {path} is not known; known: {known}", status=404)
            body = json.dumps(handler(_body(environ))).encode()
            return HTTPStatus.OK, [("Content-Type", wire.REST_JSON)], body
        except (ValueError, TypeError) as error:
            return wire.failure(AwsError("ValidationError", str(error)), wire.REST_JSON)
        except AwsError as error:
            return wire.failure(error, wire.REST_JSON)

    def health(self) -> dict[str, Any]:
        """GET /_localaws/health."""
        records = list(self._cloud.stores(SageMaker).values())
        runs: list[BuildRun] = [run for store in self._cloud.stores(Builds).values() for run in store.runs.values()]
        jobs = [job.record["TrainingJobStatus"] for store in records for job in list(store.jobs.values())]
        jobs += [job.record["TransformJobStatus"] for store in records for job in list(store.transforms.values())]
        return {
            "version": VERSION,
            "pid": os.getpid(),
            "started": self._started,
            "url": self._cloud.url,
            "jobs": sum(status not in TERMINAL for status in jobs),
            "builds": sum(not run.finished.is_set() for run in runs),
            "endpoints": sum(len(store.endpoints) for store in records),
            "processes": self._cloud.launcher.live_count(),
        }

    def _set_clock(self, body: bytes) -> dict[str, Any]:
        wanted = json.loads(body)
        unknown = set(wanted) - {"mode", "factor", "advance_seconds"}
        if unknown:
            raise ValueError(f"unknown field {', '.join(sorted(unknown))}; known: mode, factor, advance_seconds")
        control.look(self._cloud)  # as things are up to here, and from here on
        self._cloud.clock.change(**wanted)
        control.look(self._cloud)
        return self._cloud.clock.describe()


_FORWARDED_KEYS = {
    name: "CONTENT_TYPE" if name == "Content-Type" else f"HTTP_{name.upper().replace('-', '_')}"
    for name in dict.fromkeys((*router.FORWARDED, *asynchronous.HEADERS, streaming.ACCEPT))
}


def _scope(environ: Environ) -> tuple[str, str]:
    """(region, service) from the signature; the default region and "" for an unsigned request."""
    signed = signature.read(environ)
    return signed.region, signed.service


def _body(environ: Environ) -> bytes:
    """The request's body, read once and kept."""
    if "localaws.body" not in environ:
        size = environ.get("CONTENT_LENGTH")
        stream = environ["wsgi.input"]
        body = stream.read(int(size)) if size else stream.read() if _is_chunked(environ) else b""
        environ["localaws.body"], environ["wsgi.input"] = body, io.BytesIO(body)  # moto reads it again
    kept: bytes = environ["localaws.body"]
    return kept


def _is_chunked(environ: Environ) -> bool:
    return bool(environ.get("wsgi.input_terminated", False))


def _discard_unread(environ: Environ) -> None:
    """Read the rest of a refused request, unless the refusal took reading it."""
    if "localaws.body" not in environ:
        _discard(environ, int(environ.get("CONTENT_LENGTH") or (DRAIN_LIMIT_BYTES if _is_chunked(environ) else 0)))


def _discard(environ: Environ, size: int) -> None:
    """Read a body that is refused, so that the connection stays in step."""
    left = min(size, DRAIN_LIMIT_BYTES)
    while left > 0 and (chunk := environ["wsgi.input"].read(min(left, 1 << 20))):
        left -= len(chunk)


def _reads_metrics(environ: Environ, target: str) -> bool:
    return target.startswith("GraniteServiceVersion") or _scope(environ)[1] == "monitoring"


def _failure_for(environ: Environ, error: AwsError) -> Answer:
    """The error in the protocol of the request: JSON, or XML for the query services and S3."""
    query = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    if not query and _scope(environ)[1] not in ("s3", ""):
        return wire.failure(error)
    return wire.xml_failure(error, wrapped=query)


def _reply(start_response: StartResponse, answer: Answer | streaming.Streamed) -> Iterable[bytes]:
    status, headers, body = answer
    known = status in HTTPStatus._value2member_map_
    phrase = HTTPStatus(status).phrase if known else "Unknown"
    sized = [("Content-Length", str(len(body)))] if isinstance(body, bytes) else []  # a stream has no length
    start_response(f"{int(status)} {phrase}", [*headers, *sized])
    return [body] if isinstance(body, bytes) else body
