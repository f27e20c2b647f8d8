"""Artifacts as jobs write them: every task, accepted by the server; refused and cleaned away where they are wrong."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference import artifact
from inference.__main__ import check
from tests.unit.training.export import zoo
from tests.unit.training.export.channels import IMAGE, LABELS, TASKS, data_set
from tests.unit.training.export.conftest import FORMS, ONNX_FP32, ONNX_INT8, PT2, PT2_BF16, Exported
from training.config import TrainingConfig
from training.data.memory import MemoryPart
from training.data.types import DataSet
from training.export import code_hash
from training.export.errors import ExportError
from training.export.exporter import Exporter
from training.export.forms import Form
from training.export.publish import Trained, publish
from training.export.sources import EstimatorSource, NetworkSource
from training.models import registry
from training.network import Blueprint, untrained_programs
from training.options import ExportOptions
from training.processes import Processes

VERDICT = artifact.GateVerdict(passed=True, checks=())


class Stored:
    """A source whose files the session has exported already."""

    programs = ("predict",)
    packages = ("onnx",)

    def __init__(self, exported: Exported, kind: str, *forms: Form) -> None:
        self._exported, self._kind, self.forms = exported, kind, forms
        self.module = zoo.trained(kind)

    @torch.inference_mode()
    def outputs(self, program: str, inputs: NDArray[Any]) -> NDArray[np.float32]:
        outputs: NDArray[np.float32] = self.module(torch.from_numpy(inputs)).numpy()
        return outputs

    def write(self, calibration: Mapping[str, NDArray[Any]], folder: Path) -> None:
        for form in self.forms:
            (folder / form.file_name("predict")).write_bytes(self._exported.path(self._kind, form).read_bytes())


def _publish(folder: Path, source: Stored, kind: str, **options: Any) -> artifact.Artifact:
    trained = Trained(
        data=data_set(kind), metrics={"test_accuracy": 0.5}, gate=VERDICT, preprocessing={"scale": 0.0625}
    )
    return publish(folder, trained, source, ExportOptions(**options), print)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("kind", list(TASKS))
def test_artifacts_of_each_task_and_form_are_accepted_by_the_server(
    exported: Exported, tmp_path: Path, kind: str, form: Form, capsys: pytest.CaptureFixture[str]
) -> None:
    written = _publish(tmp_path, Stored(exported, kind, form), kind)
    assert check(tmp_path) == 0
    lines = capsys.readouterr().out
    assert f"export={form.file_name('predict')} precision={form.precision} max_difference=" in lines
    manifest = written.manifest
    facts = manifest.exports[manifest.programs["predict"]]
    assert (facts.format, facts.precision) == (form.format, form.precision)
    assert facts.size_bytes == written.path("predict").stat().st_size
    assert 0 < facts.seconds_per_example < 10 and facts.max_difference <= facts.tolerance
    assert (facts.agreement is None) == (kind == "line")
    assert len(manifest.examples) == min(8, len(LABELS[kind]) or 8)
    assert ("tokenizer.json" in manifest.files) == (kind == "recurrent")


def test_the_recorded_answers_are_those_of_the_served_form(exported: Exported, tmp_path: Path) -> None:
    written = _publish(tmp_path, Stored(exported, "convolutions", ONNX_INT8, PT2), "convolutions")
    assert written.manifest.programs == {"predict": "model.onnx"}
    assert sorted(written.manifest.exports) == ["model.onnx", "model.pt2"]
    assert set(written.manifest.versions) == {"python", "torch", "numpy", "onnx"}
    example = written.manifest.examples[0]
    found = written.run("predict", np.array([example.instance], np.float32))[0]
    assert example.prediction.score == pytest.approx(found.max(), abs=1e-6)
    exact = Stored(exported, "convolutions").outputs("predict", np.array([example.instance], np.float32))
    assert example.prediction.score != pytest.approx(exact.max(), abs=1e-6)


def test_a_tampered_weight_is_refused_and_nothing_is_left(exported: Exported, tmp_path: Path) -> None:
    source = Stored(exported, "convolutions", PT2, ONNX_FP32)
    with torch.no_grad():
        source.module.layers[8].weight[3, 5] += 0.5
    with pytest.raises(ExportError, match=r"torch.export fp32 program 'predict' differs .* max_export_difference"):
        _publish(tmp_path / "model", source, "convolutions")
    assert not (tmp_path / "model").exists()
    _publish(tmp_path / "model", source, "convolutions", max_export_difference=1.0)


def test_a_file_that_changes_on_its_way_is_refused_and_taken_away(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = artifact.write

    def other(folder: Path, manifest: artifact.Manifest, files: dict[str, Path]) -> artifact.Artifact:
        return write(folder, manifest, files | {"model.pt2": exported.path("line", PT2_BF16)})

    monkeypatch.setattr(artifact, "write", other)
    with pytest.raises(ExportError, match=r"answers its own examples .* away from what was recorded"):
        _publish(tmp_path, Stored(exported, "line", PT2), "line")
    assert list(tmp_path.iterdir()) == []


def test_an_unreadable_program_is_refused(exported: Exported, tmp_path: Path) -> None:
    source = Stored(exported, "line", ONNX_FP32)
    source.write = lambda _, folder: (folder / "model.onnx").write_bytes(b"no model")  # type: ignore[method-assign]
    with pytest.raises(ExportError, match="onnx fp32 program 'predict' was written but does not run: ArtifactError"):
        _publish(tmp_path, source, "line")


class Fitted:
    """What an estimator has to have."""

    def __init__(self, exported: Exported) -> None:
        self._path = exported.path("line", ONNX_FP32)

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            values: NDArray[np.float32] = zoo.trained("line")(torch.from_numpy(rows)).numpy()
        return values

    def to_onnx(self) -> bytes:
        return self._path.read_bytes()


def test_an_estimator_writes_itself_and_passes_the_same_check(exported: Exported, tmp_path: Path) -> None:
    trained = Trained(data=data_set("line"), metrics={}, gate=VERDICT)
    source = EstimatorSource(Fitted(exported), ExportOptions(formats="pt2"))
    written = publish(tmp_path, trained, source, ExportOptions(), print)
    assert written.manifest.programs == {"predict": "model.onnx"}
    assert "scikit-learn" in written.manifest.versions
    with pytest.raises(
        ExportError, match="served_precision is 'int8', and an estimator of scikit-learn exists as fp32"
    ):
        EstimatorSource(Fitted(exported), ExportOptions(served_precision="int8"))


@pytest.fixture
def images() -> DataSet:
    part = MemoryPart(inputs=torch.from_numpy(zoo.batch("convolutions", 20)).to(torch.uint8), targets=torch.zeros(20))
    return DataSet(
        task="image-generation", input=IMAGE, labels=(), train=part, validation=None, test=part, sha256="e" * 64
    )


def test_a_generator_from_its_blueprint_to_two_programs(images: DataSet, tmp_path: Path) -> None:
    config = TrainingConfig.of(task="image-generation", model="vae", width=2, latent=3)
    exporter = Exporter((PT2,), untrained_programs)
    try:
        blueprint = Blueprint.of(config, images, Processes())
        exporter.trace(blueprint.as_bytes())
        other = TrainingConfig.of(**{**config.flat(), "seed": 1})
        network = Blueprint.of(other, images, Processes()).build(torch.device("cpu"))
        model = network.model
        source = NetworkSource(network.programs(), exporter)
        trained = Trained(data=images, metrics={}, gate=VERDICT, latent=config.model.latent)
        written = publish(tmp_path / "model", trained, source, config.export, print)
    finally:
        exporter.close()
    assert check(tmp_path / "model") == 0
    assert written.manifest.programs == {"encode": "encode.pt2", "decode": "decode.pt2"}
    example = json.loads((tmp_path / "model" / "manifest.json").read_text())["examples"][0]
    assert np.array(example["instance"]).shape == (8, 8) and example["target"] is None
    assert list(example["prediction"]) == ["latent"] and len(example["prediction"]["latent"]) == 3
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    assert written.path("encode").stat().st_size > 4 * sizes["encoder"]
    names = (written.path("encode").read_bytes(), written.path("decode").read_bytes())
    assert [b"model.decoder.0.weight" in content for content in names] == [False, True]


@pytest.fixture
def users_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's folder with one model, loaded; other tests do not see it."""
    monkeypatch.setattr(registry, "_theirs", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nfrom training.models import model\n\n\n"
        "@model('mine', tasks=('image-classification',))\ndef mine(spec):\n"
        "    return nn.Sequential(nn.Conv2d(1, 2, 8), nn.Flatten(), nn.Linear(2, spec.outputs))\n"
    )
    registry.load_user_models(tmp_path)


