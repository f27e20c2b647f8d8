"""Starts what is measured, waits until it answers, measures its memory and ends it with all its children."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from benchmarks.serving.models import inputs, text

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
JSON, NPY = "json", "npy"
HEADS = {JSON: "Content-Type: application/json\r\n", NPY: "Content-Type: application/x-npy\r\n"}
REQUESTS = 64  # different ones
Requests = list[tuple[str, bytes]]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A server: its command, its settings, and the formats that it takes."""

    name: str
    command: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)
    formats: tuple[str, ...] = (JSON, NPY)
    sends_texts: bool = False  # m3: strings in place of token ids


def ours(engine: str, **settings: str) -> Contender:
    """`serve` with an engine."""
    return Contender(
        name=f"ours, {engine}",
        command=(sys.executable, str(ROOT / "inference" / "bin" / "serve")),
        settings={"SLIPWAY_ENGINE": engine, **settings},
        sends_texts=True,
    )


def peer(module: str, name: str, formats: tuple[str, ...] = (JSON, NPY), **settings: str) -> Contender:
    """A peer of this folder."""
    return Contender(
        name=name,
        command=(sys.executable, "-m", f"benchmarks.serving.peer_{module}"),
        settings=settings,
        formats=formats,
    )


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that answers; `cold_seconds` from its start to the first right answer."""

    pid: int
    port: int
    cold_seconds: float

    def processes(self) -> list[psutil.Process]:
        """All of its processes."""
        first = psutil.Process(self.pid)
        return [first, *first.children(recursive=True)]

    def memory_mib(self) -> float:
        """PSS: shared pages counted once."""
        return sum(process.memory_full_info().pss for process in self.processes()) / 2**20

    def cpu_seconds(self) -> float:
        """Used so far."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(spent.user + spent.system for spent in times)


def requests_of(contender: Contender, model: str, form: str) -> Requests:
    """(head, body) of requests of one instance each; row n of `inputs(model, REQUESTS)` is number n."""
    rows = inputs(model, REQUESTS)
    if form == NPY:
        return [(HEADS[NPY], _npy(row[np.newaxis])) for row in rows]
    values = [text(row) for row in rows] if model == "m3" and contender.sends_texts else [row.tolist() for row in rows]
    if rows.dtype == np.float32:
        values = [np.round(row.astype(float), 6).tolist() for row in rows]
    return [(HEADS[JSON], json.dumps({"instances": [value]}, separators=(",", ":")).encode()) for value in values]


def _npy(array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@contextmanager
def running(contender: Contender, model: str, artifacts: Path) -> Iterator[Running]:
    """The contender with that model, until the block ends. Raises RuntimeError where it does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "MODEL": model,
        "PORT": str(port),
        "SAGEMAKER_BASE_DIR": str(artifacts / model / "ml"),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        **contender.settings,
    }
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            contender.command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            head, body = requests_of(contender, model, JSON)[0]
            _until_answered(process, port, head, body, log)
            yield Running(pid=process.pid, port=port, cold_seconds=time.perf_counter() - started)
        finally:
            _end(process)


def _until_answered(process: "subprocess.Popen[bytes]", port: int, head: str, body: bytes, log: io.IOBase) -> None:
    name, _, value = head.strip().partition(": ")
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {name: value})
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except (OSError, urllib.error.URLError):
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                raise RuntimeError(f"it does not answer: {log.read()[-500:].decode()}") from None
        time.sleep(0.005)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
