"""A small ONNX model, written by hand."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

WEIGHT = np.array([[1, -1, 0.5], [0, 2, 0.25]], np.float32)


def gemm(path: Path, *, softmax: bool = True, outputs: int = 1, dtype: int = TensorProto.FLOAT) -> Path:
    """float32 (N, 2) -> (N, 3), a matrix product and a softmax."""
    weight = numpy_helper.from_array(WEIGHT, "w")
    nodes = [helper.make_node("Gemm", ["x", "w"], ["y"])]
    if softmax:
        nodes += [helper.make_node("Softmax", ["y"], ["p"], axis=-1)]
    name = "p" if softmax else "y"
    if dtype != TensorProto.FLOAT:
        nodes += [helper.make_node("Cast", [name], ["q"], to=dtype)]
        name = "q"
    results = [helper.make_tensor_value_info(name, dtype, ["n", 3])]
    if outputs == 2:
        results.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3]))
    source = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])]
    graph = helper.make_graph(nodes, "g", source, results, [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path