def test_a_blueprint_carries_no_rows_and_builds_a_users_model(users_model: None) -> None:
    blueprint = Blueprint.of(TrainingConfig.of(model="mine"), data_set("convolutions"), Processes())
    assert (blueprint.data.train.rows, blueprint.data.test.rows) == (0, 0)
    (program,) = untrained_programs(blueprint.as_bytes()).values()
    assert (program.dtype, program.shape) == (torch.float32, (8, 8))
    assert program.module.eval()(torch.zeros(2, 8, 8)).shape == (2, 10)
    assert program.module.state_dict()["model.0.weight"].is_contiguous(memory_format=torch.channels_last)


def test_the_code_hash_covers_every_package_below_training_and_inference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = [tmp_path / "training", tmp_path / "inference"]
    for package in packages:
        (package / "deep" / "er").mkdir(parents=True)
    monkeypatch.setattr(code_hash, "PACKAGES", tuple(packages))
    hashes = [code_hash.source_sha256()]
    for file in ("training/a.py", "training/deep/er/b.py", "inference/deep/c.py"):
        (tmp_path / file).write_text("1")
        hashes.append(code_hash.source_sha256())
    (tmp_path / "training" / "a.py").rename(tmp_path / "inference" / "a.py")
    hashes.append(code_hash.source_sha256())
    (tmp_path / "training" / "deep" / "er" / "notes.txt").write_text("no code")
    assert len(set(hashes)) == len(hashes) and code_hash.source_sha256() == hashes[-1]
