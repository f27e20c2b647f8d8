"""The script of an exported pod's init container, run as the manifest says: with nothing of this repository."""

import gzip
import io
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from slipway.export import fetch_model
from slipway.export.workload import FETCH_SCRIPT

FILES = {"manifest.json": b"{}", "code/inference.py": b"pass\n", "model.pt2": bytes(300_000)}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """(folder, its address on the loopback)."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    return folder


def archive(names: dict[str, bytes] = FILES) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in names.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(body), 0o444
            tar.addfile(entry, io.BytesIO(body))
    return buffer.getvalue()


def run(source: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", FETCH_SCRIPT.read_text(), source, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_archive_from_the_web_is_unpacked_over_what_a_failed_try_left(site: tuple[Path, str], target: Path) -> None:
    folder, address = site
    (folder / "model.tar.gz").write_bytes(archive())
    (target / "model.pt2").write_bytes(b"half")
    (target / "model.pt2").chmod(0o444)
    (target / "old").mkdir()
    done = run(f"{address}/model.tar.gz?X-Signature=hunter2", target)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{address}/model.tar.gz is in {target} after ")
    assert files(target) == FILES and not (target / "old").exists()


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_a_cut_download_is_a_failure(site: tuple[Path, str], target: Path, kept: float) -> None:
    folder, address = site
    whole = archive()
    (folder / "model.tar.gz").write_bytes(whole[: int(len(whole) * kept)])
    done = run(f"{address}/model.tar.gz", target)
    assert done.returncode == 1
    assert done.stderr.startswith("cannot fetch the model: ") and len(done.stderr.splitlines()) == 1


def test_a_cut_behind_the_last_file_is_a_failure(site: tuple[Path, str], target: Path) -> None:
    folder, address = site
    (folder / "model.tar.gz").write_bytes(archive()[:-8])  # gzip's checksum and length
    assert "EOFError" in run(f"{address}/model.tar.gz", target).stderr


def test_what_is_not_there_is_a_failure_in_one_line(site: tuple[Path, str], target: Path) -> None:
    assert run(f"{site[1]}/none.tar.gz", target).stderr == (
        "cannot fetch the model: HTTPError: HTTP Error 404: File not found\n"
    )


def test_nothing_is_written_beside_the_folder(site: tuple[Path, str], target: Path) -> None:
    folder, address = site
    (folder / "model.tar.gz").write_bytes(archive({"../escaped": b"x"}))
    assert "OutsideDestinationError" in run(f"{address}/model.tar.gz", target).stderr
    assert not (target.parent / "escaped").exists()


def test_an_archive_of_an_archive_is_no_model(site: tuple[Path, str], target: Path) -> None:
    folder, address = site
    (folder / "model.tar.gz").write_bytes(gzip.compress(archive()))
    assert "ReadError" in run(f"{address}/model.tar.gz", target).stderr


def test_an_archive_in_s3(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with mock_aws():
        s3 = boto3.client("s3", "us-east-1")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="runs/a b/model.tar.gz", Body=archive())
        fetch_model.main("s3://bucket/runs/a b/model.tar.gz", str(target))
    assert files(target) == FILES
    assert "s3://bucket/runs/a b/model.tar.gz is in" in capsys.readouterr().out
