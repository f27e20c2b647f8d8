"""The load: `python -m benchmarks.serving.load PORT PATH CONNECTIONS SECONDS RATE`, with requests on standard input.

One process, one thread, epoll and plain sockets, so that it takes little of the cores that it shares with the server.
RATE 0 is a closed loop: each connection sends its next request when it has its answer. Otherwise requests leave at
that many a second, whoever is still waiting (open loop), and a latency counts from the time a request should have left.

Standard input is a pickled list of (head, body), standard output a pickled Measured.
"""

import pickle
import select
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field

HEAD_END = b"\r\n\r\n"
LENGTH = b"ontent-length: "
CHUNK = 1 << 18
TIMEOUT_SECONDS = 30.0


@dataclass(kw_only=True)
class Measured:
    """Latencies in seconds of the answers that came, and what was answered: (number of the request, status, body)."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    answers: list[tuple[int, int, bytes]] = field(default_factory=list)
    errors: int = 0
    unsent: int = 0
    cpu_seconds: float = 0.0


class Client:
    """One connection with at most one request on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = -1
        self.due = 0.0
        self.received = b""

    def send(self, number: int, request: bytes, due: float) -> None:
        """Send a whole request."""
        self.number, self.due = number, due
        self.socket.sendall(request)

    def receive(self) -> tuple[int, bytes] | None:
        """(status, body) once they are whole. Raises ConnectionError where the server has closed."""
        data = self.socket.recv(CHUNK)
        if not data:
            raise ConnectionError
        self.received += data
        end = self.received.find(HEAD_END)
        if end < 0:
            return None
        head = self.received[:end].lower()
        at = head.find(LENGTH) + len(LENGTH)
        stop = head.find(b"\r", at)
        length = int(head[at : stop if stop > 0 else None])
        if len(self.received) < end + 4 + length:
            return None
        body, self.received = self.received[end + 4 :], b""
        return int(head[9:12]), body


def closed_loop(port: int, requests: list[bytes], connections: int, seconds: float) -> Measured:
    """Each connection asks again at once."""
    found, poll, clients = Measured(), select.epoll(), {}
    for number in range(connections):
        client = Client(port)
        clients[client.socket.fileno()] = client
        poll.register(client.socket, select.EPOLLIN)
        client.send(number % len(requests), requests[number % len(requests)], time.perf_counter())
    following = connections
    started = now = time.perf_counter()
    while now - started < seconds:
        for descriptor, _ in poll.poll(1.0):
            client = clients[descriptor]
            answer = client.receive()
            if answer is None:
                continue
            now = time.perf_counter()
            found.latencies.append(now - client.due)
            found.answers.append((client.number, *answer))
            number = following % len(requests)
            following += 1
            client.send(number, requests[number], now)
        now = time.perf_counter()
    found.seconds = now - started
    return found


def open_loop(port: int, requests: list[bytes], connections: int, seconds: float, rate: float) -> Measured:
    """Requests leave on time as long as a connection is free; those that found none wait, and their wait counts."""
    found, poll, clients = Measured(), select.epoll(), {}
    for _ in range(connections):
        client = Client(port)
        clients[client.socket.fileno()] = client
        poll.register(client.socket, select.EPOLLIN)
    free = deque(clients.values())
    started = now = time.perf_counter()
    total, sent = int(rate * seconds), 0
    while len(found.answers) + found.errors < total and now - started < seconds + TIMEOUT_SECONDS:
        while free and sent < total and started + sent / rate <= now:
            number = sent % len(requests)
            free.popleft().send(number, requests[number], started + sent / rate)
            sent += 1
        wait = max(0.0, started + sent / rate - now) if free and sent < total else 1.0
        for descriptor, _ in poll.poll(wait):
            client = clients[descriptor]
            answer = client.receive()
            if answer is not None:
                found.latencies.append(time.perf_counter() - client.due)
                found.answers.append((client.number, *answer))
                free.append(client)
        now = time.perf_counter()
    found.seconds, found.unsent = now - started, total - sent
    return found


def main(port: str, path: str, connections: str, seconds: str, rate: str) -> None:
    """Measure and write."""
    given: list[tuple[str, bytes]] = pickle.load(sys.stdin.buffer)  # written by the benchmark itself
    requests = [
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        for head, body in given
    ]
    cpu = time.process_time()
    if float(rate):
        found = open_loop(int(port), requests, int(connections), float(seconds), float(rate))
    else:
        found = closed_loop(int(port), requests, int(connections), float(seconds))
    found.cpu_seconds = time.process_time() - cpu
    pickle.dump(found, sys.stdout.buffer)


if __name__ == "__main__":
    main(*sys.argv[1:])
