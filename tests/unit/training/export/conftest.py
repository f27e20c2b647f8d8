"""Every kind of model in every form, exported once for all tests, by both ways to start the helper."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference import artifact
from tests.unit.training.export import zoo
from training.export import int8
from training.export.exporter import Exporter
from training.export.forms import BF16, FP32, INT8, ONNX, TORCH_EXPORT, Form

PT2, PT2_BF16 = Form(format=TORCH_EXPORT, precision=FP32), Form(format=TORCH_EXPORT, precision=BF16)
ONNX_FP32, ONNX_INT8 = Form(format=ONNX, precision=FP32), Form(format=ONNX, precision=INT8)
FORMS = (PT2, ONNX_FP32, PT2_BF16, ONNX_INT8)
CALIBRATION_ROWS = 64


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The files of both precisions: <kind>.pt2 and <kind>.onnx in a folder for each pair of forms."""

    folders: dict[Form, Path]

    def path(self, kind: str, form: Form) -> Path:
        return self.folders[form] / form.file_name(kind)

    def run(self, kind: str, form: Form, rows: NDArray[np.generic]) -> NDArray[np.float32]:
        """As a server runs it."""
        manifest = draft(kind, {kind: form.file_name(kind)})
        found: NDArray[np.float32] = artifact.Artifact(folder=self.folders[form], manifest=manifest, version="").run(
            kind, rows
        )
        return found


def draft(kind: str, programs: dict[str, str]) -> artifact.Manifest:
    """A manifest that is good enough to run a program."""
    return artifact.Manifest(
        task="image-classification",
        programs=programs,
        input=artifact.InputSchema(kind="image", name=kind, dtype="float32", shape=(8, 8), minimum=0.0, maximum=16.0),
        labels=(),
        preprocessing={},
        metrics={},
        gate=artifact.GateVerdict(passed=True, checks=()),
        code_sha256="a" * 64,
        data_sha256="b" * 64,
        versions={},
        examples=(),
        files={},
        exports={},
    )


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Two exporters at once, one forked and one spawned; int8 is made of the first one's files."""
    names = tuple(zoo.KINDS)
    folders = {form: tmp_path_factory.mktemp("exported") for form in (PT2, PT2_BF16, ONNX_INT8)}
    folders[ONNX_FP32] = folders[PT2]
    exporters = {
        PT2: Exporter((PT2, ONNX_FP32), zoo.build, "fork"),
        PT2_BF16: Exporter((PT2_BF16,), zoo.build, "spawn"),
    }
    try:
        for exporter in exporters.values():
            exporter.trace(names)
        for form, exporter in exporters.items():
            exporter.write({name: zoo.trained(name) for name in names}, {}, folders[form])
    finally:
        for exporter in exporters.values():
            exporter.close()
    made = Exported(folders=folders)
    for name in names:
        int8.quantize(made.path(name, ONNX_FP32), made.path(name, ONNX_INT8), zoo.batch(name, CALIBRATION_ROWS))
    return made


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Later tests get their number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
