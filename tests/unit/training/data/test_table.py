"""Tables: what a column is, scikit-learn's own files, parts by file, and refusals that name columns and rows."""

import gzip
import shutil
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.model_selection import train_test_split

from tests.unit.training.data.reading import everything
from training.data import DataSet, Host, load
from training.errors import DataError
from training.options import DataOptions

PEOPLE = "age,town,rich\n" + "31, Rome,yes\n,Oslo,no\n7.5,,no\nNaN,Rome,yes\n" * 5


def _load(folder: Path, text: str | bytes, name: str = "a.csv", **options: object) -> DataSet:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(folder, DataOptions(**{"task": "tabular-classification", **options}), Host())


def _refusal(folder: Path, text: str | bytes, name: str = "a.csv", **options: object) -> str:
    with pytest.raises(DataError) as caught:
        _load(folder, text, name, **options)
    return str(caught.value)


def test_numbers_categories_and_missing_values(tmp_path: Path) -> None:
    data = _load(tmp_path, PEOPLE)
    assert [(column.name, column.categories) for column in data.input.columns] == [
        ("age", ()),
        ("town", ("Oslo", "Rome")),
    ]
    assert data.labels == ("no", "yes") and data.input.shape == (2,) and data.input.kind == "table"
    inputs, targets = everything(data.train)
    rows = {
        (str(age), str(town), target) for (age, town), target in zip(inputs.tolist(), targets.tolist(), strict=True)
    }
    assert rows == {("31.0", "1.0", 1), ("nan", "0.0", 0), ("7.5", "nan", 0), ("nan", "1.0", 1)}
    assert inputs.dtype == torch.float32 and targets.dtype == torch.int64


