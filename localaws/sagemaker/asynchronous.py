"""Asynchronous inference: requests wait in a queue, their answers and failures go to S3, notices to SNS.

At most MaxConcurrentInvocationsPerInstance requests an instance run at a time; with no instance they wait.
"""

import json
import re
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from localaws import s3
from localaws.alarms.actions import publish
from localaws.errors import AwsError
from localaws.iam.platform import AccessError, Actor
from localaws.wire import Answer

if TYPE_CHECKING:
    from localaws.sagemaker.deployment import Deployment

DEFAULT_CONCURRENCY = 4  # AWS chooses one itself where none is given
DEFAULT_TTL_SECONDS = 6 * 3600
DEFAULT_TIMEOUT_SECONDS = 900
INLINE_LIMIT_BYTES = 128_000
_PREFIX = "X-Amzn-SageMaker-"
_FIELDS = {
    "InputLocation": r"(https|s3)://([^/]+)/?(.*)",
    "S3OutputPathExtension": r"(?!s3:|https:)[a-zA-Z0-9!_.*'()/-]+",
    "Filename": r"(?!.*\..*\.)[a-zA-Z0-9][a-zA-Z0-9-_\.]*",
    "Inference-Id": r"\S[\x20-\x7e]*",
    "RequestTTLSeconds": r"\d+",
    "InvocationTimeoutSeconds": r"\d+",
}
HEADERS = tuple(_PREFIX + name for name in (*_FIELDS, "Content-Type", "Accept", "Custom-Attributes"))
EXPIRED = "The request waited in the queue for longer than its RequestTTLSeconds."
FAILURES = (AwsError, AccessError, FileNotFoundError, ValueError)
_NUMBERS = {"RequestTTLSeconds": (60, 21_600), "InvocationTimeoutSeconds": (1, 3600)}


@dataclass(frozen=True, kw_only=True)
class Request:
    """One accepted call; times in seconds of the clock."""

    inference_id: str
    headers: Mapping[str, str]
    location: str
    body: bytes | None
    output: str
    failure: str
    received: float
    expires: float
    timeout_seconds: int


