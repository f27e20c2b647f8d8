"""Images: what is kept is what the server would see; what is left out is counted, with the reason and examples."""

import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from safetensors.numpy import load_file

from inference import artifact
from tests.unit.training.prepare.samples import photos, picture, prepare
from training.prepare.__main__ import main

ORIENTATION, ON_ITS_SIDE = 0x0112, 6


def _left_out(folder: Path) -> dict[str, tuple[int, list[str]]]:
    left_out = json.loads((folder / "report.json").read_text())["left_out"]
    return {reason: (found["rows"], found["examples"]) for reason, found in left_out.items()}


def _pictures(folder: Path) -> dict[bytes, int]:
    """Pixels -> class number of all shards, read by the safetensors library."""
    shards = [load_file(path) for path in sorted(folder.rglob("*.safetensors"))]
    return {
        row.tobytes(): int(target)
        for shard in shards
        for row, target in zip(shard["inputs"], shard["targets"], strict=True)
    }


def _refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main([*map(str, words), "--task", "image-classification"]) == 2
    return capsys.readouterr().err


def test_pixels_are_the_servers(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", each=3)
    picture(70, 30, 20, grey=True).save(source / "dog/grey.png")
    exif = Image.Exif()
    exif[ORIENTATION] = ON_ITS_SIDE
    picture(71, 40, 31).save(source / "dog/photo.jpg", exif=exif)
    folder = prepare(tmp_path / "set", source, image_size=10)
    expected = {}
    for path in source.rglob("*.*"):
        with Image.open(path) as image:
            expected[artifact.fit_image(image, (10, 10, 3)).tobytes()] = ["cat", "dog"].index(path.parent.name)
    assert _pictures(folder) == expected and len(expected) == 8


def test_images_on_their_side_have_the_size_that_they_show(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = ON_ITS_SIDE
    for label in ("cat", "dog"):
        (tmp_path / "in" / label).mkdir(parents=True)
        for number in range(4):
            lying = picture(number + 10 * (label == "dog"), 14, 20)
            lying.save(tmp_path / f"in/{label}/{number}.jpg", exif=exif)
    manifest = json.loads((prepare(tmp_path / "set", tmp_path / "in") / "dataset.json").read_text())
    assert manifest["description"]["input"]["shape"] == [20, 14, 3]


@pytest.mark.parametrize("channels, shape", [(0, [12, 12]), (3, [12, 12, 3])])
def test_grey_images_stay_grey_unless_asked(tmp_path: Path, channels: int, shape: list[int]) -> None:
    for label in ("cat", "dog"):
        (tmp_path / "in" / label).mkdir(parents=True)
        for number in range(4):
            grey = picture(number + 10 * (label == "dog"), grey=True)
            grey.save(tmp_path / f"in/{label}/{number}.png")
    grey.convert("RGB").save(tmp_path / "in/cat/the_same.png")
    folder = prepare(tmp_path / "set", tmp_path / "in", channels=channels)
    assert json.loads((folder / "dataset.json").read_text())["description"]["input"]["shape"] == shape
    assert _left_out(folder)["the same content in two classes"][0] == 2


def test_each_reason_is_counted_with_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = photos(tmp_path / "photos", each=8)
    for number in range(7):
        (source / f"cat/broken{number}.png").write_bytes(b"x")
    whole = (source / "dog/005.png").read_bytes()
    (source / "dog/cut.png").write_bytes(whole[: len(whole) // 2])
    (source / "dog/again.png").write_bytes(whole)
    picture(1006).save(source / "cat/as_dog.bmp")
    picture(80, 7, 7).save(source / "dog/tiny.png")
    (source / "fish").mkdir()
    picture(81).save(source / "fish/carp.png")
    picture(82).save(source / "stray.png")
    (source / "dog/.hidden.png").write_bytes(b"x")
    folder = prepare(tmp_path / "set", source, classes="dog,cat")
    assert _left_out(folder) == {
        "unreadable": (8, [f"photos/cat/broken{number}.png (not an image)" for number in range(5)]),
        "duplicate": (1, ["photos/dog/again.png (same as photos/dog/005.png)"]),
        "the same content in two classes": (
            2,
            ["photos/cat/as_dog.bmp (cat and dog)", "photos/dog/006.png (cat and dog)"],
        ),
        "too small": (1, ["photos/dog/tiny.png (7x7 pixels)"]),
        "not among --classes": (1, ["photos/fish/carp.png (fish)"]),
        "no label": (1, ["photos/stray.png (in no folder of a class)"]),
    }
    manifest = json.loads((folder / "dataset.json").read_text())
    assert manifest["description"]["labels"] == ["dog", "cat"]
    assert manifest["classes"] == {"test": {"dog": 1, "cat": 2}, "train": {"dog": 6, "cat": 6}}
    table = capsys.readouterr().out
    assert "15 of 29 rows kept" in table and "unreadable" in table and "photos/dog/tiny.png (7x7 pixels)" in table


@pytest.mark.parametrize("pack", ["zip", "tar", "tar.gz"])
def test_archives_are_read_as_the_folder_would_be(tmp_path: Path, pack: str) -> None:
    source = photos(tmp_path / "photos")
    (source / "README.txt").write_text("x")
    archive = tmp_path / f"photos.{pack}"
    files = sorted(source.rglob("*.*"), reverse=True)
    if pack == "zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            for path in files:
                zipped.write(path, path.relative_to(tmp_path))
            zipped.writestr("__MACOSX/cat/._000.png", b"x")
    else:
        with tarfile.open(archive, f"w:{pack[4:]}") as tarred:
            for path in files:
                tarred.add(path, f"./{path.relative_to(tmp_path)}")
    from_folder = _pictures(prepare(tmp_path / "a", source))
    from_archive = prepare(tmp_path / "b", archive)
    assert _pictures(from_archive) == from_folder and len(from_folder) == 20
    assert _left_out(from_archive)["unreadable"] == (
        1,
        [f"photos.{pack}/photos/README.txt (no image, by its name)"],
    )


def test_several_sources_are_one_data_set(tmp_path: Path) -> None:
    photos(tmp_path / "one")
    (tmp_path / "two/cat").mkdir(parents=True)
    picture(500).save(tmp_path / "two/cat/new.png")
    picture(3).save(tmp_path / "two/cat/old.png")
    folder = prepare(tmp_path / "set", tmp_path / "one", tmp_path / "two")
    assert len(_pictures(folder)) == 21
    assert _left_out(folder)["duplicate"] == (1, ["two/cat/old.png (same as one/cat/003.png)"])


def test_broken_archives_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = photos(tmp_path / "photos")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(source, "photos")
    data = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(data[: len(data) // 2])
    (tmp_path / "no.zip").write_bytes(data)
    for name in ("cut.tar.gz", "no.zip"):
        message = _refusal(capsys, tmp_path / name, "--out", tmp_path / "set")
        assert f"{name} cannot be read as an archive" in message
    assert not (tmp_path / "set").exists()


def test_groups_come_from_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("cat", "dog"):
        (tmp_path / "in" / label).mkdir(parents=True)
        for video in range(5):
            for frame in range(3):
                image = picture(video * 10 + frame + 100 * (label == "dog"))
                image.save(tmp_path / f"in/{label}/video{video}_{frame}.png")
    folder = prepare(tmp_path / "set", tmp_path / "in", group=r"video(\d+)_", validation_fraction=0.2)
    part_of = {
        row.tobytes(): part.name for part in folder.iterdir() if part.is_dir()
        for path in part.iterdir() for row in load_file(path)["inputs"]
    }  # fmt: skip
    assert set(part_of.values()) == {"train", "validation", "test"}
    for video in range(5):
        frames = [picture(video * 10 + frame + off) for off in (0, 100) for frame in range(3)]
        assert len({part_of[artifact.fit_image(frame, (12, 12, 3)).tobytes()] for frame in frames}) == 1
    missing = _refusal(capsys, tmp_path / "in", "--out", tmp_path / "b", "--group", "scene")
    assert "--group 'scene' is not found in 'cat/video0_0.png'" in missing
    assert "no regular expression" in _refusal(capsys, tmp_path / "in", "--out", tmp_path / "b", "--group", "(")


def test_a_class_that_the_test_part_lacks_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = photos(tmp_path / "photos")
    (source / "fish").mkdir()
    picture(7000).save(source / "fish/only.png")
    message = _refusal(capsys, source, "--out", tmp_path / "set")
    assert "'fish' (train 0, test 1)" in message and not (tmp_path / "set").exists()
