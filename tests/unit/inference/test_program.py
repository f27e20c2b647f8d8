"""Exported graphs of every kind of model: read without torch.export, they give its own answers, bit by bit."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inference.artifact import ArtifactError
from inference.engines.program import GraphProgram, load_program
from tests.unit.inference.conftest import export
from tests.unit.inference.zoo import MODELS, colour

ROOT = Path(__file__).resolve().parents[3]
BATCHES = (1, 2, 5)


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_graph_is_run_without_torch_export_and_gives_the_same_bits(zoo: Path, name: str) -> None:
    torch.manual_seed(7)
    program, reference = load_program(zoo / f"{name}.pt2"), torch.export.load(str(zoo / f"{name}.pt2")).module()
    assert isinstance(program, GraphProgram)
    for count in BATCHES:
        batch = MODELS[name][1](count)
        with torch.inference_mode():
            answer = program(batch)
            assert torch.equal(answer, reference(batch)) and answer.isfinite().all() and len(answer) == count
            assert torch.equal(answer, program(batch)), "the first call left something behind"


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_and_every_new_tensor_goes_to_the_device(zoo: Path, name: str) -> None:
    """No GPU needed: on the device `meta`, operators refuse tensors of another device, and compute shapes only."""
    batch = MODELS[name][1](3)
    program = load_program(zoo / f"{name}.pt2", "meta")
    with torch.inference_mode():
        expected = load_program(zoo / f"{name}.pt2")(batch)
        answer = program(batch.to("meta"))
    assert answer.device.type == "meta" and answer.shape == expected.shape and answer.dtype == expected.dtype


def test_no_graph_needs_the_compiler_to_be_imported(zoo: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from inference.engines.program import load_program\n"
        f"for path in pathlib.Path({str(zoo)!r}).glob('*.pt2'): load_program(path)\n"
        "print([name for name in ('torch._dynamo', 'torch.export._trace', 'sympy') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_weights_that_share_memory_are_read(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
            self.second.weight = self.first.weight
            self.register_buffer("table", torch.arange(12.0).view(3, 4))
            self.register_buffer("row", self.table[1])

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x)) + self.row * self.table.sum()

    module = Tied()
    export(module, torch.zeros(2, 4), tmp_path / "model.pt2")
    program, x = load_program(tmp_path / "model.pt2"), torch.randn(3, 4)
    assert isinstance(program, GraphProgram)
    torch.testing.assert_close(program(x), module(x))


def test_a_program_keeps_no_batch_in_memory(zoo: Path) -> None:
    program = load_program(zoo / "resnet.pt2")
    assert isinstance(program, GraphProgram)
    program(colour(2))
    assert program._registers == [None] * len(program._registers)
    read_later = {register for step in program._steps for register in step.unused_after}
    assert len(read_later) == len(program._registers) - 1, "all but the output is given back on the way"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"x" * 1000])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pt2").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.pt2 is not a torch\.export archive"):
        load_program(tmp_path / "model.pt2")


def changed(source: Path, target: Path, changes: dict[str, Callable[[bytes], bytes]]) -> Path:
    """A copy of an archive; `changes` maps the end of a file's name to what becomes of its content."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            for end, change in changes.items():
                content = change(content) if name.endswith(end) else content
            new.writestr(name, content)
    return target


def changed_model(source: Path, target: Path, change: Callable[[Any], object]) -> Path:
    """A copy of an archive after `change` of its decoded model.json."""

    def apply(content: bytes) -> bytes:
        document = json.loads(content)
        change(document)
        return json.dumps(document).encode()

    return changed(source, target, {"models/model.json": apply})


def two_outputs(document: Any) -> None:
    document["graph_module"]["signature"]["output_specs"] *= 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (two_outputs, "expected one user output"),
        (lambda document: document["graph_module"].pop("graph"), "KeyError"),
        (lambda document: document["graph_module"]["signature"]["input_specs"].pop(), "expected one user input"),
        (lambda document: document["graph_module"]["signature"]["input_specs"].pop(0), "KeyError"),
        (lambda document: document["graph_module"]["graph"]["nodes"].clear(), "is not computed"),
    ],
)
def test_a_damaged_graph_is_refused(zoo: Path, tmp_path: Path, change: Callable[[Any], object], message: str) -> None:
    path = changed_model(zoo / "encoder.pt2", tmp_path / "model.pt2", change)
    with pytest.raises(ArtifactError, match=message):
        load_program(path)


def test_sizes_beyond_the_weights_memory_are_refused(zoo: Path, tmp_path: Path) -> None:
    def enlarge(content: bytes) -> bytes:
        table = json.loads(content)
        next(iter(table["config"].values()))["tensor_meta"]["sizes"][0]["as_int"] = 10**6
        return json.dumps(table).encode()

    path = changed(zoo / "encoder.pt2", tmp_path / "model.pt2", {"model_weights_config.json": enlarge})
    with pytest.raises(ArtifactError, match="out of bounds"):
        load_program(path)


def test_a_copy_of_an_archive_under_another_name_is_read(zoo: Path, tmp_path: Path) -> None:
    shutil.copyfile(zoo / "encoder.pt2", tmp_path / "renamed.pt2")
    assert isinstance(load_program(tmp_path / "renamed.pt2"), GraphProgram)
