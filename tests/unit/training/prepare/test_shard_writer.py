"""Shards: a format that the safetensors library reads, rows in any order, few open files."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open

from inference import artifact
from training.data.manifest import Description
from training.data.shards import AGAIN, Shard, read_header, read_rows
from training.errors import DataError
from training.prepare.shard_writer import ShardWriter

SCHEMA = artifact.InputSchema(kind="table", name="row", dtype="float32", shape=(3,))
ROWS = 100


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _write(
    folder: Path, order: NDArray[np.int64], monkeypatch: pytest.MonkeyPatch, first_target: int = 0
) -> tuple[str, tuple[Shard, ...]]:
    """100 rows of 12 bytes and a target of 4, in shards of about 100 bytes."""
    monkeypatch.setattr("training.prepare.shard_writer.MIB", 100)
    folder.mkdir()
    described = Description(task="tabular-regression", input=SCHEMA)
    targets = np.arange(ROWS, dtype=np.float32)
    targets[0] = first_target
    writer = ShardWriter(folder, described, "float32", {"train": targets}, shard_mb=1)
    for places in np.array_split(order, 7):
        writer.put("train", places, np.stack([places, places * 2, places * 3], axis=1).astype(np.float32))
    identity, parts = writer.finish()
    return identity, parts["train"]


def test_any_order_gives_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.prepare.shard_writer.MAX_OPEN_FILES", 3)
    before = _open_files()
    first = _write(tmp_path / "a", np.arange(ROWS), monkeypatch)
    second = _write(tmp_path / "b", np.random.default_rng(0).permutation(ROWS), monkeypatch)
    assert first == second and len(first[1]) == 16 and {shard.rows for shard in first[1]} == {6, 7}
    assert _open_files() == before


def test_the_library_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity, shards = _write(tmp_path / "a", np.arange(ROWS), monkeypatch)
    start = 0
    for shard in shards:
        path = tmp_path / "a" / shard.file
        assert hashlib.sha256(path.read_bytes()).hexdigest() == shard.sha256
        rows = np.arange(start, start + shard.rows, dtype=np.float32)
        with safe_open(path, framework="numpy") as opened:
            theirs = opened.get_tensor("inputs"), opened.get_tensor("targets")
            assert list(opened.metadata()) == ["slipway"]
        for inputs, targets in (theirs, read_rows(tmp_path / "a", shard, check=True)):
            np.testing.assert_array_equal(inputs, np.outer(rows, [1, 2, 3]))
            np.testing.assert_array_equal(targets, rows)
        header = read_header(path)
        assert (header["id"], header["part"], header["rows"]) == (identity, "train", shard.rows)
        start += shard.rows


def test_one_other_value_is_another_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, shards = _write(tmp_path / "a", np.arange(ROWS), monkeypatch)
    other, others = _write(tmp_path / "b", np.arange(ROWS), monkeypatch, first_target=1)
    assert first != other and [shard.size_bytes for shard in shards] == [shard.size_bytes for shard in others]


@pytest.mark.parametrize(
    "data", [b"", b"12345678", b"\x02\0\0\0\0\0\0\0{}", b"\xff" * 8 + b"{", b"\x01\0\0\0\0\0\0\0{"]
)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(data)
    shard = Shard(file="x.safetensors", rows=1, size_bytes=len(data), sha256="")
    for call in (lambda: read_header(tmp_path / shard.file), lambda: read_rows(tmp_path, shard, check=False)):
        with pytest.raises(DataError, match=AGAIN):
            call()
