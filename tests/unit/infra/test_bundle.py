"""The source bundle is the same bytes for the same content, and another for any change."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from infra.bundle import CONTENT, make_bundle

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "training" / "bin").mkdir(parents=True)
    (root / "inference").mkdir()
    for name in ("Dockerfile", "pyproject.toml", "requirements.lock", "inference/serve.py", "training/bin/train"):
        (root / name).write_text(name)
    (root / "training" / "bin" / "train").chmod(0o755)
    return root


def test_the_same_content_gives_the_same_bytes_whatever_its_times(checkout: Path, tmp_path: Path) -> None:
    first = make_bundle(checkout, tmp_path / "one")
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy)
    os.utime(copy / "Dockerfile", (1, 1))
    (copy / "training" / "__pycache__").mkdir()
    (copy / "training" / "__pycache__" / "x.pyc").write_bytes(b"x")
    second = make_bundle(copy, tmp_path / "two")
    assert first.sha256 == second.sha256
    assert first.path.read_bytes() == second.path.read_bytes()


@pytest.mark.parametrize("change", ["content", "mode", "name"])
def test_any_change_gives_another_bundle(checkout: Path, tmp_path: Path, change: str) -> None:
    before = make_bundle(checkout, tmp_path)
    target = checkout / "inference" / "serve.py"
    {
        "content": lambda: target.write_text("changed"),
        "mode": lambda: target.chmod(0o755),
        "name": lambda: target.rename(checkout / "inference" / "other.py"),
    }[change]()
    assert make_bundle(checkout, tmp_path).sha256 != before.sha256


def test_executables_stay_executable(checkout: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(make_bundle(checkout, tmp_path).path) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert modes["training/bin/train"] == 0o755
    assert modes["inference/serve.py"] == 0o644


def test_a_missing_part_is_named(checkout: Path, tmp_path: Path) -> None:
    (checkout / "Dockerfile").unlink()
    with pytest.raises(FileNotFoundError, match="Dockerfile is missing"):
        make_bundle(checkout, tmp_path)


def test_this_checkout_has_every_part() -> None:
    assert all((ROOT / part).exists() for part in CONTENT)
