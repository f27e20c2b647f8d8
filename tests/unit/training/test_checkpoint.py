"""Checkpoints: the newest valid one of this configuration, damage reported, no partial files, failures told."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.training import toy
from training.checkpoint import BACKGROUND_BYTES, CheckpointError, CheckpointStore


def _large(value: float) -> dict[str, Any]:
    return {"step": int(value), "weights": [torch.full((BACKGROUND_BYTES // 4,), value)]}


def test_only_the_two_newest_are_kept_and_nothing_half_written(tmp_path: Path) -> None:
    store = toy.store(tmp_path)
    for step in (1, 5, 30):
        store.save(step, {"step": step, "weights": torch.ones(3)})
    assert [path.name.split("-")[2] for path in sorted(tmp_path.iterdir())] == ["000000005", "000000030"]
    newest = store.newest()
    assert newest is not None and newest["step"] == 30


def test_a_large_one_is_written_while_the_run_goes_on_with_the_values_it_had(tmp_path: Path) -> None:
    store = toy.store(tmp_path)
    state = _large(3.0)
    for step in (3, 4):  # the second time into the memory of the first
        state["weights"][0].fill_(step)
        store.save_soon(step, {**state, "step": step})
        state["weights"][0].zero_()
    store.wait()
    newest = toy.store(tmp_path).newest()
    assert newest is not None and newest["step"] == 4 and newest["weights"][0].unique().tolist() == [4.0]


def test_a_damaged_one_is_reported_and_the_one_before_is_used(tmp_path: Path) -> None:
    lines: list[str] = []
    store = toy.store(tmp_path, lines)
    store.save(1, {"step": 1})
    damaged = store.save(2, {"step": 2})
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    newest = store.newest()
    assert newest is not None and newest["step"] == 1
    assert len(lines) == 1 and damaged.name in lines[0] and "damaged" in lines[0]


def test_other_configurations_and_files_are_not_touched_but_mentioned(tmp_path: Path) -> None:
    other = CheckpointStore(folder=tmp_path, identity="f" * 16, report=print)
    for step in (1, 2):
        other.save(step, {"step": step})
    (tmp_path / f"{toy.IDENTITY}-step-note.pt").write_text("mine")
    lines: list[str] = []
    store = toy.store(tmp_path, lines)
    assert store.newest() is None
    assert re.match(r"2 checkpoints of other settings, models or data \(such as ffff.*\) are not resumed", lines[0])
    for step in (1, 2, 3):
        store.save(step, {"step": step})
    assert len(list(tmp_path.iterdir())) == 5
    assert toy.store(tmp_path / "nowhere").newest() is None


def test_one_of_another_release_is_refused_not_guessed_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.checkpoint.FORMAT_VERSION", 1)
    toy.store(tmp_path).save(1, {"step": 1})
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="has format 1, this release reads 2; empty the checkpoint folder"):
        toy.store(tmp_path).newest()


def test_a_full_disk_fails_a_stop_but_not_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    store = toy.store(tmp_path, lines)
    store.save(1, {"step": 1})

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    problem = "the checkpoint of step 2 could not be written to .*: No space left on device; the newest is .*volume_gb"
    with pytest.raises(CheckpointError, match=problem):
        store.save(2, {"step": 2})
    store.save_soon(2, {"step": 2})
    assert re.fullmatch(f"{problem}.*; the run goes on", lines[0])
    store.save_soon(3, _large(3.0))
    store.wait()
    assert len(lines) == 2 and [path.name.split("-")[2] for path in tmp_path.iterdir()] == ["000000001"]
