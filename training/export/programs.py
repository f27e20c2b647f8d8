"""torch.export: a module as a graph of aten operators for any batch size, and the graph as a `.pt2` file.

Two exports of the same module are the same bytes, on any machine: stack traces, example inputs and with them every path
of the machine that traced are taken out.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from training.export.errors import ExportError, first_line

if TYPE_CHECKING:
    from torch.export import ExportedProgram

EXAMPLE_ROWS = 2  # torch.export takes a batch of 0 or 1 for a constant


def trace(name: str, module: nn.Module, dtype: torch.dtype, shape: tuple[int, ...]) -> "ExportedProgram":
    """Export `module` for input `dtype` (N, *shape) with any N >= 1; the program holds the module's own tensors.

    The module is in evaluation mode. Raises ExportError where its graph needs a fixed batch size or depends on the
    values of the input.
    """
    example: Tensor = torch.zeros(EXAMPLE_ROWS, *shape, dtype=dtype)
    batch = torch.export.Dim("batch", min=1)
    try:
        program = torch.export.export(module, (example,), dynamic_shapes=({0: batch},))
    except Exception as error:  # a user's model may raise anything while it is traced
        raise ExportError(
            f"program {name!r} cannot be traced by torch.export for a batch of any size: {first_line(error)}; "
            "the model's forward must not depend on the batch size or on values of the input"
        ) from error
    strip(program)
    return program


def strip(program: "ExportedProgram") -> None:
    """Take out what no server needs: where it was traced, checks of types that cannot change, weights nobody reads."""
    graph, signature = program.graph, program.graph_signature
    for node in list(graph.nodes):
        node.meta.pop("stack_trace", None)
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            graph.erase_node(node)
        elif node.target is torch.ops.aten.dropout.default and not node.args[2]:  # its third argument: training or not
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    specs = []
    for spec in signature.input_specs:
        (node,) = graph.find_nodes(op="placeholder", target=spec.arg.name)
        if spec.target is None or node.users:
            specs.append(spec)
        else:
            graph.erase_node(node)
            program.state_dict.pop(spec.target, None)
    signature.input_specs[:] = specs
    program.graph_module.recompile()
    program.example_inputs = None  # they would be stored as a pickle


def save(program: "ExportedProgram", path: Path) -> None:
    """Write the program with the present values of its tensors; torch names the archive's folder after the file."""
    torch.export.save(program, str(path))


@torch.no_grad()
def fill(name: str, module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put `weights` into the tensors of `module`, in place, so that a program traced from it has them too.

    `weights` may hold more. Raises ExportError where they are not those of the traced model.
    """
    for key, tensor in module.state_dict().items():
        found = weights.get(key)
        if found is None or found.shape != tensor.shape:
            shape = "missing" if found is None else f"of shape {tuple(found.shape)}"
            raise ExportError(
                f"program {name!r} was traced for another model: the trained weight {key!r} is {shape}, "
                f"expected {tuple(tensor.shape)}; a model's structure must follow from its hyperparameters alone"
            )
        tensor.copy_(found)
