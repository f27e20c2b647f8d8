"""InvokeEndpointWithResponseStream: a container's answer, passed on part by part as it comes.

The container answers POST /invocations as ever, chunked or whole. What goes wrong before the first byte is the same
ModelError as InvokeEndpoint's; later it is a ModelStreamError within the stream.
"""

import http.client
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from uuid import uuid4

from localaws.cloud import Cloud
from localaws.money import meters
from localaws.sagemaker import connections, event_stream, router
from localaws.sagemaker.choice import Request
from localaws.sagemaker.deployment import Deployment
from localaws.sagemaker.fleet import Fleet
from localaws.sagemaker.instance import Instance

FIRST_BYTE_SECONDS = 60.0
STREAM_SECONDS = 480.0
PART_BYTES = 65_536
ACCEPT = "X-Amzn-SageMaker-Accept"  # this call's name for Accept
NOT_RETURNED = "content-type"  # it comes in a header of its own, since the stream has its own type
ERRORS = {
    "ModelInvocationTimeExceeded": (
        "The model failed to finish sending the response within the timeout period allowed by Amazon SageMaker AI."
    ),
    "StreamBroken": (
        "The Transmission Control Protocol (TCP) connection between the client and the model was reset or closed."
    ),
}

DIFFERENCES = (("a response stream", "neither captured by DataCaptureConfig nor copied to a shadow variant"),)

Streamed = tuple[int, list[tuple[str, str]], Iterable[bytes]]
_FAILURES = (OSError, http.client.HTTPException)


def invoke(cloud: Cloud, region: str, endpoint: str, headers: Mapping[str, str], body: bytes) -> Streamed:
    """Answer POST /endpoints/<endpoint>/invocations-response-stream. Raises AwsError."""
    deployment = router.admit(cloud, region, endpoint, headers, body)
    forwarded = {name: headers[name] for name in router.FORWARDED if name in headers}
    forwarded |= {"Accept": headers[ACCEPT]} if ACCEPT in headers else {}
    stream = _open(deployment, headers.get(router.TARGET_VARIANT), forwarded, body)
    if not _is_good(stream.status):
        raise router.model_error(region, endpoint, stream.refused())
    answered = [(name, value) for name, value in stream.headers.items() if name.lower() in router.RETURNED]
    kept = [(name, value) for name, value in answered if name.lower() != NOT_RETURNED]
    types = [("X-Amzn-SageMaker-Content-Type", value) for name, value in answered if name.lower() == NOT_RETURNED]
    named = [("x-Amzn-Invoked-Production-Variant", stream.variant), ("x-amzn-RequestId", str(uuid4()))]
    return http.client.OK, [("Content-Type", event_stream.CONTENT_TYPE), *types, *kept, *named], stream


def _is_good(status: int) -> bool:
    return http.client.OK <= status < http.client.MULTIPLE_CHOICES


def _open(deployment: Deployment, variant: str | None, headers: Mapping[str, str], body: bytes) -> "Stream":
    """Send the request and wait for the first bytes of the answer."""
    refused: list[Instance] = []
    while True:
        fleet, instance = router.take(deployment, Request(variant=variant, avoid=refused))
        stream = Stream(deployment, fleet, instance)
        try:
            stream.begin(headers, body)
            return stream
        except ConnectionRefusedError:
            refused.append(instance)
            fleet.release(instance)


class Stream:
    """One answer under way; iterating gives the messages of the event stream. `close` must be called."""

    def __init__(self, deployment: Deployment, fleet: Fleet, instance: Instance) -> None:
        self._deployment = deployment
        self._fleet = fleet
        self._instance = instance
        self._clock = deployment.cloud.clock
        self._began = time.perf_counter()
        self._deadline = self._clock.now() + STREAM_SECONDS
        self._first_seconds = 0.0
        self._first = b""
        self._error = ""
        self._is_closed = False
        self._received_bytes = self._sent_bytes = 0
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.variant = instance.server.variant

    def begin(self, headers: Mapping[str, str], body: bytes) -> None:
        """Send the request, read up to the first bytes. Raises ConnectionRefusedError; `status` 0 is no answer."""
        self._received_bytes = len(body)
        connection = connections.connect(self._instance, self._clock.socket_timeout(FIRST_BYTE_SECONDS))
        self._connection, self._socket = connection, connection.sock
        try:
            connection.request("POST", "/invocations", body, dict(headers))
            self._response = connection.getresponse()
            self._first = self._read() if _is_good(self._response.status) else self._response.read()
            self.status, self.headers = self._response.status, dict(self._response.headers.items())
        except _FAILURES as error:
            self._first = (connections.TIMED_OUT if isinstance(error, TimeoutError) else connections.CLOSED).encode()
        self._first_seconds = time.perf_counter() - self._began

    def _read(self) -> bytes:
        """The next bytes, b"" at the end. Raises OSError or HTTPException for an answer that breaks off."""
        found = self._response.read1(PART_BYTES)
        if not found and self._response.length:
            raise http.client.IncompleteRead(b"", self._response.length)
        return found

    def refused(self) -> router.Sent:
        """What the container answered instead of a 2xx; it ends here."""
        self.close()
        return self._sent()

    def _sent(self) -> router.Sent:
        more = {}
        if _is_good(self.status):
            more = {"MidStreamErrors": float(bool(self._error)), "FirstChunkModelLatency": self._first_seconds * 1e6}
        return router.Sent(
            instance=self._instance,
            status=self.status,
            headers=self.headers,
            content=self._first,
            seconds=time.perf_counter() - self._began,
            more=more,
        )

    def __iter__(self) -> Iterator[bytes]:
        part = self._first
        try:
            while part:
                self._sent_bytes += len(part)
                yield event_stream.event("PayloadPart", part)
                left = self._deadline - self._clock.now()
                if left <= 0:
                    raise TimeoutError
                self._limit(left)
                part = self._read()
        except _FAILURES as error:
            self._error = "ModelInvocationTimeExceeded" if isinstance(error, TimeoutError) else "StreamBroken"
            yield event_stream.exception("ModelStreamError", Message=ERRORS[self._error], ErrorCode=self._error)

    def _limit(self, cloud_seconds: float) -> None:
        if isinstance(self._socket, socket.socket):
            self._socket.settimeout(self._clock.socket_timeout(cloud_seconds))

    def close(self) -> None:
        """Give the instance back and count the request, whether or not the client has read it all."""
        if self._is_closed:
            return
        self._is_closed = True
        self._connection.close()
        if self.status:
            self._response.close()
        self._fleet.release(self._instance)
        sent = self._sent()
        router.meter(self._deployment, self._fleet, sent, sent.seconds)
        where = self._deployment
        name = where.record["EndpointName"]
        meters.payload(where.cloud, where.region, name, self._received_bytes, self._sent_bytes)