def accept(deployment: "Deployment", headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer POST .../async-invocations: 202 with the places of the answer to come. Raises AwsError."""
    queue = deployment.queue
    if queue is None:
        name = deployment.record["EndpointName"]
        raise AwsError("ValidationError", f"Endpoint {name} is not an asynchronous endpoint; use InvokeEndpoint.")
    given = {name: headers[_PREFIX + name] for name in _FIELDS if _PREFIX + name in headers}
    _check(given, body)
    request = queue.request(given, headers, body)
    queue.put(request)
    places = [("X-Amzn-SageMaker-OutputLocation", request.output)]
    if request.failure:
        places.append(("X-Amzn-SageMaker-FailureLocation", request.failure))
    content = json.dumps({"InferenceId": request.inference_id}).encode()
    return 202, [("Content-Type", "application/json"), *places], content


def _check(given: Mapping[str, str], body: bytes) -> None:
    for name, value in given.items():
        if not re.fullmatch(_FIELDS[name], value):
            raise AwsError("ValidationError", f"{name} is {value!r}; it must match {_FIELDS[name]}.")
    for name, (low, high) in _NUMBERS.items():
        if name in given and not low <= int(given[name]) <= high:
            raise AwsError("ValidationError", f"{name} is {given[name]}; it must be between {low} and {high}.")
    if ("InputLocation" in given) == bool(body):
        raise AwsError("ValidationError", "Exactly one of InputLocation and Body must be given.")
    if len(body) > INLINE_LIMIT_BYTES:
        raise AwsError("ValidationError", f"Body has {len(body)} bytes; at most {INLINE_LIMIT_BYTES} can be inline.")


class Queue:
    """The requests of one asynchronous endpoint."""

    def __init__(self, deployment: "Deployment") -> None:
        self._deployment = deployment
        self._clock = deployment.cloud.clock
        self._lock = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._running = 0
        self._arrivals = 0

    @property
    def size(self) -> int:
        """Waiting and running: ApproximateBacklogSize."""
        return len(self._waiting) + self._running

    def _config(self) -> Mapping[str, Any]:
        fleet = self._deployment.fleet
        found: Mapping[str, Any] = fleet.config.get("AsyncInferenceConfig", {}) if fleet else {}
        return found

    def request(self, given: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Request:
        output, name = self._config()["OutputConfig"], str(uuid4())
        extension = [part] if (part := given.get("S3OutputPathExtension", "").strip("/")) else []
        folder = s3.join(output["S3OutputPath"], *extension)
        failures = output.get("S3FailurePath")
        now = self._clock.now()
        plain = {short: headers[_PREFIX + short] for short in ("Content-Type", "Accept") if _PREFIX + short in headers}
        kept = {key: headers[key] for key in (f"{_PREFIX}Custom-Attributes",) if key in headers}
        return Request(
            inference_id=given.get("Inference-Id", str(uuid4())),
            headers={**plain, **kept},
            location=given.get("InputLocation", ""),
            body=body or None,
            output=s3.join(folder, given.get("Filename", f"{name}.out")),
            failure=s3.join(failures, *extension, f"{name}-error.out") if failures else "",
            received=now,
            expires=now + int(given.get("RequestTTLSeconds", DEFAULT_TTL_SECONDS)),
            timeout_seconds=int(given.get("InvocationTimeoutSeconds", DEFAULT_TIMEOUT_SECONDS)),
        )

    def put(self, request: Request) -> None:
        with self._lock:
            self._waiting.append(request)
        self.kick()

    def kick(self) -> None:
        """Start as many workers as there are requests and room for."""
        with self._lock:
            fleet = self._deployment.fleet
            client = self._config().get("ClientConfig", {})
            each = client.get("MaxConcurrentInvocationsPerInstance", DEFAULT_CONCURRENCY)
            room = each * sum(fleet.live(name) for name in fleet.production) if fleet else 0
            starting = max(0, min(room - self._running, len(self._waiting)))
            self._running += starting
        for _ in range(starting):
            threading.Thread(target=self._work, name="async-inference", daemon=True).start()

    def _work(self) -> None:
        with self._lock:
            request, arrivals = self._waiting.popleft() if self._waiting else None, self._arrivals
        is_over = False
        try:
            is_over = request is not None and self._serve(request)
        finally:
            with self._lock:
                self._running -= 1
        if is_over or arrivals != self._arrivals:
            self.kick()

    def arrived(self) -> None:
        """An instance has come up in another one's place."""
        with self._lock:
            self._arrivals += 1
        self.kick()

    def _serve(self, request: Request) -> bool:
        """Whether that was the end of it; without an instance the request goes back to the head of the queue."""
        from localaws.sagemaker import router  # the router knows deployments, and these their queue

        if self._clock.now() > request.expires:
            self._fail(request, EXPIRED)
            return True
        try:
            body = request.body if request.body is not None else self._read(request.location)
            answer, content = router.exchange(
                self._deployment, None, request.headers, body, limit_seconds=request.timeout_seconds
            )
            self._write(request.output, content)
            self._notify(request, "SuccessTopic", answer.get("Content-Type", ""))
        except FAILURES as error:
            if isinstance(error, AwsError) and error.code == "ServiceUnavailable":
                with self._lock:
                    self._waiting.appendleft(request)
                return False
            self._fail(request, error.message if isinstance(error, AwsError) else str(error))
        return True

    def _fail(self, request: Request, text: str) -> None:
        with suppress(*FAILURES):  # nowhere to write to: the notice still tells
            if request.failure:
                self._write(request.failure, text.encode())
        self._notify(request, "ErrorTopic", "", text)

    def look(self) -> None:
        """Each minute: fail what has waited for longer than its RequestTTLSeconds, instance or not, and go on."""
        with self._lock:
            late = [request for request in self._waiting if self._clock.now() > request.expires]
            self._waiting = deque(request for request in self._waiting if request not in late)
        for request in late:
            threading.Thread(target=self._fail, args=(request, EXPIRED), name="async-expired", daemon=True).start()
        self.kick()

    def _actor(self) -> Actor:
        deployment = self._deployment
        role = deployment.fleet.role if deployment.fleet else ""
        return Actor(cloud=deployment.cloud, role=role, region=deployment.region)

    def _read(self, location: str) -> bytes:
        bucket, key = s3.split(location)
        self._actor().read([(bucket, key)])
        return s3.read(bucket, key)

    def _write(self, uri: str, content: bytes) -> None:
        key = self._config()["OutputConfig"].get("KmsKeyId", "")
        self._actor().write(uri, key)
        s3.write(uri, content, key)

    def _notify(self, request: Request, topic: str, content_type: str, failure: str = "") -> None:
        arn = self._config()["OutputConfig"].get("NotificationConfig", {}).get(topic)
        if not arn or not self._actor().allows("sns:Publish", arn):
            return
        place = {"outputLocation": request.output} if not failure else {"failureLocation": request.failure or None}
        message = {
            "awsRegion": self._deployment.region,
            "eventTime": _stamp(self._clock.now()),
            "receivedTime": _stamp(request.received),
            "invocationStatus": "Failed" if failure else "Completed",
            **({"failureReason": failure} if failure else {}),
            "requestParameters": {
                "endpointName": self._deployment.record["EndpointName"],
                "contentType": request.headers.get("Content-Type"),
                "inputLocation": request.location or None,
            },
            "responseParameters": {"contentType": content_type or None, **place},
            "inferenceId": request.inference_id,
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }
        publish(self._deployment.region, arn, "Amazon SageMaker asynchronous inference", json.dumps(message))


def _stamp(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
