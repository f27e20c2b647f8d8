"""The same input gives the same bytes, whatever order files were created in and however many threads decode."""

import json
import random
from pathlib import Path

import pytest

from tests.unit.training.prepare.samples import contents, photos, prepare


def test_the_order_of_creation_and_the_threads_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.prepare.shard_writer.MIB", 2000)
    first = contents(prepare(tmp_path / "a", photos(tmp_path / "1/photos"), shard_mb=1, workers=1))
    monkeypatch.setattr(Path, "rglob", _shuffled(Path.rglob))
    second = contents(prepare(tmp_path / "b", photos(tmp_path / "2/photos", shuffled=7), shard_mb=1, workers=3))
    assert first == second and sum(name.startswith("train/") for name in first) > 2


def test_nothing_of_this_machine_is_in_the_bytes(tmp_path: Path) -> None:
    found = contents(prepare(tmp_path / "set", photos(tmp_path / "photos")))
    assert not any(str(tmp_path).encode() in data for data in found.values())


def test_the_seed_changes_the_parts(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos")
    ids = {json.loads((prepare(tmp_path / str(seed), source, seed=seed) / "dataset.json").read_text())["id"]
           for seed in (0, 1)}  # fmt: skip
    assert len(ids) == 2


def test_the_order_of_rows_makes_no_difference(tmp_path: Path) -> None:
    rows = [f"{number},t{number % 3},{'ab'[number % 2]}" for number in range(60)]
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text("\n".join(["x,town,y", *rows]))
        random.Random(1).shuffle(rows)
        found.append(
            contents(prepare(tmp_path / f"set_{name}", tmp_path / name / "a.csv", task="tabular-classification"))
        )
    assert found[0] == found[1]


def _shuffled(rglob: object) -> object:
    """A file system that lists in another order."""

    def listed(self: Path, pattern: str) -> list[Path]:
        paths = list(rglob(self, pattern))  # type: ignore[operator]
        random.Random(3).shuffle(paths)
        return paths

    return listed
