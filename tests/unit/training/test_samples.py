"""The samples are real, complete, in the formats of users, and say nothing of the label that a model may not use."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training import samples


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


@pytest.mark.parametrize(
    ("name", "rows", "columns", "targets"),
    [("wine", 178, 14, {"class_0", "class_1", "class_2"}), ("breast_cancer", 569, 31, {"benign", "malignant"})],
)
def test_tables_have_a_header_and_the_target_last(
    tmp_path: Path, name: str, rows: int, columns: int, targets: set[str]
) -> None:
    samples.write(name, tmp_path)
    header, *body = _rows(tmp_path / f"{name}.csv")
    assert len(body) == rows and {len(row) for row in body} == {columns} == {len(header)}
    assert header[-1] == "target" and {row[-1] for row in body} == targets


def test_the_regression_keeps_every_digit(tmp_path: Path) -> None:
    from sklearn.datasets import load_diabetes

    samples.write("diabetes", tmp_path)
    found = np.array(_rows(tmp_path / "diabetes.csv")[1:], dtype=np.float64)
    data, target = load_diabetes(return_X_y=True)
    np.testing.assert_array_equal(found, np.column_stack([data, target]))


def test_digits_are_scikit_learns_file_and_the_enlarged_ones_as_many(tmp_path: Path) -> None:
    samples.write("digits", tmp_path / "table")
    assert [path.name for path in (tmp_path / "table").iterdir()] == ["digits.csv.gz"]
    samples.write("digit_images", tmp_path / "images")
    files = list((tmp_path / "images").glob("*/*.png"))
    assert len(files) == 1797 and {path.parent.name for path in files} == set("0123456789")
    with Image.open(files[0]) as image:
        assert (image.size, image.mode) == ((28, 28), "L")


def test_patches_of_photographs_are_apart_between_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "PATCH_STRIDE", 120)
    samples.write("photographs", tmp_path)
    for label in samples.PHOTOGRAPHS:
        assert list((tmp_path / "test" / label).glob("*.png"))
        with Image.open(tmp_path / "train" / label / "000.png") as image:
            assert (image.size, image.mode) == ((100, 100), "RGB")
    assert (
        max(box[2] for box in samples._boxes(0, 416, 427))
        <= 416
        == min(box[0] for box in samples._boxes(416, 640, 427))
    )


def test_passages_do_not_name_their_package_and_none_comes_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [f"word{index}" for index in range(80)]
    shared = "def both():\n    '''" + " ".join(words[20:60]) + "'''\n"
    for number, package in enumerate(("slipway_first", "slipway_second")):
        folder = tmp_path / package
        (folder / "tests").mkdir(parents=True)
        own = f"'''A {package} with numpy: {' '.join(words)}. {number}'''\n\ndef short():\n    '''Few words.'''\n\n"
        (folder / "__init__.py").write_text(own + shared)
        (folder / "tests" / "test_it.py").write_text(f"'''{' '.join(words[::-1])}'''\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(samples, "PACKAGES", ("slipway_first", "slipway_second"))
    monkeypatch.setattr(samples, "LEAST_WORDS", 5)
    samples.write("docstrings", tmp_path / "out")
    header, *body = _rows(tmp_path / "out" / "docstrings.csv")
    assert header == ["text", "label"]
    assert [row[1] for row in body] == ["slipway_first", "slipway_second"]
    for text, _ in body:
        assert len(text.split()) == 64 and "numpy" not in text


def test_a_wrong_name_or_a_full_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there").touch()
    assert samples.main(["digits", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert samples.main(["digit", str(tmp_path / "new")]) == 2
    assert "'digit' is no sample; there are digits, " in capsys.readouterr().err
    assert samples.main([]) == 2
    assert samples.main(["digits", str(tmp_path / "new")]) == 0
