"""An artifact of ours, served: service (decode) -> batcher -> engine -> encode.

What can be shared between processes (weights, tokenizer, learnt batch sizes) is `Prepared` before the workers are
forked; `ArtifactModel` is what each worker makes of it on its own event loop.
"""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter

from inference.artifact import Artifact, ArtifactError, load
from inference.engines.batcher import Batcher, Job, Outcome
from inference.engines.candidates import engines
from inference.engines.engine import Engine
from inference.engines.plan import BatchPlan, learn
from inference.engines.prove import prove
from inference.formats import kserve
from inference.formats.decode import JSON_LINES, Batch, batch_of
from inference.formats.encode import Encoded, Encoder
from inference.formats.service import Service, service_for
from inference.http.errors import RequestError
from inference.http.messages import Cancel, Handler, Request, Respond, Response, error_response
from inference.http.negotiate import negotiate
from inference.manifests.records import GENERATION
from inference.manifests.tokenizer import Tokenizer
from inference.metrics import DECODE, ENCODE, Metrics
from inference.settings import Settings

log = logging.getLogger(__name__)

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"  # SageMaker passes it both ways
GENERATED_AT_ONCE = 4  # images in one part of a streamed answer


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A model that has proven itself; `plans` has one for each program."""

    artifact: Artifact
    engine: Engine
    service: Service
    plans: Mapping[str, BatchPlan]
    settings: Settings

    @property
    def facts(self) -> dict[str, str]:
        """For /ping and /metrics."""
        return {"engine": self.engine.name, "version": self.artifact.version, "task": self.artifact.manifest.task}

    def __str__(self) -> str:
        """For the log."""
        calls = "; ".join(
            f"{name} {plan.seconds_alone * 1e3:.2f} ms alone, {plan.seconds_each * 1e3:.3f} ms each in batches of up "
            f"to {plan.limit}"
            for name, plan in self.plans.items()
        )
        return f"model {self.artifact.version} ({self.engine.name}; {calls})"

    def start(self, metrics: Metrics) -> "ArtifactModel":
        """The model on the running event loop."""
        return ArtifactModel(self, metrics)


def prepare(settings: Settings) -> Prepared:
    """Validate the artifact, load the fastest engine that answers its examples, and learn the batch sizes.

    Raises ArtifactError where no engine that the settings allow can serve it.
    """
    artifact = load(settings.model_folder)
    tokenizer = artifact.tokenizer()
    refused: list[str] = []
    for name, make in engines(artifact, settings):
        try:
            engine = make()
            prove(engine, artifact, tokenizer)
        except ArtifactError as error:
            refused.append(f"{name}: {error}")
            log.warning("the engine %s cannot serve this artifact: %s", name, error)
            continue
        service = service_for(
            artifact.manifest, tokenizer, model_name=settings.model_name, max_bytes=settings.max_body_bytes
        )
        plans = _plans(engine, artifact, tokenizer, settings)
        return Prepared(artifact=artifact, engine=engine, service=service, plans=plans, settings=settings)
    raise ArtifactError("; ".join(refused))


def _plans(engine: Engine, artifact: Artifact, tokenizer: Tokenizer | None, settings: Settings) -> dict[str, BatchPlan]:
    """The first example, and its latent for `decode`, tell how long batches take."""
    manifest = artifact.manifest
    example = batch_of([manifest.examples[0].instance], manifest.input, tokenizer)
    inputs = {"predict": example}
    if manifest.task == GENERATION:
        inputs = {"encode": example, "decode": engine.run("encode", example)}
    return {
        name: learn(
            program, inputs[name], max_batch=settings.max_batch, target_seconds=settings.batch_target_milliseconds / 1e3
        )
        for name, program in engine.programs.items()
    }


class ArtifactModel:
    """One worker's side: a batcher for each program."""

    routes: Mapping[str, Mapping[str, Handler]]

    def __init__(self, prepared: Prepared, metrics: Metrics) -> None:
        self.facts = prepared.facts
        self._service, self._metrics = prepared.service, metrics
        self._batchers = {
            name: Batcher(program, prepared.plans[name], metrics, max_queue_seconds=prepared.settings.max_queue_seconds)
            for name, program in prepared.engine.programs.items()
        }
        self.routes = kserve.routes(self.invoke, prepared.artifact.manifest, prepared.settings.model_name)

    def invoke(self, request: Request, respond: Respond) -> Cancel | None:
        """Answer a request: decode now, the rest when its batch has run."""
        started = perf_counter()
        call = self._service(request)
        media = negotiate(request.headers.get("accept", ""), call.encoders)
        self._metrics.observe(DECODE, perf_counter() - started)
        batcher = self._batchers[call.program]
        part = min(batcher.plan.limit, GENERATED_AT_ONCE) if call.program == "decode" else batcher.plan.limit
        if media in JSON_LINES and len(call.batch) > part:
            return self._stream(_Parts(call.batch, part, batcher, call.encoders[media]), media, request, respond)
        answer = functools.partial(self._answer, request, media, call.encoders[media], respond)
        return batcher.submit(call.batch, answer).cancel

    def close(self) -> None:
        """End the batchers' threads."""
        for batcher in self._batchers.values():
            batcher.close()

    def _answer(self, request: Request, media: str, encode: Encoder, respond: Respond, outcome: Outcome) -> None:
        started = perf_counter()
        try:
            if isinstance(outcome, Exception):
                raise outcome
            encoded = encode(outcome)
        except Exception as error:  # of this request alone: the others of its batch get their answers
            respond(error_response(_failure(error)))
            return
        self._metrics.observe(ENCODE, perf_counter() - started)
        if isinstance(encoded, bytes):
            encoded = Encoded(encoded, {})
        respond(
            Response(
                status=HTTPStatus.OK,
                body=encoded.body,
                content_type=encoded.content_type or media,
                headers={**encoded.headers, **_attributes(request)},
            )
        )

    def _stream(self, parts: "_Parts", media: str, request: Request, respond: Respond) -> Cancel:
        """Answer part by part, as the client reads them."""
        respond(Response(status=HTTPStatus.OK, body=parts.encoded(), content_type=media, headers=_attributes(request)))
        return parts.cancel


