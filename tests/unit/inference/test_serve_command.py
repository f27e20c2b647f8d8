"""`serve` as the platform runs it: start, answer, SIGTERM, and refusals that end the process."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _serve(base: Path, port: int, **extra: str) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "PYTHONPATH": str(ROOT),
        **extra,
    }
    command = [sys.executable, str(ROOT / "inference" / "bin" / "serve")]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def test_it_answers_and_ends_with_0_after_sigterm(base: Path) -> None:
    port = _free_port()
    with _serve(base, port) as process:
        assert process.stderr is not None
        assert "INFO loaded model" in process.stderr.readline()
        assert f"INFO serving at port {port}" in process.stderr.readline()
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        client.request("POST", "/invocations", json.dumps({"instances": [[[1, 2, 3]] * 4]}))
        assert len(json.loads(client.getresponse().read())["predictions"]) == 1
        process.terminate()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read().endswith("INFO stopped\n")


@pytest.mark.parametrize("damage", ["missing", "corrupt"])
def test_a_refused_artifact_ends_with_1_and_one_clear_line(base: Path, damage: str) -> None:
    path = base / "model" / "model.pt2"
    path.unlink() if damage == "missing" else path.write_bytes(b"x" * path.stat().st_size)
    with _serve(base, _free_port()) as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.startswith("serve: ") and "model.pt2" in errors and len(errors.splitlines()) == 1


def test_a_failure_of_the_loading_process_is_its_own_and_not_of_the_port(base: Path) -> None:
    manifest = base / "model" / "manifest.json"
    manifest.unlink()
    manifest.mkdir()  # reading it is an OSError, as listening at a taken port is
    with _serve(base, _free_port()) as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "cannot listen" not in errors and "manifest.json" in errors


def test_a_port_in_use_and_bad_settings_are_told_at_once(base: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        with _serve(base, port) as process:
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 1 and f"cannot listen on port {port}" in errors and len(errors.splitlines()) == 1
    with _serve(base, 8080, SLIPWAY_MAX_BATCH="many") as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2 and errors.startswith("serve: SLIPWAY_MAX_BATCH is 'many'")
