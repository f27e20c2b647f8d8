"""A prepared data set in a job: in memory or streamed, checked against its hashes and against what the job asks for."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import Generator

from tests.unit.training.data.reading import everything
from tests.unit.training.prepare.samples import contents, photos, prepare
from training.data import DataSet, Host, load
from training.errors import DataError
from training.options import DataOptions

EACH = 40
SHARDS = "training.prepare.shard_writer.MIB"  # shards of a few KiB, or a test of many would take seconds


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """64 training images of 12x12x3 in 8 shards, 16 test images in 2."""
    monkeypatch.setattr(SHARDS, 3600)
    return prepare(tmp_path / "set", photos(tmp_path / "photos", each=EACH), shard_mb=1)


def _load(folder: Path, host: Host | None = None, **options: object) -> DataSet:
    return load(folder, DataOptions(**options), host or Host())


def _refusal(folder: Path, host: Host | None = None, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        data = _load(folder, host, **options)
        everything(data.train)
    return str(caught.value)


def _rows(data: DataSet, generator: Generator | None = None) -> list[bytes]:
    return [row.numpy().tobytes() for row in everything(data.train, generator)[0]]


def test_streamed_and_in_memory_are_the_same_rows(shards: Path) -> None:
    held, streamed = _load(shards), _load(shards, stream_above_mb=0)
    assert held.train.in_memory and not streamed.train.in_memory and not streamed.test.in_memory
    assert (held.train.rows, held.test.rows, held.labels) == (64, 16, ("cat", "dog"))
    for part in ("train", "test"):
        inputs, targets = everything(getattr(held, part))
        assert inputs.dtype == torch.uint8 and inputs.shape[1:] == (12, 12, 3)
        for one, other in zip((inputs, targets), everything(getattr(streamed, part)), strict=True):
            assert torch.equal(one, other)
    assert held.sha256 == streamed.sha256 and held.input.value_range == (0.0, 255.0)


def test_each_streamed_pass_is_another_shuffle_of_all_rows(shards: Path) -> None:
    data = _load(shards, stream_above_mb=0)
    generator = Generator().manual_seed(1)
    first, second = _rows(data, generator), _rows(data, generator)
    assert first != second and sorted(first) == sorted(second) == sorted(_rows(data))
    assert first == _rows(data, Generator().manual_seed(1))
    neighbours = [data.train.plan(Generator().manual_seed(seed))[0].read()[0] for seed in range(4)]
    assert len({window.sort(dim=0).values.numpy().tobytes() for window in neighbours}) > 1


def test_labels_stay_with_their_rows_in_a_shuffle(shards: Path) -> None:
    data = _load(shards, stream_above_mb=0)
    expected = {row.numpy().tobytes(): int(target) for row, target in zip(*everything(data.train), strict=True)}
    inputs, targets = everything(data.train, Generator().manual_seed(0))
    assert {row.numpy().tobytes(): int(target) for row, target in zip(inputs, targets, strict=True)} == expected


def test_a_window_reads_whole_shards_and_only_when_it_is_asked(shards: Path) -> None:
    data = _load(shards, stream_above_mb=0)
    for path in (shards / "train").iterdir():
        path.unlink()
    windows = data.train.plan(Generator().manual_seed(0))
    assert [window.rows for window in windows] == [16] * 4
    with pytest.raises(DataError, match=r"train/0000\d.safetensors is no shard .* copy the data set again"):
        windows[2].read()


def test_a_read_only_folder_is_enough(shards: Path) -> None:
    before = contents(shards)
    for path in [*shards.rglob("*"), shards]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        data = _load(shards, stream_above_mb=0)
        assert len(_rows(data, Generator())) == 64
    finally:
        for path in [shards, *shards.rglob("*")]:
            path.chmod(0o755)
    assert contents(shards) == before


def test_a_changed_shard_is_refused_when_it_is_read(shards: Path) -> None:
    path = shards / "train/00001.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert f"{path} has sha256" in _refusal(shards) and "copy the data set again" in _refusal(shards)
    streamed = _load(shards, stream_above_mb=0)
    windows = streamed.train.plan(None)
    windows[0].read()
    with pytest.raises(DataError, match=r"00001.safetensors has sha256"):
        windows[1].read()


def test_missing_and_cut_files_are_all_named(shards: Path) -> None:
    (shards / "train/00000.safetensors").unlink()
    (shards / "test/00001.safetensors").write_bytes(b"12345")
    message = _refusal(shards)
    assert "train/00000.safetensors is missing" in message and "test/00001.safetensors has 5 bytes" in message
    (shards / "dataset.json").unlink()
    assert "but no dataset.json" in _refusal(shards)


@pytest.mark.parametrize(
    "change, wanted",
    [
        ({"format_version": 2}, "has format_version 2, this program reads 1"),
        ({"parts": {"train": [{"file": "x"}]}}, "cannot be read"),
        ({"description": {}}, "cannot be read (KeyError('input'))"),
    ],
)
def test_a_foreign_manifest_is_refused(shards: Path, change: dict[str, object], wanted: str) -> None:
    path = shards / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert wanted in _refusal(shards) and "write the data set again" in _refusal(shards)


def test_what_the_job_asks_for_has_to_be_what_was_prepared(shards: Path) -> None:
    message = _refusal(shards, task="text-classification", image_size=32, channels=1)
    assert "task is 'text-classification', but the data set was prepared with 'image-classification'" in message
    assert "image_size is 32, but the data set was prepared with 12" in message
    assert "channels is 1, but the data set was prepared with 3" in message
    assert _load(shards, image_size=12, channels=3).train.rows == 64


def test_generation_leaves_the_labels_out(shards: Path) -> None:
    for above in (0, 1024):
        data = _load(shards, task="image-generation", stream_above_mb=above)
        assert data.labels == () and not everything(data.train)[1].any()


def test_validation_is_cut_out_of_a_training_part_that_has_none(shards: Path) -> None:
    whole = _load(shards)
    for above in (1024, 0):
        data = _load(shards, validation_fraction=0.25, stream_above_mb=above)
        assert data.validation is not None
        assert (data.train.rows, data.validation.rows) == (48, 16)
        both = [row.numpy().tobytes() for part in (data.train, data.validation) for row in everything(part)[0]]
        assert sorted(both) == sorted(_rows(whole))


def test_what_cannot_be_cut_says_why(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos")
    one = prepare(tmp_path / "one", source)
    assert "one shard, which cannot be streamed and cut" in _refusal(one, stream_above_mb=0, validation_fraction=0.1)
    grouped = prepare(tmp_path / "grouped", source, group=r"\d+")
    assert "keeps groups together" in _refusal(grouped, validation_fraction=0.1)


def test_hosts_that_share_the_shards_out(shards: Path, tmp_path: Path) -> None:
    """ShardedByS3Key: dataset.json lies on one host only, and every host reads what it got by the shards' headers."""
    whole = _load(shards)
    rows: list[bytes] = []
    for index in range(2):
        folder = tmp_path / f"host{index}"
        for number, name in enumerate(sorted(contents(shards))):
            if number % 2 == index:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(shards / name, folder / name)
        data = _load(folder, Host(index=index, count=2, sharded=True), stream_above_mb=index)
        assert data.sha256 == whole.sha256 and data.labels == whole.labels and data.input == whole.input
        rows += _rows(data)
    assert sorted(rows) == sorted(_rows(whole))


def test_a_host_without_a_shard_and_a_changed_one(shards: Path, tmp_path: Path) -> None:
    host = Host(index=2, count=3, sharded=True)
    folder = tmp_path / "host"
    (folder / "test").mkdir(parents=True)
    shutil.copyfile(shards / "test/00000.safetensors", folder / "test/00000.safetensors")
    assert "host 3 of 3 got no shard to train on" in _refusal(folder, host)
    data = bytearray((shards / "train/00000.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "train").mkdir()
    (folder / "train/00000.safetensors").write_bytes(data)
    assert "00000.safetensors has sha256" in _refusal(folder, host)
