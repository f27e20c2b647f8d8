"""One window of load against a running server, with every answer compared with the model's own."""

import json
import pickle
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.machine import QUIET_CORES, Load
from benchmarks.serving import load
from benchmarks.serving.models import inputs, model
from benchmarks.serving.servers import REQUESTS, ROOT, Requests, Running

TOLERANCE = 1e-4
QUIET_WAIT_SECONDS = 10.0
TRIES = 3  # of a window during which others used the machine


@dataclass(frozen=True, kw_only=True)
class Window:
    """What came of it; times in milliseconds, `others` in cores."""

    rate: float
    p50: float
    p99: float
    wrong: int
    load_cores: float
    server_cores: float
    others: float
    unsent: int

    @property
    def quiet(self) -> bool:
        """Whether nobody else was busy."""
        return self.others < QUIET_CORES


def expected_scores(name: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """What the model itself says to each of the requests, float32 (REQUESTS, labels)."""
    rows = inputs(name, REQUESTS)
    if rows.dtype == np.float32:
        rows = np.round(rows.astype(float), 6).astype(np.float32)
    with torch.inference_mode():
        found: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = model(name)(torch.from_numpy(rows)).numpy()
    return found


def window(
    running: Running,
    requests: Requests,
    expected: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]",
    *,
    connections: int,
    seconds: float,
    rate: float = 0.0,
) -> Window:
    """The quietest of a few tries."""
    best: Window | None = None
    for _ in range(TRIES):
        _wait_until_quiet(running)
        found = _window(running, requests, expected, connections, seconds, rate)
        best = found if best is None or found.others < best.others else best
        if best.quiet:
            break
    assert best is not None
    return best


def _window(
    running: Running,
    requests: Requests,
    expected: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]",
    connections: int,
    seconds: float,
    rate: float,
) -> Window:
    command = [sys.executable, "-m", "benchmarks.serving.load", str(running.port), "/invocations"]
    command += [str(connections), str(seconds), str(rate)]
    machine, before = Load(()), running.cpu_seconds()
    reading = machine.read()
    done = subprocess.run(command, input=pickle.dumps(requests), stdout=subprocess.PIPE, cwd=ROOT, check=True)
    busy, elapsed = machine.cores_since(reading), time.perf_counter() - reading.at
    found = _unpickled(done.stdout)
    server, loading = running.cpu_seconds() - before, found.cpu_seconds
    return Window(
        rate=len(found.latencies) / found.seconds,
        p50=float(np.percentile(found.latencies, 50)) * 1e3,
        p99=float(np.percentile(found.latencies, 99)) * 1e3,
        wrong=sum(not _right(answer, expected) for answer in found.answers) + found.errors,
        load_cores=loading / found.seconds,
        server_cores=server / found.seconds,
        others=max(0.0, busy - (server + loading + START_CPU_SECONDS) / elapsed),
        unsent=found.unsent,
    )


START_CPU_SECONDS = 0.3  # of the load's own process, before and after the window


def _unpickled(data: bytes) -> load.Measured:
    sys.modules["__main__"].Measured = load.Measured  # type: ignore[attr-defined]  # it was written by __main__
    found: load.Measured = pickle.loads(data)
    return found


def _right(answer: tuple[int, int, bytes], expected: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> bool:
    number, status, body = answer
    if status != 200:
        return False
    (prediction,) = json.loads(body)["predictions"]
    scores = prediction["scores"] if isinstance(prediction, dict) else prediction
    return bool(np.abs(np.asarray(scores, np.float32) - expected[number]).max() < TOLERANCE)


def _wait_until_quiet(running: Running) -> None:
    deadline = time.monotonic() + QUIET_WAIT_SECONDS
    machine = Load((running.pid,))
    while time.monotonic() < deadline:
        reading = machine.read()
        time.sleep(0.3)
        if machine.cores_since(reading) < QUIET_CORES:
            return
