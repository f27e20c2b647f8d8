"""`serve` as processes: workers that are killed under load, too many connections, models that cannot be loaded."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
import pytest
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[3]
WAIT_SECONDS = 30.0


@dataclass
class Served:
    """A running `serve`."""

    process: subprocess.Popen[str]
    port: int

    def client(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def get(self, path: str) -> tuple[int, str]:
        client = self.client()
        try:
            client.request("GET", path)
            answer = client.getresponse()
            return answer.status, answer.read().decode()
        finally:
            client.close()

    def metric(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics")[1], re.M)
        assert found, name
        return float(found[1])

    def workers(self) -> list[int]:
        """Process ids: the children of the only child."""
        (zygote,) = _children(self.process.pid)
        return _children(zygote)


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def serving(base: Path, **settings: str) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    environment = {
        **os.environ,
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "PYTHONPATH": str(ROOT),
        "SLIPWAY_WORKERS": "2",
        "SLIPWAY_THREADS": "1",
        **settings,
    }
    command = [sys.executable, str(ROOT / "inference" / "bin" / "serve")]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        while "serving at port" not in (line := process.stderr.readline()):
            assert line, "it has ended"
        yield Served(process, port)
    finally:
        process.terminate()
        assert process.wait(WAIT_SECONDS) is not None
        process.stderr.close()


@dataclass
class Caller(threading.Thread):
    """Asks on one connection and compares each answer with the model's own."""

    served: Served
    model: nn.Module
    number: int
    done: int = 0
    lost: int = 0
    wrong: list[object] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        random, client = np.random.default_rng(self.number), self.served.client()
        while not self.stop.is_set():
            batch = random.random((int(random.integers(1, 5)), 4, 3), np.float32) * 10
            try:
                client.request("POST", "/invocations", orjson.dumps({"instances": batch.tolist()}))
                answer = client.getresponse()
                status, body = answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException):  # in flight on the worker that was killed
                self.lost += 1
                client.close()
                continue
            self._compare(batch, status, body)

    def _compare(self, batch: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]", status: int, body: object) -> None:
        with torch.inference_mode():
            expected = self.model(torch.from_numpy(batch)).numpy()
        assert isinstance(body, dict)
        if status != 200 or not np.allclose([one["scores"] for one in body["predictions"]], expected, atol=1e-5):
            self.wrong.append((status, body))
        self.done += 1


def test_workers_killed_under_load_lose_what_they_had_in_flight_and_nothing_else(base: Path, model: nn.Module) -> None:
    kills, connections = 4, 6
    with serving(base) as served:
        callers = [Caller(served, model, number) for number in range(connections)]
        for caller in callers:
            caller.start()
        for kill in range(kills):
            target = 20 * (kill + 1)
            _until(lambda: min(caller.done for caller in callers) >= target)  # noqa: B023
            workers = served.workers()
            os.kill(workers[kill % 2], signal.SIGKILL)
            _until(lambda: len(served.workers()) == 2 and served.workers() != workers)  # noqa: B023
        _until(lambda: served.metric("slipway_workers") == 2)
        assert served.metric("slipway_worker_restarts_total") == kills
        for caller in callers:
            caller.stop.set()
        for caller in callers:
            caller.join(10)
        assert [caller.wrong for caller in callers] == [[]] * connections
        # One request a connection is in flight at most, and one worker has at most all of them.
        assert sum(caller.lost for caller in callers) <= kills * connections
        ok = served.metric('slipway_requests_total{outcome="ok"}')
        assert 0 <= ok - sum(caller.done for caller in callers) <= kills * connections
        assert served.metric('slipway_requests_total{outcome="model_error"}') == 0


def test_connections_are_shared_out_evenly_and_all_processes_go_with_the_server(base: Path) -> None:
    with serving(base) as served:
        clients = [served.client() for _ in range(6)]
        for client in clients:
            client.request("GET", "/ping")
            assert json.loads(client.getresponse().read())["status"] == "ready"
        everyone = [served.process.pid, *_children(served.process.pid), *served.workers()]
        held = [sum(_is_socket(link) for link in Path(f"/proc/{pid}/fd").iterdir()) for pid in served.workers()]
        assert abs(held[0] - held[1]) <= 1
        served.process.kill()
        served.process.wait(WAIT_SECONDS)
        _until(lambda: not any(Path(f"/proc/{pid}/cmdline").is_file() and _alive(pid) for pid in everyone[1:]))
        for client in clients:
            client.close()


def _is_socket(link: Path) -> bool:
    try:
        return str(link.readlink()).startswith("socket:")
    except OSError:
        return False


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_more_connections_than_allowed_are_told_so(base: Path) -> None:
    with serving(base, SLIPWAY_MAX_CONNECTIONS="2") as served:
        first, second, third = (served.client() for _ in range(3))
        for client in (first, second):
            client.request("GET", "/ping")
            assert client.getresponse().read()
        third.request("GET", "/ping")
        answer = third.getresponse()
        assert answer.status == 503 and answer.headers["Retry-After"] == "1"
        assert "2 connections are open, which is the limit" in json.loads(answer.read())["error"]
        first.close()
        _until(lambda: served.get("/ping")[0] == 200)
        second.close()


def test_requests_in_flight_are_answered_before_the_end(base: Path) -> None:
    with serving(base) as served:
        body = orjson.dumps({"instances": [[[1.0] * 3] * 4]})
        half = socket.create_connection(("127.0.0.1", served.port))
        half.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:-3])
        assert served.get("/ping")[0] == 200
        served.process.terminate()
        with pytest.raises(OSError):
            _until(lambda: served.get("/ping")[0] == 0)
        half.sendall(body[-3:])
        assert half.recv(10_000).startswith(b"HTTP/1.1 200 OK")
        half.close()
        assert served.process.wait(WAIT_SECONDS) == 0


def test_threads_of_the_arithmetic_are_started_in_the_worker(base: Path) -> None:
    with serving(base, SLIPWAY_WORKERS="1", SLIPWAY_THREADS="2") as served:
        assert json.loads(served.get("/ping")[1])["engine"].startswith("torch")
        assert len(served.workers()) == 1
