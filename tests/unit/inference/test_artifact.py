"""The artifact: what is written can be read, and everything else is refused with file, found and expected."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from inference import artifact
from inference.program import GraphProgram, load_program

ROOT = Path(__file__).resolve().parents[3]


def test_what_is_written_is_read_back(pristine: Path) -> None:
    loaded = artifact.load(pristine)
    assert loaded.manifest.labels == ("zero", "one", "two, or more")
    assert loaded.manifest.files["model.pt2"].size_bytes == (pristine / "model.pt2").stat().st_size
    assert loaded.manifest.input.size == 12 and len(loaded.version) == 12


def test_remove_leaves_other_files(base: Path) -> None:
    (base / "model" / "note.txt").write_text("mine")
    artifact.remove(base / "model")
    assert [path.name for path in (base / "model").iterdir()] == ["note.txt"]


def test_reading_needs_no_torch(pristine: Path) -> None:
    code = (
        "import sys, pathlib, inference.artifact as a\n"
        f"a.load(pathlib.Path({str(pristine)!r}))\n"
        "print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_program_gives_the_models_scores_for_any_batch(pristine: Path, model: nn.Module, count: int) -> None:
    pixels = torch.rand(count, 4, 3, generator=torch.Generator().manual_seed(count)) * 10
    program = artifact.load(pristine).program()
    assert isinstance(program, GraphProgram)
    with torch.inference_mode():
        torch.testing.assert_close(program(pixels), model(pixels), rtol=0, atol=1e-6)


class Branching(nn.Module):
    """Needs an operator that is not plain aten."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x.flatten(1).view(x.shape[0], 2, -1).sum(-1), dim=-1)


def test_what_the_small_reader_does_not_know_goes_to_torch_export(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(Branching(), (torch.zeros(2, 4, 3),), dynamic_shapes=({0: batch},))
    torch.export.save(program, str(path))
    loaded = load_program(path)
    assert not isinstance(loaded, GraphProgram)
    pixels = torch.rand(5, 4, 3)
    torch.testing.assert_close(loaded(pixels), Branching()(pixels))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"x" * 1000])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pt2").write_bytes(content)
    with pytest.raises(artifact.ArtifactError, match=r"model\.pt2 is not a torch\.export archive"):
        load_program(tmp_path / "model.pt2")


def test_pickled_weights_are_refused(tmp_path: Path, pristine: Path) -> None:
    target = tmp_path / "model.pt2"
    with zipfile.ZipFile(pristine / "model.pt2") as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            copy.writestr(name, source.read(name).replace(b'"use_pickle": false', b'"use_pickle": true'))
    with pytest.raises(artifact.ArtifactError, match="pickled, which is never loaded"):
        load_program(target)


def _flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "model.pt2").read_bytes())
    content[100] ^= 1
    (folder / "model.pt2").write_bytes(content)


def _truncate(folder: Path) -> None:
    (folder / "model.pt2").write_bytes((folder / "model.pt2").read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_flip_a_bit, r"model\.pt2 has sha256 [0-9a-f]{64}, expected [0-9a-f]{64}"),
        (_truncate, r"model\.pt2 has \d+ bytes, expected \d+"),
        (lambda folder: (folder / "model.pt2").unlink(), r"model\.pt2 is missing"),
        (lambda folder: (folder / "manifest.json").unlink(), r"manifest\.json is missing \(found: \['model\.pt2'\]\)"),
        (lambda folder: (folder / "manifest.json").write_text("{"), r"manifest\.json is not JSON"),
        (lambda folder: (folder / "manifest.json").write_text("[" * 100_000), r"manifest\.json is not JSON"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff"), r"manifest\.json is not JSON"),
    ],
)
def test_damaged_files_are_refused(base: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(base / "model")
    with pytest.raises(artifact.ArtifactError, match=message):
        artifact.load(base / "model")


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(artifact.ArtifactError, match="no such folder"):
        artifact.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format_version"], 2, "format_version is 2, this server reads 1"),
        (["format_version"], True, "manifest.format_version is True; expected int"),
        (["task"], "poetry", "manifest.task is 'poetry'; expected one of"),
        (["labels"], ["a"], "manifest.labels is"),
        (["labels"], ["a", "a"], "two or more different strings"),
        (["input", "shape"], [], "manifest.input.shape is"),
        (["input", "shape"], [4, -3], "manifest.input.shape is"),
        (["input", "dtype"], "object", "manifest.input.dtype is"),
        (["input", "maximum"], -1, "manifest.input.minimum is"),
        (["input", "maximum"], "ten", "manifest.input.maximum is 'ten'; expected int or float"),
        (["examples"], [], "at least one example"),
        (["examples", 0, "instance"], [[1.0]], "manifest.examples[].instance is"),
        (["examples", 0, "prediction", "label"], "seven", "manifest.examples[].prediction.label is 'seven'"),
        (["files"], {"../model.pt2": {}}, "manifest.files.../model.pt2.sha256 is missing"),
        (["files"], {"../model.pt2": {"sha256": "a" * 64, "size_bytes": 1}}, "files names '../model.pt2'"),
        (["files"], {"/etc/passwd": {"sha256": "a" * 64, "size_bytes": 1}}, "files names '/etc/passwd'"),
        (["files"], {"notes.txt": {"sha256": "a" * 64, "size_bytes": 1}}, "expected one of ['model.pt2']"),
        (["code_sha256"], "abc", "64 lower-case hex digits"),
        (["gate", "passed"], 1, "manifest.gate.passed is 1; expected bool"),
        (["metrics"], None, "manifest.metrics is None; expected dict"),
    ],
)
def test_a_wrong_manifest_names_the_field(base: Path, path: list[Any], value: object, message: str) -> None:
    manifest = base / "model" / "manifest.json"
    document = json.loads(manifest.read_text())
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    manifest.write_text(json.dumps(document))
    with pytest.raises(artifact.ArtifactError) as caught:
        artifact.load(base / "model")
    assert message in str(caught.value)


def test_check_prints_the_facts_or_the_reason(base: Path) -> None:
    command = [sys.executable, "-m", "inference", "--check", str(base / "model")]
    good = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    assert "2 answered as recorded" in good.stdout and "zero one two, or more" in good.stdout
    _truncate(base / "model")
    bad = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert bad.returncode == 1 and bad.stdout == ""
    assert bad.stderr.startswith("serve: ") and len(bad.stderr.splitlines()) == 1 and "bytes, expected" in bad.stderr
