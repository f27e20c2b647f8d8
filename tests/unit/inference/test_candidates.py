"""Which engine serves an artifact that has programs in two formats."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from inference import artifact
from inference.artifact_model import prepare
from inference.engines.candidates import engines
from inference.settings import Settings
from tests.unit.inference.conftest import SHAPE, export, facts, make_manifest

BATCH = np.ones((2, *SHAPE), np.float32)


def to_onnx(model: nn.Module, path: Path) -> None:
    torch.onnx.export(
        model,
        (torch.zeros(2, *SHAPE),),
        str(path),
        input_names=["x"],
        output_names=["y"],
        dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        dynamo=False,
        verbose=False,
    )


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory, model: nn.Module) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("programs")
    export(model, torch.zeros(2, *SHAPE), folder / "model.pt2")
    to_onnx(model, folder / "model.onnx")
    return {name: folder / name for name in ("model.pt2", "model.onnx")}


def settings(folder: Path, engine: str = "auto") -> Settings:
    return Settings(model_folder=folder, engine=engine, workers=1, threads=1)


def written(
    folder: Path,
    model: nn.Module,
    schema: artifact.InputSchema,
    programs: dict[str, Path],
    seconds: dict[str, float],
    precision: str = "fp32",
) -> artifact.Artifact:
    """An artifact with both programs, of which the manifest says that they take so long."""
    manifest = make_manifest(model, schema)
    exports = {name: facts(name, seconds_per_example=seconds[name]) for name in programs}
    exports["model.onnx"] = dataclasses.replace(exports["model.onnx"], precision=precision)
    return artifact.write(folder, dataclasses.replace(manifest, exports=exports), programs)


@pytest.mark.parametrize(
    ("seconds", "name"),
    [({"model.pt2": 2e-4, "model.onnx": 1e-4}, "onnxruntime"), ({"model.pt2": 1e-4, "model.onnx": 2e-4}, "torch")],
)
def test_the_fastest_is_used_and_answers_alike(
    tmp_path: Path,
    model: nn.Module,
    schema: artifact.InputSchema,
    programs: dict[str, Path],
    seconds: dict[str, float],
    name: str,
) -> None:
    written(tmp_path / "model", model, schema, programs, seconds)
    prepared = prepare(settings(tmp_path / "model"))
    assert prepared.facts["engine"].startswith(f"{name} ")
    with torch.inference_mode():
        expected = model(torch.from_numpy(BATCH)).numpy()
    np.testing.assert_allclose(prepared.engine.run("predict", BATCH), expected, atol=1e-5)


def test_another_precision_is_no_candidate(
    tmp_path: Path, model: nn.Module, schema: artifact.InputSchema, programs: dict[str, Path]
) -> None:
    seconds = {"model.pt2": 2e-4, "model.onnx": 1e-4}
    made = written(tmp_path / "model", model, schema, programs, seconds, precision="int8")
    assert [name for name, _ in engines(made, settings(tmp_path))] == ["torch"]


def test_an_engine_that_answers_wrongly_is_not_used(
    tmp_path: Path,
    model: nn.Module,
    schema: artifact.InputSchema,
    programs: dict[str, Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong = onnx.load(programs["model.onnx"])
    weight = next(value for value in wrong.graph.initializer if len(value.dims) == 2)
    weight.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(weight), weight.name))
    onnx.save(wrong, tmp_path / "wrong.onnx")
    seconds = {"model.pt2": 2e-4, "model.onnx": 1e-4}
    written(tmp_path / "model", model, schema, {**programs, "model.onnx": tmp_path / "wrong.onnx"}, seconds)
    assert prepare(settings(tmp_path / "model")).facts["engine"].startswith("torch ")
    assert "the engine onnx cannot serve this artifact: example 0" in caplog.text
    with pytest.raises(artifact.ArtifactError, match="onnx: example 0: the model answers"):
        prepare(settings(tmp_path / "model", "onnx"))


def test_an_engine_without_its_file_is_refused_with_what_there_is(pristine: Path) -> None:
    with pytest.raises(artifact.ArtifactError, match="SLIPWAY_ENGINE is onnx, but the artifact has programs for torch"):
        prepare(settings(pristine, "onnx"))


def test_a_gpu_comes_first_and_the_cpu_serves_where_it_fails(pristine: Path, caplog: pytest.LogCaptureFixture) -> None:
    wanted = dataclasses.replace(settings(pristine), device="cuda")
    assert [name for name, _ in engines(artifact.load(pristine), wanted)] == ["cuda", "torch"]
    if torch.cuda.is_available():
        assert prepare(wanted).facts["engine"].endswith(" on cuda")
    else:
        assert "on cuda" not in prepare(wanted).facts["engine"]
        assert "the engine cuda cannot serve this artifact: the GPU cannot be used" in caplog.text


@pytest.mark.rehearsal
@pytest.mark.skipif(not shutil.which("c++"), reason="torch.compile needs a C++ compiler")
def test_a_compiled_program_answers_alike(pristine: Path, model: nn.Module) -> None:
    prepared = prepare(settings(pristine, "compiled"))
    assert prepared.facts["engine"].startswith("torch.compile ")
    with torch.inference_mode():
        expected = model(torch.from_numpy(BATCH)).numpy()
    np.testing.assert_allclose(prepared.engine.run("predict", BATCH), expected, atol=1e-5)