class _Parts:
    """A large batch as the encoded answers of its parts, one computed while the one before is sent."""

    def __init__(self, batch: Batch, size: int, batcher: Batcher, encode: Encoder) -> None:
        """Parts of `size` instances."""
        self._parts = [batch[start : start + size] for start in range(0, len(batch), size)]
        self._batcher, self._encode = batcher, encode
        self._job, self._coming = self._submit(self._parts[0])  # what is refused is refused before the answer begins

    def cancel(self) -> None:
        """The client is gone."""
        self._job.cancel()
        self._coming.cancel()

    async def encoded(self) -> AsyncIterator[bytes]:
        """The parts of the answer. Raises what the model raises: the answer then ends broken."""
        for following in (*self._parts[1:], None):
            outcome = await self._coming
            if following is not None:
                self._job, self._coming = self._submit(following)
            if isinstance(outcome, Exception):
                raise outcome
            encoded = self._encode(outcome)
            yield encoded.body if isinstance(encoded, Encoded) else encoded

    def _submit(self, part: Batch) -> tuple[Job, "asyncio.Future[Outcome]"]:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not future.cancelled():
                future.set_result(outcome)

        return self._batcher.submit(part, done), future


def _attributes(request: Request) -> dict[str, str]:
    attributes = request.headers.get(CUSTOM_ATTRIBUTES.lower())
    return {} if attributes is None else {CUSTOM_ATTRIBUTES: attributes}


def _failure(error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    log.error("the model failed on a valid request", exc_info=error)
    return RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, f"the model failed: {type(error).__name__}")
