"""Both engines, and the proof that what they run is what was recorded."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from inference import artifact
from inference.engines.engine import TorchEngine, engine_for
from inference.engines.engine_onnx import OnnxEngine
from inference.engines.prove import prove
from tests.unit.inference.conftest import facts, labelled, manifest_of
from tests.unit.inference.onnx_model import WEIGHT, gemm

COLUMNS = tuple(artifact.Column(name=name) for name in "ab")
SCHEMA = artifact.InputSchema(kind="table", name="row", dtype="float32", shape=(2,), columns=COLUMNS)
ROWS = np.array([[1, 2], [3, -4], [0, 0.5]], np.float32)
LABELS = ("x", "y", "z")


def probabilities(rows: np.ndarray) -> np.ndarray:
    return torch.softmax(torch.from_numpy(rows @ WEIGHT), dim=-1).numpy()


def manifest(file: str = "model.onnx", **changes: Any) -> artifact.Manifest:
    examples = labelled(ROWS.tolist(), torch.from_numpy(probabilities(ROWS)), LABELS)
    return manifest_of("tabular-classification", SCHEMA, examples, {"predict": file}, labels=LABELS, **changes)


@pytest.fixture
def onnx_artifact(tmp_path: Path) -> artifact.Artifact:
    return artifact.write(tmp_path / "model", manifest(), {"model.onnx": gemm(tmp_path / "source.onnx")})


def test_onnx_runtime_gives_the_models_scores(onnx_artifact: artifact.Artifact) -> None:
    engine = engine_for(onnx_artifact, threads=2)
    assert isinstance(engine, OnnxEngine) and engine.name.startswith("onnxruntime ")
    for count in (1, 3):
        np.testing.assert_allclose(engine.run("predict", ROWS[:count]), probabilities(ROWS[:count]), atol=1e-6)
    turned = np.asfortranarray(ROWS)
    np.testing.assert_allclose(onnx_artifact.run("predict", turned), probabilities(ROWS), atol=1e-6)
    assert prove(engine, onnx_artifact)["predict"] > 0
    with pytest.raises(artifact.ArtifactError, match=r"is no torch\.export archive; run it with Artifact"):
        onnx_artifact.program()


def test_torch_is_the_engine_of_pt2_files(pristine: Path, model: torch.nn.Module) -> None:
    loaded = artifact.load(pristine)
    threads = torch.get_num_threads()
    assert isinstance(engine_for(loaded), TorchEngine) and torch.get_num_threads() == threads
    batch = np.ones((2, 4, 3), np.float32)
    np.testing.assert_array_equal(
        loaded.run("predict", batch), loaded.program()(torch.from_numpy(batch)).detach().numpy()
    )
    with pytest.raises(artifact.ArtifactError, match="has no program 'decode'; it has predict"):
        loaded.program("decode")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an ONNX model"),
        (b"x" * 500, "is not an ONNX model"),
        ({"outputs": 2}, "has 1 inputs and 2 outputs"),
        ({"dtype": TensorProto.DOUBLE}, r"'tensor\(double\)'\]; expected one input of"),
    ],
)
def test_a_file_that_is_no_model_of_one_tensor_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    source = tmp_path / "source.onnx"
    if isinstance(content, bytes):
        source.write_bytes(content)
    else:
        gemm(source, **content)
    written = artifact.write(tmp_path / "model", manifest(), {"model.onnx": source})
    with pytest.raises(artifact.ArtifactError, match=message) as caught:
        engine_for(written)
    assert "model.onnx" in str(caught.value)


def test_a_model_that_names_another_file_as_its_weights_is_refused(tmp_path: Path) -> None:
    model = onnx.load(gemm(tmp_path / "source.onnx"))
    onnx.save(model, tmp_path / "outside.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").is_file()
    written = artifact.write(tmp_path / "model", manifest(), {"model.onnx": tmp_path / "outside.onnx"})
    with pytest.raises(artifact.ArtifactError, match="is not an ONNX model"):
        engine_for(written)


def test_programs_of_two_formats_are_no_artifact(tmp_path: Path) -> None:
    schema = artifact.InputSchema(kind="image", name="x", dtype="float32", shape=(2, 2), minimum=0.0, maximum=1.0)
    example = artifact.Example(instance=[[0, 0], [0, 0]], target=None, prediction=artifact.Prediction(latent=(0.0,)))
    programs = {"encode": "encode.pt2", "decode": "decode.onnx"}
    mixed = manifest_of("image-generation", schema, [example], programs, latent=1)
    with pytest.raises(artifact.ArtifactError, match=r"expected programs of one format; these are \['onnx', 'torch"):
        artifact.write(tmp_path, mixed, dict.fromkeys(programs.values(), gemm(tmp_path / "source.onnx")))


class Recorded:
    """An engine that gives prepared outputs, one for each call."""

    name = "recorded"

    def __init__(self, *outputs: Any) -> None:
        self.outputs = [np.asarray(output) for output in outputs]
        self.programs: dict[str, Any] = {}
        self.calls: list[tuple[str, tuple[int, ...]]] = []

    def run(self, program: str, batch: np.ndarray) -> np.ndarray:
        self.calls.append((program, batch.shape))
        return self.outputs.pop(0)


def scores(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


def classified(tmp_path: Path, score: float, tolerance: float = 0.0) -> artifact.Artifact:
    """An artifact with one example, recorded as `x` with `score`."""
    prediction = artifact.Prediction(label="x", score=score)
    example = artifact.Example(instance=[1, 2], target="x", prediction=prediction)
    exports = {"model.onnx": facts("model.onnx", precision="int8", tolerance=tolerance)}
    described = dataclasses.replace(manifest(), examples=(example,), exports=exports)
    return artifact.write(tmp_path / "model", described, {"model.onnx": gemm(tmp_path / "source.onnx")})


@pytest.mark.parametrize(
    ("answer", "tolerance", "complaint"),
    [
        (scores(0.5, 0.3, 0.2), 0.0, ""),
        (scores(0.5009, 0.3, 0.1991), 0.0, ""),
        (scores(0.51, 0.29, 0.2), 0.0, "answers 'x' (0.5100), the manifest has 'x' (0.5000)"),
        (scores(0.51, 0.29, 0.2), 0.02, ""),
        (scores(0.2, 0.5, 0.3), 0.02, "answers 'y' (0.5000), the manifest has 'x' (0.5000)"),
        (scores(0.495, 0.505, 0), 0.02, ""),
        (scores(0.485, 0.515, 0), 0.02, "answers 'y' (0.5150)"),
        (scores(0.5, 0.5), 0.0, "the model gave float32 of shape (1, 2), expected finite float32 of shape (1, 3)"),
        (scores(0.5, np.nan, 0.2), 0.0, "expected finite float32"),
        (scores(0.5, 0.3, 0.2).astype(np.float64), 0.0, "the model gave float64"),
    ],
)
def test_a_classification_is_proven_by_label_and_score(
    tmp_path: Path, answer: np.ndarray, tolerance: float, complaint: str
) -> None:
    written = classified(tmp_path, 0.5, tolerance)
    if not complaint:
        assert set(prove(Recorded(answer), written)) == {"predict"}
        return
    with pytest.raises(artifact.ArtifactError) as caught:
        prove(Recorded(answer), written)
    assert complaint in str(caught.value) and "example 0" in str(caught.value)


def recorded_value(tmp_path: Path, value: float) -> artifact.Artifact:
    prediction = artifact.Prediction(value=value)
    example = artifact.Example(instance={"a": None, "b": 1.5}, target=3, prediction=prediction)
    described = manifest_of("tabular-regression", SCHEMA, [example], {"predict": "model.onnx"})
    return artifact.write(tmp_path / "model", described, {"model.onnx": gemm(tmp_path / "source.onnx")})


@pytest.mark.parametrize(
    ("value", "answer", "good"), [(0.0, 9e-4, True), (0.0, 2e-3, False), (2e6, 2.0015e6, True), (2e6, 2.1e6, False)]
)
def test_a_regression_is_proven_by_value_relative_to_its_size(
    tmp_path: Path, value: float, answer: float, good: bool
) -> None:
    written, engine = recorded_value(tmp_path, value), Recorded(scores(answer))
    assert written.manifest.examples[0].target == 3.0
    if good:
        prove(engine, written)
    else:
        with pytest.raises(artifact.ArtifactError, match="example 0: the model answers"):
            prove(engine, written)


def test_a_generator_is_proven_by_its_latent_and_decodes_it(tmp_path: Path) -> None:
    schema = artifact.InputSchema(kind="image", name="x", dtype="float32", shape=(2, 2), minimum=0.0, maximum=1.0)
    prediction = artifact.Prediction(latent=(0.25, -3.0))
    example = artifact.Example(instance=[[0, 1], [1, 0]], target=None, prediction=prediction)
    programs = {"encode": "encode.onnx", "decode": "decode.onnx"}
    described = manifest_of("image-generation", schema, [example], programs, latent=2)
    files = dict.fromkeys(programs.values(), gemm(tmp_path / "source.onnx"))
    written = artifact.write(tmp_path / "model", described, files)
    assert artifact.load(tmp_path / "model").manifest.examples[0].prediction.latent == (0.25, -3.0)
    image = np.zeros((1, 2, 2), np.float32)
    engine = Recorded(scores(0.25, -3.001), image)
    assert set(prove(engine, written)) == {"encode", "decode"}
    assert engine.calls == [("encode", (1, 2, 2)), ("decode", (1, 2))]
    with pytest.raises(artifact.ArtifactError, match=r"the model answers -3\.1, the manifest has -3"):
        prove(Recorded(scores(0.25, -3.1), image), written)
    with pytest.raises(artifact.ArtifactError, match=r"example 0, decoded: the model gave float32 of shape \(1, 2\)"):
        prove(Recorded(scores(0.25, -3.0), image[:, 0]), written)


def test_a_model_that_fails_on_its_example_is_refused(tmp_path: Path) -> None:
    with pytest.raises(artifact.ArtifactError, match=r"'predict' fails on an example \(IndexError"):
        prove(Recorded(), classified(tmp_path, 0.5))