@pytest.mark.parametrize("form", ["csv.gz", "parquet", "jsonl"])
def test_formats_hold_the_same_table(tmp_path: Path, form: str) -> None:
    expected = _load(tmp_path / "csv", PEOPLE)
    rows = [line.split(",") for line in PEOPLE.splitlines()[1:]]
    cells = [[None if cell.strip() in ("", "NaN") else cell.strip() for cell in row] for row in rows]
    ages = [None if row[0] is None else float(row[0]) for row in cells]
    table = pa.table({"age": ages, "town": [row[1] for row in cells], "rich": [row[2] for row in cells]})
    if form == "parquet":
        parquet.write_table(table, tmp_path / "a.parquet")
        text = (tmp_path / "a.parquet").read_bytes()
    elif form == "jsonl":
        text = "\n".join(__import__("json").dumps(row) for row in table.to_pylist()).encode()
    else:
        text = gzip.compress(PEOPLE.encode())
    data = _load(tmp_path / "in", text, f"a.{form}")
    assert data.input == expected.input and data.labels == expected.labels
    for ours, theirs in zip(everything(data.test), everything(expected.test), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name, reference", [("breast_cancer.csv", load_breast_cancer), ("wine_data.csv", load_wine)])
def test_scikit_learns_files_are_read_as_they_are(tmp_path: Path, name: str, reference: object) -> None:
    with as_file(files("sklearn.datasets.data") / name) as path:
        shutil.copyfile(path, tmp_path / name)
    bunch = reference()  # type: ignore[operator]
    data = load(tmp_path, DataOptions(task="tabular-classification"), Host())
    x_train, x_test, y_train, y_test = train_test_split(
        bunch.data, bunch.target, test_size=0.2, random_state=0, stratify=bunch.target
    )
    assert data.labels == tuple(bunch.target_names)
    for part, x, y in ((data.train, x_train, y_train), (data.test, x_test, y_test)):
        inputs, targets = everything(part)
        np.testing.assert_array_equal(inputs, x.astype(np.float32))
        np.testing.assert_array_equal(targets, y)


def test_regression_is_split_plainly(tmp_path: Path) -> None:
    x, y = load_diabetes(return_X_y=True)
    rows = [",".join([*(f"x{i}" for i in range(10)), "y"])]
    rows += [",".join(map(repr, [*features, target])) for features, target in zip(x.tolist(), y.tolist(), strict=True)]
    data = _load(tmp_path, "\n".join(rows), task="tabular-regression")
    _, x_test, _, y_test = train_test_split(x, y, test_size=0.2, random_state=0)
    inputs, targets = everything(data.test)
    np.testing.assert_array_equal(inputs, x_test.astype(np.float32))
    np.testing.assert_array_equal(targets, y_test.astype(np.float32))
    assert data.labels == () and targets.dtype == torch.float32


def test_the_target_by_name_and_whole_numbers_in_order(tmp_path: Path) -> None:
    text = "kind,x\n" + "".join(f"{number % 11},{number}\n" for number in range(110))
    data = _load(tmp_path, text, target="kind")
    assert data.labels == tuple(map(str, range(11))) and data.input.columns[0].name == "x"


def test_files_may_say_the_parts(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("x,y\n7,a\n8,b\n")
    data = _load(tmp_path, "x,y\n1,a\n2,b\n3,b\n", "train.csv")
    assert everything(data.train)[0].flatten().tolist() == [1, 2, 3]
    assert everything(data.test)[0].flatten().tolist() == [7, 8]
    (tmp_path / "test.csv").write_text("x,z\n7,a\n8,b\n")
    assert "test.csv has the columns x, z, but train.csv has x, y" in _refusal(tmp_path, "x,y\n1,a\n", "train.csv")


def test_bad_columns_are_all_named(tmp_path: Path) -> None:
    rows = "".join(f"u{n},inf,,{n},{n % 2}\n" for n in range(1200))
    message = _refusal(tmp_path, "id,huge,void,fine,y\n" + rows)
    assert "column 'id' holds text ('u0') and more than 1000 different values" in message
    assert "column 'huge' holds infinity" in message and "column 'void' has no value in any row" in message
    assert "fine" not in message


@pytest.mark.parametrize(
    "text, options, wanted",
    [
        ("a,b\n1,x\n2,y\n", {"target": "c"}, "a.csv has no column 'c' (hyperparameter target); it has a, b"),
        ("1,2\n3,4\n", {}, "the first row holds only numbers (1,2)"),
        ("a,b\n", {}, "holds the columns' names but no rows"),
        ("", {}, "columns are none; every column needs a name"),
        ("a,a\n1,2\n", {}, "columns are 'a', 'a'; every column"),
        ("a,b\n1,2\n1\n", {}, "cannot be read: CSV parse error: Row #3: Expected 2 columns, got 1"),
        ("y\n1\n2\n", {}, "has only the column 'y'"),
        ("a,y\n1,x\n2,x\n", {}, "column 'y', holds 1 class (x)"),
        ("a,y\n1,x\n2,y\n", {"task": "tabular-regression"}, "column 'y', the target, holds 'x'; tabular-regression"),
        ("a,y\n" + "1,x\n2,\n3,z\n" * 7, {}, "'y' has no value in 7 rows (2, 5, 8, 11, 14, ...; row 1 is the first"),
        ("a,y\n" + "".join(f"1,{n}\n" for n in range(2000)), {}, "holds 2000 different labels"),
        (b"a,y\n\xff\xfe,1\n", {}, "cannot be read: 'utf-8' codec"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str | bytes, options: dict[str, str], wanted: str) -> None:
    assert wanted in _refusal(tmp_path, text, **options)


def test_broken_files_and_odd_types_are_refused(tmp_path: Path) -> None:
    assert "a.parquet cannot be read" in _refusal(tmp_path / "a", b"nope", "a.parquet")
    cut = gzip.compress(PEOPLE.encode())[:-12]
    assert "a.csv.gz cannot be read" in _refusal(tmp_path / "b", cut, "a.csv.gz")
    dates = pa.table({"when": pa.array([1, 2], pa.timestamp("s")), "y": ["a", "b"]})
    parquet.write_table(dates, tmp_path / "dates.parquet")
    message = _refusal(tmp_path / "c", (tmp_path / "dates.parquet").read_bytes(), "a.parquet")
    assert "a.parquet: neither numbers nor text in when (timestamp[ms]); convert" in message
