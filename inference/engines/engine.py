"""The engines: an artifact's programs as functions of numpy batches, by PyTorch or by ONNX Runtime.

    engine = engine_for(artifact.load(folder))
    engine.run("predict", batch)

The file's suffix decides: *.pt2 is run by PyTorch, *.onnx by ONNX Runtime. Only the one that is needed is imported.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.artifact import Artifact
from inference.machine import cpu_limit

Batch = NDArray[Any]  # float32, or int64 for texts
Output = NDArray[np.float32]
Program = Callable[[Batch], Output]


class Engine(Protocol):
    """Loaded programs; `programs` has a function for each name in the manifest's `programs`."""

    name: str
    programs: Mapping[str, Program]

    def run(self, program: str, batch: Batch) -> Output:
        """The outputs float32 (N, ...) of `program` for (N, ...)."""


class TorchEngine:
    """Exported programs in inference mode, on the CPU or on the GPU `device`."""

    def __init__(self, artifact: Artifact, threads: int | None = None, device: str = "cpu") -> None:
        """`threads` of the arithmetic; None leaves this process's setting alone. Raises ArtifactError."""
        import torch

        # A batch may be the request's own bytes. Programs write to no input: torch.export has made them functional.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        if threads is not None:
            torch.set_num_threads(threads)
        self.name = f"torch {torch.__version__}" + ("" if device == "cpu" else f" on {device}")
        self._device = device
        self.programs: Mapping[str, Program] = {
            name: self._program(artifact, name) for name in artifact.manifest.programs
        }

    def run(self, program: str, batch: Batch) -> Output:
        """The outputs of `program`."""
        return self.programs[program](batch)

    def _program(self, artifact: Artifact, name: str) -> Program:
        import torch

        program, inference_mode, from_numpy = (
            artifact.program(name, self._device),
            torch.inference_mode,
            torch.from_numpy,
        )
        device = self._device

        def run_on_device(batch: Batch) -> Output:
            with inference_mode():
                outputs: Output = program(from_numpy(batch).to(device, non_blocking=True)).cpu().numpy()
            return outputs

        def run(batch: Batch) -> Output:
            with inference_mode():
                outputs: Output = program(from_numpy(batch)).numpy()
            return outputs

        return run if device == "cpu" else run_on_device


def engine_for(artifact: Artifact, threads: int | None = None) -> Engine:
    """The engine for the format of the artifact's programs; raises ArtifactError where one cannot be loaded.

    `threads` of the arithmetic in one call; None: PyTorch's setting as it is, or as many as this process has CPUs.
    """
    if all(file.endswith(".onnx") for file in artifact.manifest.programs.values()):
        from inference.engines.engine_onnx import OnnxEngine

        return OnnxEngine(artifact, threads or cpu_limit())
    return TorchEngine(artifact, threads)
