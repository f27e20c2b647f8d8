"""A job folder with the real digits, and a smaller data set for tests that only need the machinery."""

import gzip
import shutil
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import pytest
import torch

from training.environment import JobPaths


@pytest.fixture(scope="session")
def digits_file() -> Iterator[Path]:
    with as_file(files("sklearn.datasets.data") / "digits.csv.gz") as path:
        yield path


@pytest.fixture
def job(tmp_path: Path, digits_file: Path) -> JobPaths:
    paths = JobPaths(base=tmp_path / "ml")
    paths.channel.mkdir(parents=True)
    (paths.base / "input" / "config").mkdir(parents=True)
    shutil.copyfile(digits_file, paths.channel / "digits.csv.gz")
    return paths


@pytest.fixture
def small_csv(digits_file: Path) -> str:
    """The first 200 rows as text."""
    with gzip.open(digits_file, "rt") as stream:
        return "".join(next(stream) for _ in range(200))


@pytest.fixture(autouse=True)
def _threads() -> None:
    """One for each test: several workers with several threads each would spend their time waiting for each other."""
    torch.set_num_threads(1)
