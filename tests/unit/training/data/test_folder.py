"""Folders of images in a job: the data step's cleaning, in memory."""

from pathlib import Path

import pytest
import torch

from tests.unit.training.data.reading import everything
from tests.unit.training.prepare.samples import photos, picture, prepare
from training.data import Host, load
from training.errors import DataError
from training.options import DataOptions


def test_a_folder_is_what_the_data_step_makes_of_it(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos")
    (source / "cat/broken.png").write_bytes(b"x")
    (source / "cat/notes.txt").write_text("x")
    options = DataOptions(image_size=8, validation_fraction=0.25)
    data = load(source, options, Host())
    prepared = load(prepare(tmp_path / "set", source, image_size=8, validation_fraction=0.25), options, Host())
    assert data.validation is not None and prepared.validation is not None
    for ours, theirs in (
        (data.train, prepared.train),
        (data.validation, prepared.validation),
        (data.test, prepared.test),
    ):
        assert ours.in_memory and torch.equal(everything(ours)[0], everything(theirs)[0])
        assert torch.equal(everything(ours)[1], everything(theirs)[1])
    assert data.input == prepared.input and data.labels == ("cat", "dog")
    assert data.notes == ("2 of 22 rows left out: 2 unreadable (photos/cat/broken.png (not an image), ...)",)


def test_parts_by_folder_and_a_content_that_is_in_two(tmp_path: Path) -> None:
    photos(tmp_path / "in/train", each=6)
    photos(tmp_path / "in/test", each=2)  # the first two of each class again
    data = load(tmp_path / "in", DataOptions(), Host())
    assert (data.train.rows, data.test.rows) == (8, 4) and "4 duplicate" in data.notes[0]


def test_the_content_decides_the_hash(tmp_path: Path) -> None:
    one = load(photos(tmp_path / "one"), DataOptions(), Host())
    same = load(photos(tmp_path / "same", shuffled=1), DataOptions(), Host())
    picture(99).save(tmp_path / "same/cat/000.png")
    other = load(tmp_path / "same", DataOptions(), Host())
    assert one.sha256 == same.sha256 != other.sha256


def test_folders_that_cannot_be_learnt_from(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos")
    picture(5, 20, 30).save(source / "dog/large.png")
    with pytest.raises(DataError, match=r"2 sizes \(12x12, 30x20\); set image_size"):
        load(source, DataOptions(), Host())
    with pytest.raises(DataError, match=r"0 MiB, more than stream_above_mb .* training.prepare"):
        load(source, DataOptions(image_size=8, stream_above_mb=0), Host())
    lone = tmp_path / "lone"
    (lone / "cat").mkdir(parents=True)
    picture(1).save(lone / "cat/a.png")
    with pytest.raises(DataError, match=r"holds 1 class \(cat\)"):
        load(lone, DataOptions(), Host())
    picture(2, 3, 3).save(lone / "cat/a.png")
    with pytest.raises(DataError, match=r"nothing is left .* 1 too small \(lone/cat/a.png \(3x3 pixels\)\)"):
        load(lone, DataOptions(), Host())


def test_generation_needs_no_folders_of_classes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(10):
        picture(number).save(tmp_path / f"in/{number}.png")
    data = load(tmp_path / "in", DataOptions(task="image-generation"), Host())
    assert (data.train.rows, data.test.rows, data.labels) == (8, 2, ()) and not everything(data.train)[1].any()
    with pytest.raises(DataError, match=r"10 no label \(in/0.png \(in no folder of a class\), ...\)"):
        load(tmp_path / "in", DataOptions(), Host())
