"""Small real artifacts, made once, and the models behind them."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inference import artifact
from tests.unit.inference.zoo import MODELS

LABELS = ("zero", "one", "two, or more")
SHAPE = (4, 3)


class Model(nn.Module):
    """float32 (N, 4, 3) -> scores (N, 3), with a convolution and batch norm like the real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.body((x * 0.1).unsqueeze(1)), dim=-1)


def facts(file: str, **changes: Any) -> artifact.ExportFacts:
    return artifact.ExportFacts(
        **{
            "format": "onnx" if file.endswith(".onnx") else "torch.export",
            "precision": "fp32",
            "max_difference": 1e-7,
            "agreement": 1.0,
            "tolerance": 1e-5,
            "seconds_per_example": 1e-4,
            "size_bytes": 1000,
            **changes,
        }
    )


def manifest_of(
    task: str, schema: artifact.InputSchema, examples: list[artifact.Example], programs: dict[str, str], **changes: Any
) -> artifact.Manifest:
    """A manifest of everything that the tests do not look at, and of what is given."""
    check = artifact.GateCheck(metric="quality", rule=">=", value=0.5, limit=0.25, passed=True)
    manifest = artifact.Manifest(
        task=task,
        programs=programs,
        input=schema,
        labels=(),
        preprocessing={"scale": 0.1},
        metrics={"test_accuracy": 0.5},
        gate=artifact.GateVerdict(passed=True, checks=(check,)),
        code_sha256="a" * 64,
        data_sha256="b" * 64,
        versions={"torch": torch.__version__},
        examples=tuple(examples),
        files={},
        exports={file: facts(file) for file in programs.values()},
    )
    return dataclasses.replace(manifest, **changes)


def export(module: nn.Module, example: Tensor, path: Path) -> None:
    """`module` as a torch.export archive with any batch size."""
    batch = torch.export.Dim("batch", min=1)
    torch.export.save(torch.export.export(module.eval(), (example,), dynamic_shapes=({0: batch},)), str(path))


def labelled(instances: list[Any], scores: Tensor, labels: tuple[str, ...] = LABELS) -> list[artifact.Example]:
    """The examples of a classification whose answers are `scores` (N, labels)."""
    return [
        artifact.Example(
            instance=instance,
            target=labels[0],
            prediction=artifact.Prediction(label=labels[int(row.argmax())], score=float(row.max())),
        )
        for instance, row in zip(instances, scores, strict=True)
    ]


def make_manifest(model: nn.Module, schema: artifact.InputSchema) -> artifact.Manifest:
    instances = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(1)) * 10
    with torch.inference_mode():
        examples = labelled(instances.tolist(), model(instances))
    return manifest_of("image-classification", schema, examples, {"predict": "model.pt2"}, labels=LABELS)


@pytest.fixture(scope="session")
def model() -> nn.Module:
    torch.manual_seed(3)
    return Model().eval()


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory, model: nn.Module, schema: artifact.InputSchema) -> Path:
    """The artifact of `model`; nobody writes here."""
    folder = tmp_path_factory.mktemp("artifact")
    export(model, torch.zeros(2, *SHAPE), folder / "source.pt2")
    artifact.write(folder / "model", make_manifest(model, schema), {"model.pt2": folder / "source.pt2"})
    return folder / "model"


@pytest.fixture
def base(tmp_path: Path, pristine: Path) -> Path:
    """An own copy, as SAGEMAKER_BASE_DIR with `model/` in it."""
    shutil.copytree(pristine, tmp_path / "ml" / "model")
    return tmp_path / "ml"


@pytest.fixture(scope="session")
def schema() -> artifact.InputSchema:
    return artifact.InputSchema(kind="image", name="image", dtype="float32", shape=SHAPE, minimum=0.0, maximum=10.0)


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with <name>.pt2 of each of the zoo's MODELS."""
    folder = tmp_path_factory.mktemp("zoo")
    torch.manual_seed(5)
    for name, (build, instances) in MODELS.items():
        export(build(), instances(2), folder / f"{name}.pt2")
    return folder
