"""The exporter: a helper process that traces and converts the model while the loop trains it.

    exporter = Exporter(chosen(config.export), build)     # before the first tensor operation
    exporter.trace(blueprint)                             # once the data is read: how to build the model
    ...                                                   # train, with exporter.check() after each epoch
    exporter.write(programs, calibration, folder)         # 0.1 s: the weights go in, the files are written
    exporter.close()

Importing the compiler stack (1 s), tracing (0.4 s) and converting to ONNX (1 to 2 s) need only the model's structure.
So the child builds the untrained model from the blueprint; the trained weights come last, into the same tensors.
"""

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.export import int8, onnx, programs
from training.export.bfloat16 import Bfloat16
from training.export.forms import BF16, FP32, INT8, ONNX, TORCH_EXPORT, Form
from training.helper import START_METHOD, Helper

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.onnx import ONNXProgram


@dataclass(frozen=True, kw_only=True)
class Untrained:
    """A served module with any weights, and what it takes: `dtype` (N, *shape)."""

    module: nn.Module
    dtype: torch.dtype
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class _Traced:
    """One program, ready for its weights: they go into `holders`, whose tensors the graphs share."""

    holders: tuple[nn.Module, ...]
    exported: dict[str, "ExportedProgram"]  # by precision
    converted: "ONNXProgram | None"


Build = Callable[[Any], Mapping[str, Untrained]]
State = dict[str, _Traced]


class Exporter:
    """A running helper process; `build` makes the served modules from what `trace` is given. Always `close` it.

    Start it before the first tensor operation: OpenMP's threads do not survive a fork.
    """

    def __init__(self, forms: tuple[Form, ...], build: Build, start_method: str = START_METHOD) -> None:
        self.forms = forms
        self._helper = Helper(
            "exporter",
            partial(_warm, forms),
            partial(_trace, forms, build),
            partial(_write, forms),
            start_method=start_method,
        )

    def trace(self, blueprint: Any) -> None:
        """Let the child build and trace the model of `blueprint` (plain data that pickle takes); returns at once."""
        self._helper.send(blueprint)

    def check(self) -> None:
        """Raise ExportError already now where the model has turned out to be one that cannot be exported."""
        self._helper.check()

    def write(
        self, trained: Mapping[str, nn.Module], calibration: Mapping[str, NDArray[Any]], folder: Path
    ) -> list[str]:
        """Write every form of the `trained` served modules into `folder`; returns the names of the files.

        `calibration` are training inputs (n, ...) for each program; only int8 reads them. Raises ExportError, or
        HelperError where the child ended or hung.
        """
        weights = io.BytesIO()
        torch.save({name: _on_cpu(module.state_dict()) for name, module in trained.items()}, weights)
        is_int8 = any(form.precision == INT8 for form in self.forms)
        files: list[str] = self._helper.ask((weights.getvalue(), dict(calibration) if is_int8 else {}, str(folder)))
        return files

    def close(self) -> None:
        """End the child, finished or not."""
        self._helper.close()


def _on_cpu(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}


def _warm(forms: tuple[Form, ...]) -> None:
    """Import what tracing, converting and writing need, and trace once: half of that happens at the first use."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # compilers warn of what they do inside, a hundred lines a model
    exported = programs.trace("warm", nn.Linear(1, 1).eval(), torch.float32, (1,))
    if any(form.format == TORCH_EXPORT for form in forms):
        torch.export.save(exported, io.BytesIO())
    if any(form.format == ONNX for form in forms):
        onnx.warm()
    if any(form.precision == INT8 for form in forms):
        int8.warm()


def _trace(forms: tuple[Form, ...], build: Build, _: None, blueprint: Any) -> State:
    return {name: _traced(name, untrained, forms) for name, untrained in build(blueprint).items()}


def _traced(name: str, untrained: Untrained, forms: tuple[Form, ...]) -> _Traced:
    module = untrained.module.eval()
    holders = [module]
    exported = {FP32: programs.trace(name, module, untrained.dtype, untrained.shape)}
    if any(form.precision == BF16 for form in forms):
        reduced = Bfloat16(exported[FP32])
        holders.append(reduced.graph_module)
        exported[BF16] = programs.trace(name, reduced, untrained.dtype, untrained.shape)
    needs_onnx = any(form.format == ONNX for form in forms)
    converted = onnx.convert(name, exported[FP32]) if needs_onnx else None
    return _Traced(holders=tuple(holders), exported=exported, converted=converted)


def _write(
    forms: tuple[Form, ...], state: State, request: tuple[bytes, dict[str, NDArray[np.generic]], str]
) -> list[str]:
    weights, calibration, folder = request
    trained = torch.load(io.BytesIO(weights), weights_only=True)
    for name, traced in state.items():
        for holder in traced.holders:
            programs.fill(name, holder, trained[name])
    return [_write_form(form, name, state[name], calibration, Path(folder)) for form in forms for name in state]


def _write_form(
    form: Form, name: str, traced: _Traced, calibration: dict[str, NDArray[np.generic]], folder: Path
) -> str:
    path = folder / form.file_name(name)
    if form.format == TORCH_EXPORT:
        programs.save(traced.exported[form.precision], path)
        return path.name
    assert traced.converted is not None, "_traced converts where a form is ONNX"
    if form.precision == INT8:
        exact = path.with_suffix(".fp32.onnx")
        onnx.save(name, traced.converted, exact)
        int8.quantize(exact, path, calibration[name])
        exact.unlink()
    else:
        onnx.save(name, traced.converted, path)
    return path.name
