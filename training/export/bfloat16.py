"""bf16: a program whose products are computed in bfloat16, from weights that are stored in it; float32 in and out.

The rules are those of torch.autocast, written into the graph so that whoever runs it needs no autocast: products take
bfloat16; softmax and sigmoid take float32; where a bfloat16 value meets a float32 one, both are float32. Normalisations
keep their float32 weights, and what follows the last product is float32: bfloat16 has 8 significant bits, which rounds
a regression's 2003 to 2000. Half the size; on CPUs and GPUs with bfloat16 units 1.2 to 2 times as fast.
"""

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

if TYPE_CHECKING:
    from torch.export import ExportedProgram

CONVOLUTIONS = {"conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"}
MATRICES = {"linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "bilinear", "scaled_dot_product_attention"}
PRODUCTS = CONVOLUTIONS | MATRICES | {"lstm", "gru", "rnn_tanh", "rnn_relu"}
WIDE = {"softmax", "log_softmax", "sigmoid", "layer_norm", "group_norm"}
LARGEST = torch.finfo(torch.bfloat16).max
NORMALISATIONS = {"batch_norm", "layer_norm", "group_norm"}


class Bfloat16(nn.Module):
    """A traced program with its products in bfloat16; `graph_module` has the state_dict of the traced module."""

    def __init__(self, program: "ExportedProgram") -> None:
        super().__init__()
        self.graph_module = program.module(check_guards=False)
        kept = _normalisation_weights(self.graph_module)
        for name, parameter in list(self.graph_module.named_parameters(remove_duplicate=False)):
            if parameter.is_floating_point() and name not in kept:
                owner, _, leaf = name.rpartition(".")
                rounded = nn.Parameter(parameter.detach().to(torch.bfloat16), requires_grad=False)
                setattr(self.graph_module.get_submodule(owner), leaf, rounded)  # the program keeps its own

    def forward(self, x: Tensor) -> Tensor:
        """float32 or int64 (N, ...) -> float32 (N, ...)."""
        output: Tensor = _Mixed(self.graph_module).run(x)
        return output if output.dtype == torch.float32 else output.float()


class _Mixed(fx.Interpreter):
    """Runs a graph node by node and gives each operator the floating-point type it should compute in."""

    def __init__(self, graph_module: fx.GraphModule) -> None:
        super().__init__(graph_module)
        self._feeding = _feeding_products(graph_module.graph)
        self._is_last = False

    def run_node(self, node: fx.Node) -> Any:
        """One node; notes whether a product follows it."""
        self._is_last = node not in self._feeding
        return super().run_node(node)

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One operator, its tensors cast where its rule asks for it."""
        name = _name(target)
        if name in PRODUCTS:
            args, kwargs = _cast((args, kwargs), torch.bfloat16)
        elif self._is_last or name in WIDE or (name not in NORMALISATIONS and _needs_float32((args, kwargs))):
            args, kwargs = _cast((args, kwargs), torch.float32)
        return super().call_function(target, args, kwargs)


def _cast(arguments: Any, dtype: torch.dtype) -> Any:
    """`arguments`, nested as they are, with their floating-point tensors as `dtype`."""

    def cast(value: Any) -> Any:
        is_other = isinstance(value, Tensor) and value.is_floating_point() and value.dtype != dtype
        return value.to(dtype) if is_other else value

    return fx.node.map_aggregate(arguments, cast)


def _needs_float32(arguments: Any) -> bool:
    """Whether floating-point types meet, or a constant (float32's lowest, as a mask) is beyond bfloat16's range."""
    found: set[torch.dtype] = set()

    def note(value: Any) -> None:
        if isinstance(value, Tensor) and value.is_floating_point():
            found.add(value.dtype)
        elif isinstance(value, float) and LARGEST < abs(value) < math.inf:
            found.add(torch.float32)

    fx.node.map_aggregate(arguments, note)
    return len(found) > 1


def _normalisation_weights(graph_module: fx.GraphModule) -> set[str]:
    """Names of the parameters that a normalisation takes."""
    return {
        str(node.target)
        for node in graph_module.graph.nodes
        if node.op == "get_attr" and any(_name(user.target) in NORMALISATIONS for user in node.users)
    }


def _feeding_products(graph: fx.Graph) -> set[fx.Node]:
    """The nodes whose values reach a product."""
    feeding: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if any(user in feeding or _name(user.target) in PRODUCTS for user in node.users):
            feeding.add(node)
    return feeding


def _name(target: object) -> str:
    """`conv2d` for torch.ops.aten.conv2d.default; any other callable has a name that is in no table."""
    packet = getattr(target, "overloadpacket", None)
    return getattr(packet, "__name__", "") or str(target)
