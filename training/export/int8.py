"""int8: an ONNX program whose weights are stored, and multiplied, as 8-bit integers; float32 in and out.

Programs with convolutions are quantised statically: the range of every activation is measured once, on training rows,
and a server multiplies integers without looking at the values first. All others are quantised dynamically, with the
range of each batch. Largest difference of a score, and microseconds an example in batches of 64, on models trained on
real data (Zen 4, one core, busy machine):

| | static | dynamic |
| --- | --- | --- |
| small CNN | 0.019, 10 us | 0.013, 187 us: onnxruntime has no fast kernel for dynamic convolutions |
| transformer | 0.028, 1150 us: and the embeddings stay float32 | 0.019, 1050 us |
| LSTM | only its last layer has a static form | 0.029, 250 us (fp32: 510 us) |
| hidden layers on a table | 0.114, 0.6 us | 0.026, 0.6 us |

Weights have a scale for each channel and use 7 of their 8 bits: CPUs without VNNI add the products in 16 bits, which
would overflow, and the answers would depend on the machine. Softmax and preprocessing stay in float32.
"""

import importlib
import logging
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

STATIC = ["Conv", "ConvTranspose", "Gemm", "MatMul"]
DYNAMIC = ["MatMul", "Gemm", "LSTM", "Gather"]  # Gather: the table of embeddings
BATCH = 32


def warm() -> None:
    """Import what `quantize` needs."""
    importlib.import_module("onnxruntime.quantization")
    logging.getLogger().setLevel(
        logging.ERROR
    )  # by the root logger it advises to do what training.export.onnx has done


class _Calibration:
    """The rows as onnxruntime asks for them: a feed each time, then None."""

    def __init__(self, name: str, inputs: NDArray[Any]) -> None:
        self._feeds = ({name: inputs[first : first + BATCH]} for first in range(0, len(inputs), BATCH))

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)


def quantize(source: Path, target: Path, calibration: NDArray[Any]) -> None:
    """Write the program of `source` (ONNX, float32) to `target`; `calibration` are inputs (n, ...) of training rows."""
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    model = onnx.load(str(source))
    del model.graph.value_info[:]  # onnxruntime transposes weights and would find the shapes of the old ones
    weights = {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": True}
    if not any(node.op_type in ("Conv", "ConvTranspose") for node in model.graph.node):
        quantize_dynamic(model, str(target), op_types_to_quantize=DYNAMIC, **weights)
        return
    quantize_static(
        model,
        str(target),
        _Calibration(model.graph.input[0].name, calibration),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=STATIC,
        activation_type=QuantType.QUInt8,
        **weights,
    )
