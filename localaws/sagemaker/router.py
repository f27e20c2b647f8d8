"""Invocations: from the client's request to one instance and back, with AWS's headers and errors.

Least outstanding requests, one pool of keep-alive connections per instance. A request goes to another instance only
if the connection was refused before anything was sent, so no prediction runs twice.
"""

import http.client
import socket
import time
from collections.abc import Mapping
from uuid import uuid4

from localaws import wire
from localaws.cloud import ACCOUNT, Cloud, arn
from localaws.errors import AwsError
from localaws.sagemaker.fleet import Fleet
from localaws.sagemaker.instance import HOST, LOG_GROUP, Instance
from localaws.sagemaker.invocations import InvocationMetrics
from localaws.sagemaker.state import SageMaker
from localaws.wire import Answer

BODY_LIMIT_BYTES = 25 * 1024 * 1024
INVOKE_SECONDS = 60.0
IDLE_SECONDS = 2.0  # machine time; servers close idle connections after a few seconds, and a race would lose a call
FORWARDED = (
    "Content-Type",
    "Accept",
    "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-Target-Model",
    "X-Amzn-SageMaker-Target-Variant",
    "X-Amzn-SageMaker-Target-Container-Hostname",
    "X-Amzn-SageMaker-Inference-Id",
    "X-Amzn-SageMaker-Session-Id",
    "X-Amzn-SageMaker-Enable-Explanations",
)
RETURNED = ("content-type", "x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-new-session-id")
TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for "
    "each container in Amazon CloudWatch, resolve the issue, and try again."
)
CLOSED = "The model container closed the connection before it had answered."


def invoke(cloud: Cloud, region: str, endpoint: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer POST /endpoints/<endpoint>/invocations. Raises AwsError."""
    deployment = cloud.store(region, SageMaker).endpoints.get(endpoint)
    fleet = deployment.fleet if deployment else None
    if fleet is None:
        raise AwsError("ValidationError", f"Endpoint {endpoint} of account {ACCOUNT} not found.")
    variant = headers.get("X-Amzn-SageMaker-Target-Variant")
    if variant is not None and variant not in fleet.counts:
        raise AwsError("ValidationError", f"Variant {variant} not found for Request.")
    began = time.perf_counter()
    instance, status, answer_headers, content = _send(cloud, fleet, variant, headers, body)
    seconds = time.perf_counter() - began
    served_by = instance.server.variant
    cloud.store(region, InvocationMetrics).record(cloud.clock, region, endpoint, served_by, seconds, status)
    if not http.client.OK <= status < http.client.MULTIPLE_CHOICES:
        raise _model_error(region, endpoint, instance, status, content)
    named = [(name, value) for name, value in answer_headers.items() if name.lower() in RETURNED]
    return (
        http.client.OK,
        [*named, ("x-Amzn-Invoked-Production-Variant", served_by), ("x-amzn-RequestId", str(uuid4()))],
        content,
    )


def _send(
    cloud: Cloud, fleet: Fleet, variant: str | None, headers: Mapping[str, str], body: bytes
) -> tuple[Instance, int, Mapping[str, str], bytes]:
    refused: list[Instance] = []
    forwarded = {name: headers[name] for name in FORWARDED if name in headers}
    while True:
        instance = fleet.pick(variant, avoid=refused)
        if instance is None:
            raise AwsError("ServiceUnavailable", "No healthy instance can take the request; try again.", status=503)
        try:
            return instance, *_exchange(cloud, instance, forwarded, body)
        except ConnectionRefusedError:
            refused.append(instance)
        finally:
            fleet.release(instance)


def _exchange(
    cloud: Cloud, instance: Instance, headers: Mapping[str, str], body: bytes
) -> tuple[int, Mapping[str, str], bytes]:
    """One request on a pooled or new connection. Status 0 stands for no answer. Raises ConnectionRefusedError."""
    limit = cloud.clock.socket_timeout(INVOKE_SECONDS)
    connection = _pooled(instance) or _connect(instance, limit)
    try:
        connection.request("POST", "/invocations", body, dict(headers))
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        text = TIMED_OUT if isinstance(error, TimeoutError) else CLOSED
        return 0, {}, text.encode()
    if response.will_close or instance.retiring:
        connection.close()
    else:
        instance.idle.append((time.monotonic(), connection))
    return response.status, dict(response.headers.items()), content


def _connect(instance: Instance, limit: float) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(HOST, instance.port, timeout=limit)
    connection.connect()
    return connection


def _pooled(instance: Instance) -> http.client.HTTPConnection | None:
    """The most recently used connection that its server has not closed."""
    while instance.idle:
        try:
            since, connection = instance.idle.pop()
        except IndexError:  # another thread took the last one
            return None
        if time.monotonic() - since < IDLE_SECONDS and _is_open(connection.sock):
            return connection
        connection.close()
    return None


def _is_open(sock: socket.socket) -> bool:
    """Nothing may be waiting on an idle connection: data or an end of file both mean that it is spent."""
    limit = sock.gettimeout()
    sock.setblocking(False)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        sock.settimeout(limit)
    return False


def _model_error(region: str, endpoint: str, instance: Instance, status: int, content: bytes) -> AwsError:
    """424 ModelError: whatever the container answered instead of a 2xx."""
    group, text = f"{LOG_GROUP}/{endpoint}", content.decode("utf-8", "replace")
    kind = "client" if http.client.BAD_REQUEST <= status < http.client.INTERNAL_SERVER_ERROR else "server"
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group}"
    return AwsError(
        "ModelError",
        f'Received {kind} error ({status}) from primary with message "{text}". '
        f"See {console} in account {ACCOUNT} for more information.",
        status=424,
        OriginalStatusCode=status,
        OriginalMessage=text,
        LogStreamArn=arn("logs", region, f"log-group:{group}"),
    )


def failure(error: AwsError) -> Answer:
    return wire.failure(error, wire.REST_JSON)
