"""ONNX: a traced program as a `.onnx` file for onnxruntime, with dynamic batch and the same bytes each time.

The conversion works on the untrained program and refers to its tensors, so it can be done while the loop trains; what
is left afterwards is to fold constants and to write.
"""

import importlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from training.export.errors import ExportError, first_line

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.onnx import ONNXProgram

OPSET = 20  # what torch 2.12 to 2.15 translate to; onnxruntime reads it since 1.17
INPUT, OUTPUT = "input", "output"
MAX_BYTES = 2 * 10**9  # of weights; a protobuf message ends at 2 GiB, and more would need a second file
MAX_FOLDED_VALUES = 2**26  # of one constant


def warm() -> None:
    """Import what `convert` and `save` need."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of a missing torchvision, once per operator
    for name in ("onnx", "onnxscript", "torch.onnx"):
        importlib.import_module(name)


def convert(name: str, program: "ExportedProgram") -> "ONNXProgram":
    """`program` in ONNX's operators, its weights still those of the program; raises ExportError for what ONNX lacks."""
    import torch.onnx

    try:
        converted = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            optimize=False,  # would fold the untrained weights
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(
            f"program {name!r} cannot be written as ONNX: {first_line(error.__cause__ or error)}; set formats to pt2"
        ) from error
    assert converted is not None, "torch.onnx.export returns a program where it is given no file"
    return converted


def save(name: str, converted: "ONNXProgram", path: Path) -> None:
    """Fold the constants, write the file and have onnx check it. `converted` cannot be used again."""
    import onnx
    import onnxscript.optimizer

    model = converted.model
    size_bytes = sum(value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value)
    if size_bytes > MAX_BYTES:
        raise ExportError(
            f"program {name!r} has {size_bytes} bytes of weights, an ONNX file holds {MAX_BYTES}; set formats to pt2"
        )
    # Folded whatever their size: onnxruntime quantises weights only where they are no longer sliced and transposed.
    onnxscript.optimizer.optimize_ir(model, input_size_limit=MAX_BYTES, output_size_limit=MAX_FOLDED_VALUES)
    for value in [*model.graph, *model.graph.initializers.values()]:
        value.metadata_props.clear()
    converted.save(str(path))
    onnx.checker.check_model(str(path), full_check=True)
