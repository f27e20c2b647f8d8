"""Texts, tables and CSV files of pixels as sources of the data step, and the data sets in a job afterwards."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.unit.training.data.reading import everything
from tests.unit.training.prepare.samples import prepare
from training.data import DataSet, Host, load
from training.errors import DataError
from training.options import DataOptions
from training.prepare.__main__ import main


def _left_out(folder: Path) -> dict[str, list[str]]:
    left_out = json.loads((folder / "report.json").read_text())["left_out"]
    assert all(found["rows"] == len(found["examples"]) for found in left_out.values())
    return {reason: found["examples"] for reason, found in left_out.items()}


def _load(folder: Path, task: str, **options: object) -> DataSet:
    return load(folder, DataOptions(**{"task": task, **options}), Host())


def _all(data: DataSet) -> tuple[Tensor, Tensor]:
    pieces = [everything(part) for part in (data.train, data.test)]
    return torch.cat([inputs for inputs, _ in pieces]), torch.cat([targets for _, targets in pieces])


def _write(path: Path, head: str, rows: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_texts(tmp_path: Path) -> None:
    good, bad = ([f"{word} film number{n} {word},{word}" for n in range(10)] for word in ("good", "bad"))
    faults = ["GOOD  film number3 good,good", "bad film number1 bad,good", ",good", "x,"]
    _write(tmp_path / "in/a.csv", "text,label", good + bad)
    _write(tmp_path / "in/b.csv", "text,label", faults)
    folder = prepare(tmp_path / "set", tmp_path / "in", task="text-classification", max_tokens=5, vocabulary_size=10)
    assert _left_out(folder) == {
        "duplicate": ["in/b.csv row 1 (same as in/a.csv row 4)"],
        "the same content in two classes": ["in/a.csv row 12 (bad and good)", "in/b.csv row 2 (bad and good)"],
        "no text": ["in/b.csv row 3"],
        "no label": ["in/b.csv row 4"],
    }
    data = _load(folder, "text-classification")
    assert data.labels == ("bad", "good") and data.input.shape == (5,) and data.vocabulary == 10
    assert data.tokenizer is not None and data.tokenizer.size == 10
    with pytest.raises(DataError, match="max_tokens is 7, but the data set was prepared with 5"):
        _load(folder, "text-classification", max_tokens=7)
    inputs, targets = _all(data)
    assert inputs.dtype == torch.int32 and len(inputs) == 19 and targets.sum() == 10
    words = torch.from_numpy(data.tokenizer.encode(["bad", "good"], 1)).flatten()
    assert torch.equal(inputs[:, 0].long(), words[targets])


def test_the_tokenizer_of_a_prepared_set_is_needed(tmp_path: Path) -> None:
    rows = [f"w{n},{'ab'[n % 2]}" for n in range(20)]
    folder = prepare(tmp_path / "set", _write(tmp_path / "a.csv", "text,label", rows), task="text-classification")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match=r"tokenizer.json is not a tokenizer"):
        _load(folder, "text-classification")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"tokenizer.json is missing: every host needs"):
        _load(folder, "text-classification")


def test_tables_keep_rows_that_differ_in_the_target_in_one_part(tmp_path: Path) -> None:
    rows = [f"{n // 2},t{n % 3},{'ab'[n % 2]}" for n in range(80)]
    pairs = [f"{1000 + n},same,{label}" for n in range(20) for label in "ab"]
    source = _write(tmp_path / "a.csv", "x,town,y", [*rows, *pairs, rows[5], "7,t0,"])
    folder = prepare(tmp_path / "set", source, task="tabular-classification", test_fraction=0.3)
    assert _left_out(folder) == {"duplicate": ["a.csv row 121 (same as a.csv row 6)"], "no label": ["a.csv row 122"]}
    data = _load(folder, "tabular-classification")
    assert [column.name for column in data.input.columns] == ["x", "town"] and data.labels == ("a", "b")
    assert data.input.columns[1].categories == ("same", "t0", "t1", "t2")
    train, test = ({tuple(row) for row in everything(part)[0].tolist()} for part in (data.train, data.test))
    assert len(everything(data.test)[0]) >= 30 and not train & test
    assert _load(folder, "tabular-classification", target="y").sha256 == data.sha256


def test_regression_and_groups_by_a_column(tmp_path: Path) -> None:
    rows = [f"{n},{n % 12},{n * 1.5}" for n in range(120)]
    source = _write(tmp_path / "a.csv", "x,patient,y", rows)
    folder = prepare(tmp_path / "set", source, task="tabular-regression", group="patient", validation_fraction=0.2)
    data = _load(folder, "tabular-regression")
    assert [column.name for column in data.input.columns] == ["x"] and data.validation is not None
    patients = []
    for part in (data.train, data.validation, data.test):
        inputs, targets = everything(part)
        assert targets.dtype == torch.float32 and torch.equal(targets, inputs[:, 0] * 1.5)
        patients.append({int(x) % 12 for x in inputs[:, 0]})
    assert sum(map(len, patients)) == 12 and min(map(len, patients)) > 0


def test_files_say_the_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(tmp_path / "in/train.csv", "x,y", [f"{n},{'ab'[n % 2]}" for n in range(9)])
    _write(tmp_path / "in/test.csv", "x,y", ["100,a", "101,b", "3,b"])
    folder = prepare(tmp_path / "set", tmp_path / "in", task="tabular-classification")
    data = _load(folder, "tabular-classification")
    assert sorted(everything(data.test)[0].flatten().tolist()) == [3, 100, 101] and data.train.rows == 8
    words = [str(tmp_path / "in"), "--out", str(tmp_path / "b"), "--task", "tabular-classification"]
    _write(tmp_path / "in/test.csv", "x,g,y", ["100,v,a", "101,v,b"])
    _write(tmp_path / "in/train.csv", "x,g,y", ["1,v,a", "2,w,b"])
    assert main([*words, "--group", "g"]) == 2
    assert "1 rows are in another part than rows of the same group" in capsys.readouterr().err


def test_pixels(tmp_path: Path, digits_file: Path) -> None:
    shutil.copyfile(digits_file, tmp_path / "digits.csv.gz")
    folder = prepare(tmp_path / "set", tmp_path / "digits.csv.gz")
    data = _load(folder, "image-classification")
    plain = load(_only(tmp_path / "in", digits_file), DataOptions(), Host())
    assert data.input == plain.input and data.labels == plain.labels
    ours, theirs = _all(data), _all(plain)
    assert {(row.numpy().tobytes(), int(target)) for row, target in zip(*ours, strict=True)} == {
        (row.numpy().tobytes(), int(target)) for row, target in zip(*theirs, strict=True)
    }
    large = prepare(tmp_path / "large", tmp_path / "digits.csv.gz", image_size=16, channels=3)
    assert _load(large, "image-classification").input.shape == (16, 16, 3)
    generated = prepare(tmp_path / "g", tmp_path / "digits.csv.gz", task="image-generation")
    assert not _all(_load(generated, "image-generation"))[1].any()


def _only(channel: Path, file: Path) -> Path:
    channel.mkdir()
    shutil.copyfile(file, channel / "digits.csv.gz")
    return channel
