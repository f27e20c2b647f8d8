"""The program: refusals with exit code 2 and one sentence, what may be overwritten, and what a signal leaves behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.training.prepare.samples import contents, photos, prepare
from training.prepare.__main__ import main

# Says when the first row is written, then waits to be stopped.
CHILD = """
import runpy, signal
from training.prepare import shard_writer

def put(self, part, places, inputs):
    print("writing", flush=True)
    signal.pause()

shard_writer.ShardWriter.put = put
runpy.run_module("training.prepare", run_name="__main__")
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return photos(tmp_path / "photos", each=5)


def _refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("prepare: ") and captured.err.count("\n") == 1 and not captured.out
    return captured.err


@pytest.mark.parametrize(
    "words, wanted",
    [
        ("--image-size 2000", "--image-size is 2000; allowed is 0 to 1024"),
        ("--image-size x", "argument --image-size: invalid int value: 'x'; see python -m training.prepare --help"),
        ("--channels 2 --test-fraction 0", "--test-fraction is 0.0; allowed is 0.01 to 0.9; --channels is 2"),
        ("--classes cat", "--classes is cat; name two or more different classes"),
        ("--classes cat,cat", "--classes is cat,cat; name two or more"),
        ("--test-fraction 0.5 --validation-fraction 0.5", "together leave nothing to train on"),
        ("--workers 0", "--workers is 0; allowed is 1 or more"),
        ("--nonsense", "unrecognized arguments: --nonsense"),
        ("--stream-above-mb 3", "unrecognized arguments: --stream-above-mb 3"),
        ("--task speech", "argument --task: invalid choice: 'speech'"),
    ],
)
def test_bad_words(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, wanted: str) -> None:
    given = [tmp_path, "--out", tmp_path / "out", "--task", "image-classification", *words.split()]
    assert wanted in _refusal(capsys, *given)


def test_bad_sources_are_all_named(tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/a.xml").write_text("x")
    (tmp_path / "a.csv").write_text("1,2,3,4,0\n")
    paths = [source, *(tmp_path / name for name in ("nowhere", "empty", "odd", "a.csv"))]
    message = _refusal(capsys, *paths, "--out", tmp_path / "out", "--task", "image-classification")
    for wanted in ("nowhere does not exist", "empty holds no file", "odd holds a.xml", "prepare one kind at a time"):
        assert wanted in message
    assert "expected for image-classification: folders or archives of images by class" in message


def test_out_has_to_be_new_or_a_data_set(tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [source, "--task", "image-classification", "--out"]
    assert "lies in the source" in _refusal(capsys, *words, source / "cat")
    (tmp_path / "file").write_text("x")
    assert "is a file; name a folder" in _refusal(capsys, *words, tmp_path / "file")
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("x")
    assert "is not empty; name a new folder, or replace" in _refusal(capsys, *words, home)
    assert "holds no dataset.json" in _refusal(capsys, *words, home, "--overwrite")
    assert contents(home) == {"thesis.txt": b"x"}


def test_overwrite_replaces_a_data_set_and_nothing_else(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sub/out"
    prepare(out, source)
    before = contents(out)
    capsys.readouterr()
    assert "is not empty" in _refusal(capsys, source, "--out", out, "--task", "image-classification")
    (out / "notes.txt").write_text("x")
    message = _refusal(capsys, source, "--out", out, "--task", "image-classification", "--overwrite")
    assert "holds notes.txt, which no data step wrote, so --overwrite does not touch it" in message
    (out / "notes.txt").unlink()
    prepare(out, source, overwrite=True, seed=1)
    assert contents(out).keys() == before.keys() and contents(out) != before
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_empty_folder_may_be_filled(tmp_path: Path, source: Path) -> None:
    (tmp_path / "out").mkdir()
    assert "dataset.json" in contents(prepare(tmp_path / "out", source))


def test_the_report_as_json(tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = prepare(tmp_path / "out", source, json=True)
    found = json.loads(capsys.readouterr().out)
    manifest = json.loads((out / "dataset.json").read_text())
    assert found["id"] == manifest["id"] and found["rows"] == found["kept"] == 10 and found["shards"] == 2
    assert found.items() >= json.loads((out / "report.json").read_text()).items()


@pytest.mark.parametrize("existing", [False, True])
def test_a_signal_leaves_what_was_there(tmp_path: Path, source: Path, existing: bool) -> None:
    out = tmp_path / "sets/out"
    if existing:
        prepare(out, source, seed=3)
    before = contents(out.parent)
    words = [str(source), "--out", str(out), "--task", "image-classification", "--overwrite"]
    child = subprocess.Popen([sys.executable, "-c", CHILD, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert child.stdout is not None and child.stdout.readline() == b"writing\n"
        os.kill(child.pid, signal.SIGTERM)
        _, errors = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 143 and b"stopped; nothing was written" in errors
    assert contents(out.parent) == before


def test_a_failed_exchange_brings_the_old_one_back(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = prepare(tmp_path / "sets/out", source)
    before = contents(out.parent)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError("no more room")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="no more room"):
        prepare(out, source, overwrite=True, seed=1)
    assert contents(out.parent) == before


def test_names_that_are_no_unicode(tmp_path: Path, source: Path) -> None:
    (source / "cat" / os.fsdecode(b"bad\xff.png")).write_bytes(b"x")
    out = prepare(tmp_path / "out", source)
    (example,) = json.loads((out / "report.json").read_text())["left_out"]["unreadable"]["examples"]
    assert os.fsencode(example) == b"photos/cat/bad\xff.png (not an image)"
