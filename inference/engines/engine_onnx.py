"""ONNX Runtime on the CPU: the programs of an artifact whose files are *.onnx."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inference.artifact import Artifact
from inference.engines.engine import Batch, Output, Program
from inference.manifests.fields import ArtifactError

FATAL_ONLY = 4  # onnxruntime's severities: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal
NUMPY_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


class OnnxEngine:
    """Sessions of ONNX Runtime, one a program, each operator after the other."""

    def __init__(self, artifact: Artifact, threads: int) -> None:
        """`threads` of one operator; raises ArtifactError where a file is no model of one tensor."""
        import onnxruntime

        self.name = f"onnxruntime {onnxruntime.__version__}"
        options = _options(onnxruntime, threads)
        self.programs: Mapping[str, Program] = {
            name: _program(artifact.path(name), options) for name in artifact.manifest.programs
        }

    def run(self, program: str, batch: Batch) -> Output:
        """The outputs of `program`."""
        return self.programs[program](batch)


def _options(onnxruntime: Any, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Its arena doubles with the largest batch so far and never shrinks; the heap's own thresholds do as well here.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = FATAL_ONLY  # its errors come as exceptions too
    return options


def _program(path: Path, options: Any) -> Program:
    import onnxruntime

    try:
        # By its bytes: a model read from a path may name the files beside it as its weights.
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        raise ArtifactError(
            f"{path} is not an ONNX model for onnxruntime {onnxruntime.__version__} "
            f"({type(error).__name__}: {str(error)[:200]}); train the artifact again"
        ) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    types = [value.type for value in (*inputs, *outputs)]
    if len(inputs) != 1 or len(outputs) != 1 or types[0] not in NUMPY_TYPES or types[1] != "tensor(float)":
        raise ArtifactError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs of types {types}; expected one input of "
            f"{' or '.join(NUMPY_TYPES)} and one output of tensor(float); train the artifact again"
        )
    run, names, name, dtype = session.run, [outputs[0].name], inputs[0].name, NUMPY_TYPES[types[0]]

    def program(batch: Batch) -> Output:
        result: Output = run(names, {name: np.ascontiguousarray(batch, dtype)})[0]
        return result

    return program
