"""A small real artifact, made once, and the model behind it."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inference import artifact

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


def make_manifest(model: nn.Module) -> artifact.Manifest:
    instances = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(1)) * 10
    with torch.inference_mode():
        scores = model(instances)
    examples = tuple(
        artifact.Example(
            instance=instance.tolist(),
            target=LABELS[0],
            prediction=artifact.Prediction(label=LABELS[int(row.argmax())], score=float(row.max())),
        )
        for instance, row in zip(instances, scores, strict=True)
    )
    return artifact.Manifest(
        task="image-classification",
        model="model.pt2",
        input=artifact.InputSchema(name="image", dtype="float32", shape=SHAPE, minimum=0.0, maximum=10.0),
        labels=LABELS,
        preprocessing={"scale": 0.1},
        metrics={"test_accuracy": 0.5},
        gate=artifact.GateVerdict(passed=True, metric="test_accuracy", value=0.5, minimum=0.0),
        code_sha256="a" * 64,
        data_sha256="b" * 64,
        versions={"torch": torch.__version__},
        examples=examples,
        files={},
    )


@pytest.fixture(scope="session")
def model() -> nn.Module:
    torch.manual_seed(3)
    return Model().eval()


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory, model: nn.Module) -> Path:
    """The artifact of `model`; nobody writes here."""
    folder = tmp_path_factory.mktemp("artifact")
    program = torch.export.export(
        model, (torch.zeros(2, *SHAPE),), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)
    )
    torch.export.save(program, str(folder / "source.pt2"))
    artifact.write(folder / "model", make_manifest(model), {"model.pt2": folder / "source.pt2"})
    return folder / "model"


@pytest.fixture
def base(tmp_path: Path, pristine: Path) -> Path:
    """An own copy, as SAGEMAKER_BASE_DIR with `model/` in it."""
    shutil.copytree(pristine, tmp_path / "ml" / "model")
    return tmp_path / "ml"


@pytest.fixture(scope="session")
def schema() -> artifact.InputSchema:
    return artifact.InputSchema(name="image", dtype="float32", shape=SHAPE, minimum=0.0, maximum=10.0)


@pytest.fixture
def wide_schema(schema: artifact.InputSchema) -> artifact.InputSchema:
    return dataclasses.replace(schema, shape=(3, 4, 3))


@pytest.fixture
def random() -> Iterator[np.random.Generator]:
    yield np.random.default_rng(0)
