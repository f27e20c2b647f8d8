"""A fitted scikit-learn pipeline as an ONNX model, by skl2onnx, with one input and one output."""

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

INPUT = "rows"
OPSETS = {"": 18, "ai.onnx.ml": 3}


def to_onnx(pipeline: Any, *, columns: int, labels: int) -> bytes:
    """`rows` float32 (N, columns) -> `scores` float32 (N, labels), or with labels 0 `values` float32 (N, 1)."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # skl2onnx reads attributes that scikit-learn 1.9 deprecates
        model = convert_sklearn(
            pipeline,
            name="pipeline",  # else a random one
            initial_types=[(INPUT, FloatTensorType([None, columns]))],
            options={id(pipeline): {"zipmap": False}} if labels else None,
            target_opset=OPSETS,
        )
    if labels:
        _keep_output(model, "probabilities", "scores", labels)
    else:
        _keep_output(model, "variable", "values", 1)
    found: bytes = model.SerializeToString(deterministic=True)
    return found


def _keep_output(model: "onnx.ModelProto", theirs: str, ours: str, width: int) -> None:
    """Leave one output, float32 (N, width), under our name, and only what it needs: skl2onnx gives labels beside it."""
    from onnx import TensorProto
    from onnx.helper import make_tensor_value_info

    graph, needed = model.graph, {theirs}
    kept = []
    for node in reversed(graph.node):  # a node comes after all that it needs
        if needed & set(node.output):
            needed |= set(node.input)
            node.output[:] = [ours if name == theirs else name for name in node.output]
            kept.append(node)
    constants = [constant for constant in graph.initializer if constant.name in needed]
    del graph.node[:], graph.initializer[:], graph.output[:], graph.value_info[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)
    graph.output.append(make_tensor_value_info(ours, TensorProto.FLOAT, [None, width]))
