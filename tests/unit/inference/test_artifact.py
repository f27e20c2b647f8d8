"""The artifact: what is written can be read, and everything else is refused with file, found and expected."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from inference import artifact
from inference.engines.program import GraphProgram

ROOT = Path(__file__).resolve().parents[3]


def test_what_is_written_is_read_back(pristine: Path) -> None:
    loaded = artifact.load(pristine)
    assert loaded.manifest.labels == ("zero", "one", "two, or more")
    assert loaded.manifest.files["model.pt2"].size_bytes == (pristine / "model.pt2").stat().st_size
    assert loaded.manifest.input.size == 12 and len(loaded.version) == 12
    assert loaded.manifest.exports["model.pt2"].precision == "fp32"


def test_remove_leaves_other_files(base: Path) -> None:
    for name in ("note.txt", "other.pt2"):
        (base / "model" / name).write_text("mine")
    artifact.remove(base / "model")
    artifact.remove(base / "model")
    assert sorted(path.name for path in (base / "model").iterdir()) == ["note.txt", "other.pt2"]


def test_remove_takes_every_file_of_the_artifact(base: Path, pristine: Path, tmp_path: Path) -> None:
    manifest, source = artifact.load(pristine).manifest, pristine / "model.pt2"
    files = dict.fromkeys(("model.pt2", "model.onnx", "tokenizer.json", "code/inference.py", "code/a/b.txt"), source)
    artifact.write(tmp_path / "new", manifest, files)
    (tmp_path / "new" / "code" / "mine.py").write_text("mine")
    artifact.remove(tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").rglob("*") if path.is_file()] == ["mine.py"]
    (tmp_path / "new" / "code" / "mine.py").unlink()


def test_remove_takes_what_an_interrupted_write_has_left(pristine: Path, tmp_path: Path) -> None:
    manifest, source = artifact.load(pristine).manifest, pristine / "model.pt2"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifact, "MANIFEST_NAME", "no/such/folder.json")
        with pytest.raises(FileNotFoundError):
            artifact.write(tmp_path, manifest, {"model.pt2": source})
    assert (tmp_path / "model.pt2").is_file() and not (tmp_path / "manifest.json").exists()
    artifact.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_remove_touches_nothing_outside_whatever_the_manifest_says(tmp_path: Path) -> None:
    (tmp_path / "precious.pt2").write_text("x")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text('{"files": {"../precious.pt2": 1, "/etc/hostname": 1, "a.b": 1}}')
    artifact.remove(tmp_path / "model")
    assert (tmp_path / "precious.pt2").is_file() and not list((tmp_path / "model").iterdir())


def test_a_prediction_is_written_with_its_own_fields_only(pristine: Path) -> None:
    document = json.loads((pristine / "manifest.json").read_text())
    assert all(set(example["prediction"]) == {"label", "score"} for example in document["examples"])


def test_a_manifest_that_no_server_would_read_is_not_written(pristine: Path, tmp_path: Path) -> None:
    manifest = dataclasses.replace(artifact.load(pristine).manifest, labels=("only",))
    with pytest.raises(artifact.ArtifactError, match=r"manifest\.labels is"):
        artifact.write(tmp_path, manifest, {"model.pt2": pristine / "model.pt2"})
    assert list(tmp_path.iterdir()) == []


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
        (["format_version"], 1, "format_version is 1, this server reads 2; train again with this release"),
        (["format_version"], 3, "format_version is 3, this server reads 2"),
        (["format_version"], True, "manifest.format_version is True; expected int"),
        (["task"], "poetry", "manifest.task is 'poetry'; expected one of"),
        (["task"], "text-classification", "manifest.input.kind is 'image'; expected 'text'"),
        (["programs"], {}, "manifest.programs is {}; expected the programs ['predict']"),
        (["programs", "decode"], "model.pt2", "expected the programs ['predict']"),
        (["programs", "predict"], "other.pt2", "manifest.programs.predict is 'other.pt2'; expected one of"),
        (["programs", "predict"], "../model.pt2", "manifest.programs.predict is '../model.pt2'"),
        (["exports"], {}, "manifest.exports is []; expected the facts of model.pt2"),
        (["exports", "model.pt2", "format"], "onnx", "manifest.exports.model.pt2.format is 'onnx'"),
        (["exports", "model.pt2", "precision"], "fp8", "precision is 'fp8'; expected one of"),
        (["exports", "model.pt2", "agreement"], 1.5, "agreement is 1.5; expected a finite number of at least 0"),
        (["exports", "model.pt2", "tolerance"], -1, "tolerance is -1"),
        (["latent"], 4, "manifest.latent is 4; expected 0"),
        (["labels"], ["a"], "manifest.labels is"),
        (["labels"], ["a", "a"], "two or more different strings"),
        (["input", "shape"], [], "manifest.input.shape is"),
        (["input", "shape"], [4, -3], "manifest.input.shape is"),
        (["input", "shape"], [4, 3, 4], "manifest.input.shape is [4, 3, 4]; expected [height, width]"),
        (["input", "shape"], [4, True], "manifest.input.shape is"),
        (["input", "kind"], "sound", "manifest.input.kind is 'sound'; expected one of ['image', 'text', 'table']"),
        (["input", "columns"], [{}], "manifest.input.columns is [{}]; expected []: only tables have columns"),
        (["input", "tokenizer"], "tokenizer.json", "only texts have a tokenizer"),
        (["input", "dtype"], "object", "manifest.input.dtype is"),
        (["input", "maximum"], -1, "manifest.input.minimum is"),
        (["input", "maximum"], "ten", "manifest.input.maximum is 'ten'; expected int or float"),
        (["examples"], [], "at least one example"),
        (["examples", 0, "instance"], [[1.0]], "manifest.examples[].instance is"),
        (["examples", 0, "prediction", "label"], "seven", "manifest.examples[].prediction.label is 'seven'"),
        (["examples", 0, "prediction"], {"value": 1.0}, "manifest.examples[].prediction.label is missing"),
        (["examples", 0, "target"], 3.5, "manifest.examples[].target is 3.5; expected str"),
        (["files"], {"../model.pt2": {}}, "manifest.files.../model.pt2.sha256 is missing"),
        (["files"], {"../model.pt2": {"sha256": "a" * 64, "size_bytes": 1}}, "files names '../model.pt2'"),
        (["files"], {"/etc/passwd": {"sha256": "a" * 64, "size_bytes": 1}}, "files names '/etc/passwd'"),
        (["files"], {"notes.txt": {"sha256": "a" * 64, "size_bytes": 1}}, "files names 'notes.txt'"),
        (["files"], {"code/../x.py": {"sha256": "a" * 64, "size_bytes": 1}}, "files names 'code/../x.py'"),
        (["files"], {"other.pt2": {"sha256": "a" * 64, "size_bytes": 1}}, "expected one of the artifact's files"),
        (["code_sha256"], "abc", "64 lower-case hex digits"),
        (["gate", "passed"], 1, "manifest.gate.passed is 1; expected bool"),
        (["gate", "passed"], False, "manifest.gate.passed is False; expected true where every check has passed"),
        (["gate", "checks", 0, "rule"], "=", "manifest.gate.checks[].rule is '='; expected one of"),
        (["metrics", "test_accuracy"], 10**400, "expected a finite number"),
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
    assert "image: image, float32 [4, 3] from 0 to 10" in good.stdout and "model.pt2: torch.export fp32" in good.stdout
    assert "passed: quality 0.5000 >= 0.25" in good.stdout
    _truncate(base / "model")
    bad = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert bad.returncode == 1 and bad.stdout == ""
    assert bad.stderr.startswith("serve: ") and len(bad.stderr.splitlines()) == 1 and "bytes, expected" in bad.stderr
