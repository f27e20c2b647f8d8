"""Several processes: DDP and FSDP give what one process gives, and their checkpoints resume on any number of them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.unit.training import toy
from training.processes import Processes
from training.sharded_checkpoint import COMPLETE, ShardedCheckpointStore

ROOT = Path(__file__).resolve().parents[3]
LIMIT_SECONDS = 300
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "tests.unit.training.ranks", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=LIMIT_SECONDS)
    return folder


@pytest.fixture(scope="module")
def weights(runs: Path) -> Callable[[str], Weights]:
    return lambda name: torch.load(runs / f"{name}.pt", weights_only=True)


@pytest.mark.parametrize("name", ["ddp", "fsdp", "ddp-on-1", "ddp-on-4", "fsdp-on-1", "fsdp-on-4"])
def test_the_weights_are_those_of_one_process(weights: Callable[[str], Weights], name: str) -> None:
    one, several = weights("one"), weights(name)
    assert one.keys() == several.keys()
    for key, value in one.items():
        torch.testing.assert_close(several[key], value, rtol=1e-5, atol=1e-6)
    half = weights(f"{name.partition('-')[0]}-stopped")
    assert any(not torch.allclose(half[key], value, atol=1e-3) for key, value in one.items())  # a test that can fail


def test_each_process_writes_its_own_part_and_only_a_complete_folder_is_resumed(runs: Path, tmp_path: Path) -> None:
    (written,) = (runs / "fsdp-half").iterdir()
    sizes = json.loads((written / COMPLETE).read_text())
    assert {"__0_0.distcp", "__1_0.distcp", ".metadata", "rest.pt"} == set(sizes)
    lines: list[str] = []
    store = ShardedCheckpointStore(
        folder=runs / "fsdp-half", identity=toy.IDENTITY, report=lines.append, processes=Processes()
    )
    assert store._is_complete(written)
    part = written / "__1_0.distcp"
    content = part.read_bytes()
    try:
        part.write_bytes(content[:-1])
        assert store.newest({}) is None
    finally:
        part.write_bytes(content)
    assert lines == [f"checkpoint {written.name} is not complete; trying the one before"]
