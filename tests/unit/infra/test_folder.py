"""A local folder as a data set: one hash of its content, a cache of hashes, and clear refusals."""

import json
import os
from pathlib import Path

import pytest

from infra import folder as module
from infra.folder import CODE, FolderError, read_folder, unchanged

LONG_AGO_NS = 10**18


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, body in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    return root


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write(tmp_path / "images", {"b.png": b"bb", "a/1.png": b"one", "a.png": b""})


def read(path: Path, caches: Path) -> module.Folder:
    return read_folder(str(path), Path("/nowhere"), caches)


def test_the_hash_is_of_names_and_content_and_not_of_the_place(images: Path, tmp_path: Path) -> None:
    found = read(images, tmp_path / "cache")
    assert [one.name for one in found.entries] == ["a.png", "a/1.png", "b.png"]
    assert (found.size, found.prefix) == (5, f"data/{found.sha256}/")
    copy = write(tmp_path / "copy", {"a.png": b"", "a/1.png": b"one", "b.png": b"bb"})
    assert read(copy, tmp_path / "cache").sha256 == found.sha256
    renamed = write(tmp_path / "renamed", {"a.png": b"", "a/2.png": b"one", "b.png": b"bb"})
    assert read(renamed, tmp_path / "cache").sha256 != found.sha256


def test_the_folder_is_named_from_the_checkout(images: Path, tmp_path: Path) -> None:
    assert read_folder("./images", tmp_path, tmp_path / "cache").path == images


def test_hidden_files_are_no_part_of_it(images: Path, tmp_path: Path) -> None:
    before = read(images, tmp_path / "cache").sha256
    write(images, {".DS_Store": b"x", ".git/HEAD": b"y"})
    assert read(images, tmp_path / "cache").sha256 == before


def test_a_second_reading_opens_no_file(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read(images, tmp_path / "cache")

    def opened(entry: module.Entry) -> str:
        raise AssertionError(f"{entry.name} is read again")

    monkeypatch.setattr(module, "_sha256", opened)
    assert read(images, tmp_path / "cache").sha256 == first.sha256


def test_a_file_changed_just_now_is_not_remembered(images: Path, tmp_path: Path) -> None:
    (images / "b.png").write_bytes(b"new")
    read(images, tmp_path / "cache")
    (cache,) = (tmp_path / "cache").iterdir()
    assert sorted(key.split(" ")[2] for key in json.loads(cache.read_text())) == ["a.png", "a/1.png"]


def test_a_cache_that_was_cut_off_is_made_anew(images: Path, tmp_path: Path) -> None:
    first = read(images, tmp_path / "cache")
    (cache,) = (tmp_path / "cache").iterdir()
    cache.write_text('{"3 1')
    assert read(images, tmp_path / "cache").sha256 == first.sha256
    assert json.loads(cache.read_text())


def test_links_are_followed_but_not_in_a_circle(images: Path, tmp_path: Path) -> None:
    shared = write(tmp_path / "shared", {"c.png": b"c"})
    (images / "more").symlink_to(shared)
    assert "more/c.png" in [one.name for one in read(images, tmp_path / "cache").entries]
    (images / "a" / "up").symlink_to(images)
    with pytest.raises(FolderError, match=r"a/up is a link to a folder that it lies in"):
        read(images, tmp_path / "cache")


def test_what_cannot_be_a_data_set_is_refused_by_name(images: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (images / "gone.png").symlink_to(tmp_path / "nothing")
    for path, message in [
        (tmp_path / "missing", "does not exist"),
        (images / "b.png", "is not a folder"),
        (tmp_path / "empty", "holds no files"),
        (images, r"cannot read .*gone.png: No such file"),
    ]:
        with pytest.raises(FolderError, match=message):
            read(path, tmp_path / "cache")
    (images / "gone.png").unlink()
    os.mkfifo(images / "pipe")
    with pytest.raises(FolderError, match="pipe is neither a file nor a folder"):
        read(images, tmp_path / "cache")


def test_an_unreadable_file_is_named(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def refused(self: Path, *mode: str, **more: str) -> object:
        if self.suffix == ".png":
            raise PermissionError(13, "Permission denied")
        return opened(self, *mode, **more)

    monkeypatch.setattr(Path, "open", refused)  # the tests may run as root, whom no mode stops
    with pytest.raises(FolderError, match=r"cannot read .*\.png: Permission denied"):
        read(images, tmp_path / "cache")


def test_names_that_s3_cannot_hold_are_refused(tmp_path: Path) -> None:
    deep = write(tmp_path / "deep", {"/".join(["d" * 200] * 5): b"x"})
    with pytest.raises(FolderError, match="leave room for 948"):
        read(deep, tmp_path / "cache")
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    with pytest.raises(FolderError, match="not valid UTF-8"):
        read(odd, tmp_path / "cache")


def test_a_file_that_changes_meanwhile_is_an_error(images: Path, tmp_path: Path) -> None:
    entry = read(images, tmp_path / "cache").entries[2]
    unchanged(entry)
    entry.path.write_bytes(b"other")
    with pytest.raises(FolderError, match=r"b\.png changed while it was read"):
        unchanged(entry)


def test_a_folder_of_code_lies_apart_and_its_errors_name_its_setting(tmp_path: Path) -> None:
    models = write(tmp_path / "models", {"mine.py": b"1", "__pycache__/mine.pyc": b"2"})
    found = read_folder(str(models), Path("/nowhere"), tmp_path / "cache", CODE)
    assert ([one.name for one in found.entries], found.prefix) == (["mine.py"], f"code/{found.sha256}/")
    with pytest.raises(
        FolderError, match=r"slipway:training\.code is '/no/models', but .* give a folder, or leave it out"
    ):
        read_folder("/no/models", Path("/nowhere"), tmp_path / "cache", CODE)
