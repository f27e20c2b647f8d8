"""A folder's way to S3: once, in parallel, resumed where it was cut off."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra import upload as module
from infra.folder import Folder, FolderError, read_folder
from infra.upload import Progress, upload_folder
from infra.waiting import ActionFailed

BUCKET = "slipway-dev-data-abc1234"
FILES = {"a/1.png": b"one", "b.png": b"two2", "empty.txt": b""}


class Counting:
    """An S3 client that keeps what is sent through it, and can fail at one key."""

    def __init__(self, client: Any, fail_at: str = "") -> None:
        self._client, self._fail_at = client, fail_at
        self.sent: list[str] = []

    def put_object(self, **arguments: Any) -> Any:
        if self._fail_at and arguments["Key"].endswith(self._fail_at):
            raise OSError("connection reset")
        self.sent.append(arguments["Key"].split("/", 2)[2])
        return self._client.put_object(**arguments)

    def upload_file(self, path: str, bucket: str, key: str, **more: Any) -> None:
        self.sent.append(f"{key.split('/', 2)[2]} in parts")
        self._client.upload_file(path, bucket, key, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    for name, body in FILES.items():
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return read_folder("images", tmp_path, tmp_path / "cache")


def send(client: Any, folder: Folder) -> str:
    return upload_folder(client, folder, BUCKET, lambda text: None)


def test_every_file_arrives_and_then_the_manifest(s3: Any, folder: Folder) -> None:
    client = Counting(s3)
    uri = send(client, folder)
    assert uri == f"s3://{BUCKET}/data/{folder.sha256}/files/"
    assert client.sent[-1] == "_manifest.json" and len(client.sent) == len(FILES) + 1
    for name, body in FILES.items():
        assert s3.get_object(Bucket=BUCKET, Key=f"{folder.prefix}files/{name}")["Body"].read() == body
    manifest = json.loads(s3.get_object(Bucket=BUCKET, Key=f"{folder.prefix}_manifest.json")["Body"].read())
    assert [one["name"] for one in manifest["files"]] == sorted(FILES)


def test_the_second_time_nothing_is_sent(s3: Any, folder: Folder) -> None:
    send(s3, folder)
    again = Counting(s3)
    send(again, folder)
    assert again.sent == []


def test_an_interrupted_upload_goes_on_with_what_is_missing(
    s3: Any, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WORKERS", 1)
    with pytest.raises(ActionFailed, match=r"b\.png .*connection reset\nRun `pulumi up` again"):
        send(Counting(s3, fail_at="b.png"), folder)
    with pytest.raises(s3.exceptions.ClientError):
        s3.head_object(Bucket=BUCKET, Key=f"{folder.prefix}_manifest.json")
    again = Counting(s3)
    send(again, folder)
    assert "files/b.png" in again.sent and "files/a/1.png" not in again.sent


def test_an_object_of_another_size_is_sent_again(s3: Any, folder: Folder) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{folder.prefix}files/b.png", Body=b"x")
    client = Counting(s3)
    send(client, folder)
    assert "files/b.png" in client.sent


def test_large_files_go_in_parts(s3: Any, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PARTS_ABOVE_BYTES", 3)
    client = Counting(s3)
    send(client, folder)
    assert "files/b.png in parts" in client.sent and "files/a/1.png" in client.sent


def test_a_file_that_changed_since_it_was_hashed_is_not_called_the_data_set(s3: Any, folder: Folder) -> None:
    (folder.path / "b.png").write_bytes(b"TWO2")
    os.utime(folder.path / "b.png", ns=(1, 1))
    with pytest.raises(FolderError, match="changed while it was read"):
        send(s3, folder)
    assert "_manifest.json" not in str(s3.list_objects_v2(Bucket=BUCKET).get("Contents", []))


def test_progress_is_said_once_a_second_with_rate_and_rest(folder: Folder) -> None:
    said: list[str] = []
    now = [0.0]
    progress = Progress(folder, list(folder.entries), said.append, lambda: now[0])
    progress.add(1)
    assert said == []
    now[0] = 2.0
    progress.add(3, files=1)
    progress.add(1, files=1)
    assert said == ["data set images: 1 of 3 files, 0.0 of 0.0 MB, 0.0 MB/s, 2 s left"]
