"""CSV files of pixels: the digits as scikit-learn has them, other sizes and ranges, refusals with row and column."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits as sklearn_digits
from sklearn.model_selection import train_test_split

from tests.unit.training.data.reading import everything
from training.data import Host, load
from training.errors import DataError
from training.options import DataOptions


@pytest.fixture
def digits(tmp_path: Path, digits_file: Path) -> Path:
    channel = tmp_path / "channel"
    channel.mkdir()
    shutil.copyfile(digits_file, channel / "digits.csv.gz")
    return channel


def test_images_and_split_are_scikit_learns(digits: Path) -> None:
    images, targets = sklearn_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        images, targets, test_size=0.2, random_state=0, stratify=targets
    )
    data = load(digits, DataOptions(), Host())
    for part, x, y in ((data.train, x_train, y_train), (data.test, x_test, y_test)):
        inputs, labels = everything(part)
        np.testing.assert_array_equal(inputs.reshape(-1, 64), x)
        np.testing.assert_array_equal(labels, y)
        assert inputs.dtype == torch.float32 and labels.dtype == torch.int64
    assert data.input.shape == (8, 8) and data.input.value_range == (0.0, 16.0)
    assert data.labels == tuple("0123456789") and data.validation is None


def test_a_validation_part_is_cut_out_of_the_training_part(digits: Path) -> None:
    whole = load(digits, DataOptions(), Host())
    cut = load(digits, DataOptions(validation_fraction=0.25), Host())
    assert cut.validation is not None
    assert (cut.train.rows, cut.validation.rows) == (1077, 360)
    assert torch.equal(everything(cut.test)[0], everything(whole.test)[0])
    rows = torch.cat([everything(cut.train)[0], everything(cut.validation)[0]]).flatten(1)
    assert torch.equal(rows.unique(dim=0), everything(whole.train)[0].flatten(1).unique(dim=0))


@pytest.mark.parametrize("size, channels, shape", [(28, 0, (28, 28)), (32, 3, (32, 32, 3)), (4, 1, (4, 4))])
def test_digits_are_resized_bilinearly(digits: Path, size: int, channels: int, shape: tuple[int, ...]) -> None:
    plain = load(digits, DataOptions(), Host())
    data = load(digits, DataOptions(image_size=size, channels=channels), Host())
    images, small = everything(data.test)[0], everything(plain.test)[0]
    assert data.input.shape == shape == tuple(images.shape[1:]) and data.sha256 == plain.sha256
    assert images.min() >= 0 and images.max() <= 16
    expected = torch.nn.functional.interpolate(small[:, None], (size, size), mode="bilinear", antialias=size < 8)[:, 0]
    np.testing.assert_allclose(images[..., 0] if channels == 3 else images, expected.clamp(0, 16), rtol=1e-6)


def test_generation_takes_no_labels(digits: Path) -> None:
    data = load(digits, DataOptions(task="image-generation"), Host())
    assert data.labels == () and not everything(data.train)[1].any()


@pytest.mark.parametrize("highest, maximum, dtype", [(1, 1.0, torch.float32), (200, 255.0, torch.uint8)])
def test_the_range_is_the_smallest_that_holds_all(
    tmp_path: Path, highest: int, maximum: float, dtype: torch.dtype
) -> None:
    rows = np.random.default_rng(0).integers(0, highest + 1, (40, 10))
    rows[:, 9] = np.arange(40) % 4 * 5
    rows[0, 0] = highest
    np.savetxt(tmp_path / "a.csv", rows, fmt="%d", delimiter=",")
    data = load(tmp_path, DataOptions(), Host())
    assert data.input.shape == (3, 3) and data.input.maximum == maximum and data.labels == ("0", "5", "10", "15")
    assert everything(data.train)[0].dtype == dtype


def test_a_large_file_is_read_as_a_small_one(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = load(digits, DataOptions(), Host())
    monkeypatch.setattr("training.data.pixel_text.SMALL_BYTES", 0)
    large = load(digits, DataOptions(), Host())
    assert torch.equal(everything(small.train)[0], everything(large.train)[0]) and small.sha256 == large.sha256


def _refusal(folder: Path, text: str | bytes, name: str = "digits.csv") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError) as caught:
        load(folder, DataOptions(), Host())
    return str(caught.value)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("column, value", [(1, "x"), (3, "256"), (5, "-1"), (64, "nan"), (65, "2.5"), (9, "")])
def test_a_bad_cell_is_named(
    tmp_path: Path, small_csv: str, column: int, value: str, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr("training.data.pixel_text.SMALL_BYTES", 0)
    rows = [line.split(",") for line in small_csv.splitlines()]
    rows[6][column - 1] = rows[8][column - 1] = value
    message = _refusal(tmp_path / "in", "\n".join(map(",".join, rows)))
    assert f"digits.csv row 7 column {column} is {value!r}, row 9 column {column} is {value!r}; expected 64" in message


def test_a_wrong_column_count_is_named(tmp_path: Path, small_csv: str) -> None:
    assert "row 201 has 2 columns" in _refusal(tmp_path / "in", small_csv + "1,2\n")
    narrow = "\n".join("1," * 8 + "1" for _ in range(20))
    assert "row 1 has 9 columns; expected a square number of pixels" in _refusal(tmp_path / "narrow", narrow)


def test_empty_unreadable_and_unsplittable_files_are_refused(tmp_path: Path, small_csv: str) -> None:
    assert "is empty" in _refusal(tmp_path / "a", "\n")
    whole = gzip.compress(small_csv.encode())
    assert "cannot be read" in _refusal(tmp_path / "b", whole[: len(whole) // 2], "digits.csv.gz")
    assert "cannot be read" in _refusal(tmp_path / "c", b"no gzip", "digits.csv.gz")
    assert "cannot be split" in _refusal(tmp_path / "e", "".join(small_csv.splitlines(keepends=True)[:12]))
    assert "holds 1 class (7)" in _refusal(tmp_path / "f", "1,2,3,4,7\n" * 20)


def test_a_class_that_the_test_part_lacks_is_named(tmp_path: Path) -> None:
    rows = ["0,1,0,1,0\n"] * 52 + ["1,1,0,0,1\n"] * 52 + ["1,0,0,0,2\n"] * 2
    message = _refusal(tmp_path / "rare", "".join(rows))
    assert "'2' (train 2, test 0); add rows of them, raise test_fraction" in message


def test_exactly_one_file_is_wanted(tmp_path: Path, small_csv: str) -> None:
    (tmp_path / "a.csv").write_text(small_csv)
    assert "holds a.csv, b.csv (2 files)" in _refusal(tmp_path, small_csv, "b.csv")
