"""What a channel holds decides who reads it; what cannot be read is refused with what was found and expected."""

import dataclasses
from pathlib import Path

import pytest

from training.data import Host, load
from training.data.channel import file_parts, format_of, part_of
from training.errors import DataError
from training.options import DataOptions


def _refusal(channel: Path, files: dict[str, str], host: Host | None = None, **options: str) -> str:
    for name, text in files.items():
        (channel / name).parent.mkdir(parents=True, exist_ok=True)
        (channel / name).write_text(text)
    with pytest.raises(DataError) as caught:
        load(channel, DataOptions(**options), host or Host())
    return str(caught.value)


@pytest.mark.parametrize("task, wanted", [("image-generation", "CSV of pixels"), ("text-classification", "texts")])
def test_an_empty_channel(tmp_path: Path, task: str, wanted: str) -> None:
    for channel in (tmp_path, tmp_path / "missing"):
        message = _refusal(channel, {}, task=task)
        assert f"{channel} holds nothing (0 files)" in message and wanted in message and "S3 prefix" in message


def test_hidden_files_are_no_data(tmp_path: Path) -> None:
    assert "(0 files)" in _refusal(tmp_path, {".DS_Store": "x", "_SUCCESS": "", "a/.b.csv": ""})


@pytest.mark.parametrize(
    "files, task, found",
    [
        ({"a.csv": "1", "b.png": "x"}, "image-classification", "CSV and images"),
        ({"a.csv": "1", "b.parquet": "x"}, "tabular-regression", "CSV and Parquet"),
        ({"a.parquet": "x"}, "image-classification", "Parquet"),
        ({"a/b.png": "x"}, "text-classification", "images"),
        ({"a.csv": "1", "README": "x"}, "text-classification", "'README' and CSV"),
        ({"data.zip": "1"}, "image-classification", "'.zip'"),
    ],
)
def test_mixed_and_foreign_formats_are_refused(tmp_path: Path, files: dict[str, str], task: str, found: str) -> None:
    message = _refusal(tmp_path, files, task=task)
    assert f", {found}; expected for {task}: " in message


def test_rows_that_no_host_sees_all_of_cannot_be_split(tmp_path: Path) -> None:
    host = Host(index=1, count=2, sharded=True)
    message = _refusal(tmp_path, {"a.csv": "1,2\n"}, host)
    assert "on host 2 of 2" in message and "FullyReplicated" in message and "training.prepare" in message
    alone = _refusal(tmp_path, {}, dataclasses.replace(host, index=0, count=1))
    assert "ShardedByS3Key" not in alone


@pytest.mark.parametrize(
    "name, part",
    [
        ("train.csv", "train"),
        ("validation/a.csv", "validation"),
        ("val.jsonl", "validation"),
        ("test-00001-of-00002.parquet", "test"),
        ("Test/x.png", "test"),
        ("test_tube/x.png", None),
        ("trains.csv", None),
        ("latest.csv", None),
    ],
)
def test_names_say_which_part(name: str, part: str | None) -> None:
    assert part_of(name) == part


def test_some_names_that_say_a_part_are_refused() -> None:
    assert file_parts(["a.csv", "b.csv"], "x") == ["", ""]
    assert file_parts(["train1.csv", "train2.csv"], "x") == ["", ""]
    assert file_parts(["test.csv"], "x") == [""]
    with pytest.raises(DataError, match=r"x: some names .* but other.csv does not; let all"):
        file_parts(["other.csv", "test.csv", "train.csv"], "x")
    with pytest.raises(DataError, match="none of them is the training part"):
        file_parts(["test.csv", "val.csv"], "x")


@pytest.mark.parametrize(
    "name, form", [("A.CSV.GZ", "CSV"), ("a.b.JPG", "images"), ("x.jsonl", "JSONL"), ("x.tar.gz", "'.gz'")]
)
def test_formats_go_by_the_name(name: str, form: str) -> None:
    assert format_of(name) == form
