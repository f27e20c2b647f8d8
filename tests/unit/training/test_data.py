"""The digits file: exact split, and refusals that name row and column."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits as sklearn_digits
from sklearn.model_selection import train_test_split

from training.data import load_digits, stratified_split
from training.environment import JobPaths
from training.errors import DataError


def test_images_and_split_are_scikit_learns(job: JobPaths) -> None:
    images, targets = sklearn_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        images, targets, test_size=0.2, random_state=0, stratify=targets
    )
    digits = load_digits(job.channel)
    np.testing.assert_array_equal(digits.train_images.reshape(-1, 64), x_train)
    np.testing.assert_array_equal(digits.test_images.reshape(-1, 64), x_test)
    np.testing.assert_array_equal(digits.train_targets, y_train)
    np.testing.assert_array_equal(digits.test_targets, y_test)


@pytest.mark.parametrize("seed", range(8))
def test_the_split_agrees_with_scikit_learn_on_any_labels(seed: int) -> None:
    """Uneven and tied class sizes exercise the drawing of remainders."""
    targets = np.repeat(np.arange(5), np.random.default_rng(seed).integers(2, 9, 5) * 3)
    np.random.default_rng(seed).shuffle(targets)
    train, test = train_test_split(np.arange(len(targets)), test_size=0.2, random_state=0, stratify=targets)
    ours = stratified_split(targets)
    np.testing.assert_array_equal(ours[0], train)
    np.testing.assert_array_equal(ours[1], test)


def _refusal(folder: Path, text: str | bytes, name: str = "digits.csv") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError) as caught:
        load_digits(folder)
    return str(caught.value)


@pytest.mark.parametrize("column, value", [(1, "x"), (3, "17"), (5, "-1"), (64, "nan"), (65, "10"), (65, "2.5")])
def test_a_bad_cell_is_named(tmp_path: Path, small_csv: str, column: int, value: str) -> None:
    rows = [line.split(",") for line in small_csv.splitlines()]
    rows[6][column - 1] = value
    message = _refusal(tmp_path / "in", "\n".join(map(",".join, rows)))
    assert f"row 7 column {column} is '{value}'; expected 64 pixels from 0 to 16" in message


def test_a_wrong_column_count_is_named(tmp_path: Path, small_csv: str) -> None:
    assert "row 201 has 2 columns" in _refusal(tmp_path / "in", small_csv + "1,2\n")
    narrow = "\n".join("1," * 9 + "1" for _ in range(20))
    assert "row 1 has 10 columns" in _refusal(tmp_path / "narrow", narrow)


def test_empty_unreadable_and_unsplittable_files_are_refused(tmp_path: Path, small_csv: str) -> None:
    assert "is empty" in _refusal(tmp_path / "a", "\n")
    whole = gzip.compress(small_csv.encode())
    assert "cannot be read" in _refusal(tmp_path / "b", whole[: len(whole) // 2], "digits.csv.gz")
    assert "cannot be read" in _refusal(tmp_path / "c", b"no gzip", "digits.csv.gz")
    assert "cannot be split" in _refusal(tmp_path / "e", "".join(small_csv.splitlines(keepends=True)[:12]))


def test_exactly_one_file_is_wanted(tmp_path: Path, small_csv: str) -> None:
    with pytest.raises(DataError, match=r"holds nothing \(0 files\)"):
        load_digits(tmp_path / "missing")
    (tmp_path / "a.csv").write_text(small_csv)
    assert "2 files" in _refusal(tmp_path, small_csv, "b.csv")
    assert "['data.parquet']" in _refusal(tmp_path / "other", "x", "data.parquet")
