"""Where served programs come from: a network and its exporter, or an estimator that writes itself as ONNX."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.export.errors import ExportError
from training.export.exporter import Exporter
from training.export.forms import FP32, ONNX, Form
from training.options import ExportOptions

AT_ONCE = 64  # rows; bounds the memory of activations


class Source(Protocol):
    """A trained model, as its outputs and as files."""

    @property
    def forms(self) -> tuple[Form, ...]:
        """What `write` writes, the served form first."""
        ...

    @property
    def programs(self) -> tuple[str, ...]:
        """("predict",), or ("encode", "decode"), where `decode` takes what `encode` gives."""
        ...

    @property
    def packages(self) -> tuple[str, ...]:
        """What wrote the files, besides torch and numpy."""
        ...

    def outputs(self, program: str, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """What the trained model itself gives for `inputs` (n, ...)."""

    def write(self, calibration: Mapping[str, NDArray[Any]], folder: Path) -> None:
        """Write each form of each program into `folder` as Form.file_name says; raises ExportError."""


class NetworkSource:
    """The `trained` served modules, and the `exporter` that has traced their like."""

    def __init__(self, trained: Mapping[str, nn.Module], exporter: Exporter) -> None:
        self._trained = {name: module.cpu().eval() for name, module in trained.items()}
        self._exporter = exporter
        self.forms, self.programs = exporter.forms, tuple(trained)
        self.packages = ("onnx", "onnxscript", "onnxruntime") if any(f.format == ONNX for f in self.forms) else ()

    @torch.inference_mode()
    def outputs(self, program: str, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """By the modules themselves, in float32 on the CPU."""
        module = self._trained[program]
        found = [module(rows) for rows in torch.from_numpy(inputs).split(AT_ONCE)]
        outputs: NDArray[np.float32] = torch.cat(found).numpy()
        return outputs

    def write(self, calibration: Mapping[str, NDArray[Any]], folder: Path) -> None:
        """By the exporter."""
        self._exporter.write(self._trained, calibration, folder)


class Fitted(Protocol):
    """What is needed of training.models.estimators.FittedEstimator."""

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (n, labels) or values (n, 1)."""

    def to_onnx(self) -> bytes:
        """The whole pipeline as an ONNX model."""


class EstimatorSource:
    """An estimator of scikit-learn: float32 ONNX, whatever formats the options name.

    Raises ExportError where they ask for another precision: there are no layers whose weights could be reduced.
    """

    forms = (Form(format=ONNX, precision=FP32),)
    programs = ("predict",)
    packages = ("scikit-learn", "skl2onnx", "onnx")

    def __init__(self, fitted: Fitted, options: ExportOptions) -> None:
        if options.served_precision != FP32:
            raise ExportError(
                f"served_precision is {options.served_precision!r}, and an estimator of scikit-learn exists as fp32 "
                "only; set it to fp32, or use a network (tabular_mlp)"
            )
        self._fitted = fitted

    def outputs(self, program: str, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """By scikit-learn."""
        return self._fitted.predict(inputs)

    def write(self, calibration: Mapping[str, NDArray[Any]], folder: Path) -> None:
        """By skl2onnx."""
        (folder / self.forms[0].file_name("predict")).write_bytes(self._fitted.to_onnx())
