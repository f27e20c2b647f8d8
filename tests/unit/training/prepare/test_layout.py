"""Classes and parts by folders."""

import pytest

from training.prepare.layout import places


@pytest.mark.parametrize(
    "names, expected",
    [
        (["cat/1.png", "dog/1.png"], [("cat", ""), ("dog", "")]),
        (["pets/cat/1.png", "pets/dog/deep/1.png"], [("cat", ""), ("dog", "")]),
        (
            ["train/cat/1.png", "test/cat/1.png", "val/dog/1.png"],
            [("cat", "train"), ("cat", "test"), ("dog", "validation")],
        ),
        (["a/b/train/cat/1.png", "a/b/test/cat/1.png"], [("cat", "train"), ("cat", "test")]),
        (["train/cat/1.png", "train/dog/1.png"], [("cat", "train"), ("dog", "train")]),
        (["train/cat/1.png", "car/1.png"], [("train", ""), ("car", "")]),
        (["train_station/1.png", "test_tube/1.png"], [("train_station", ""), ("test_tube", "")]),
        (["cat/1.png", "stray.png"], [("cat", ""), ("", "")]),
        (["train/stray.png", "test/cat/1.png"], [("", "train"), ("cat", "test")]),
        ([], []),
    ],
)
def test_folders_say_the_class_and_the_part(names: list[str], expected: list[tuple[str, str]]) -> None:
    assert places(names, labelled=True) == expected


def test_without_labels_only_parts_count() -> None:
    assert places(["all/train/1.png", "all/test/2.png"], labelled=False) == [("", "train"), ("", "test")]
    assert places(["1.png", "x/2.png"], labelled=False) == [("", ""), ("", "")]
