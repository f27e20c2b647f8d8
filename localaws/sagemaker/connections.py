"""One request to one instance, on a pool of keep-alive connections for each."""

import http.client
import socket
import time
from collections.abc import Iterable, Mapping

from localaws.cloud import Cloud
from localaws.sagemaker.instance import HOST, Instance

IDLE_SECONDS = 2.0  # machine time; servers close idle connections after a few seconds, and a race would lose a call
TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for "
    "each container in Amazon CloudWatch, resolve the issue, and try again."
)
CLOSED = "The model container closed the connection before it had answered."


def exchange(
    cloud: Cloud,
    instance: Instance,
    headers: Mapping[str, str],
    body: bytes | Iterable[bytes],
    limit_seconds: float,
    *,
    method: str = "POST",
    path: str = "/invocations",
) -> tuple[int, Mapping[str, str], bytes]:
    """One request on a pooled or new connection; a body in pieces is sent chunked.

    Status 0 stands for no answer. Raises ConnectionRefusedError.
    """
    limit = cloud.clock.socket_timeout(limit_seconds)
    connection = _pooled(instance) or connect(instance, limit)
    connection.sock.settimeout(limit)
    try:
        connection.request(method, path, body, dict(headers))
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


def connect(instance: Instance, limit: float) -> http.client.HTTPConnection:
    """A new connection, whose calls take at most `limit` seconds of machine time. Raises OSError."""
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
