"""Texts: columns by name, a tokenizer of the training part alone, and refusals that name rows."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from tests.unit.training.data.reading import everything
from training.data import DataSet, Host, load
from training.errors import DataError
from training.options import DataOptions

ROWS = [(f"This film is good, number{n}!", "good") for n in range(20)] + [
    (f"so\nbad number{n}", "bad") for n in range(20, 40)
]


def _load(folder: Path, text: str | bytes, name: str, **options: object) -> DataSet:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(folder, DataOptions(**{"task": "text-classification", "max_tokens": 6, **options}), Host())


def _csv(head: str = "text,label") -> str:
    return "\n".join([head, *(f'"{text}",{label}' for text, label in ROWS)])


def test_ids_of_a_tokenizer_that_knows_the_training_part_only(tmp_path: Path) -> None:
    data = _load(tmp_path, _csv(), "a.csv")
    assert data.labels == ("bad", "good") and (data.train.rows, data.test.rows) == (32, 8)
    assert data.input.shape == (6,) and data.input.tokenizer == "tokenizer.json" and data.tokenizer is not None
    assert data.vocabulary == data.tokenizer.size
    trained, tested = everything(data.train)[0], everything(data.test)[0]
    assert trained.dtype == torch.int32 and trained.shape == (32, 6)
    assert (trained != 1).all() and (tested == 1).sum() == 8  # each text has one word that no other has
    assert trained.max() < data.vocabulary


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_formats_hold_the_same_texts(tmp_path: Path, form: str) -> None:
    expected = _load(tmp_path, _csv(), "a.csv")
    (tmp_path / "a.csv").unlink()
    rows = [{"text": text, "label": label} for text, label in ROWS]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    written = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").unlink()
    data = _load(tmp_path, written if form == "parquet" else "\n".join(map(json.dumps, rows)), f"a.{form}")
    assert torch.equal(everything(data.test)[0], everything(expected.test)[0]) and data.labels == expected.labels


def test_other_columns_and_whole_numbers_as_labels(tmp_path: Path) -> None:
    text = "stars,review\n" + "".join(f"{n % 11},word{n}\n" for n in range(110))
    data = _load(tmp_path, text, "a.csv", target="stars", text_column="review")
    assert data.labels == tuple(map(str, range(11)))


@pytest.mark.parametrize(
    "text, name, wanted",
    [
        ("a,b\nx,y\n", "a.csv", "a.csv has no column 'text' and no column 'label'; it has a, b"),
        ("text,label\nx,y\n,y\nx,\n", "a.csv", "no 'text' or no 'label' in 2 rows (2, 3; row 1 is the first"),
        ('{"text": "x", "label": 1}\n{"text"', "a.jsonl", "line 2 is not JSON"),
        ('{"text": "x", "label": 1}\n[1]', "a.jsonl", "line 2 holds a list, expected an object"),
        ("text,label\nx,a\ny,a\n", "a.csv", "column 'label' of a.csv holds 1 class (a)"),
        ("text,label\n \t,a\n", "a.csv", "no 'text' or no 'label' in 1 rows"),
    ],
)
def test_bad_texts_are_refused(tmp_path: Path, text: str, name: str, wanted: str) -> None:
    with pytest.raises(DataError) as caught:
        _load(tmp_path, text, name)
    assert wanted in str(caught.value)


def test_a_class_that_a_given_test_part_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("text,label\nx,a\n")
    with pytest.raises(DataError, match=r"'b' \(train 1, test 0\)"):
        _load(tmp_path, "text,label\nx,a\ny,b\n", "train.csv")
