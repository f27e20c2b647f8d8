"""Run a torch.export archive (*.pt2) node by node, without importing torch.export's machinery.

`torch.export.load` imports the tracer, sympy and inductor first: as much time again as `import torch`, before a
server can answer. The archive itself is a zip of JSON and raw weights, and a plain graph needs only the operator
table of torch. Two rules keep this safe: only operators of the `aten` namespace are called, and no pickle is read.
Whatever this reader does not know (another schema version, control flow) goes to inference.engines.program_fallback.

    program = load_program(folder / "model.pt2")
    program(batch)
"""

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from inference.engines.program_archive import SCHEMA_MAJOR, Archive, UnsupportedGraphError
from inference.engines.program_arguments import Reference, read_argument, read_output
from inference.manifests.fields import ArtifactError

POSITIONAL = 1
# Arithmetic on sizes that depend on the batch. pow and shifts of hostile numbers would fill the memory.
SIZE_OPERATORS: dict[str, Callable[..., Any]] = {
    f"_operator.{function.__name__}": function
    for function in (
        operator.add,
        operator.sub,
        operator.mul,
        operator.floordiv,
        operator.truediv,
        operator.mod,
        operator.neg,
        operator.eq,
        operator.ne,
        operator.lt,
        operator.le,
        operator.gt,
        operator.ge,
    )
}
FORBIDDEN_OPERATORS = ("from_file",)  # reads any file of this machine
Registers = list[Any]
Place = int | list["Place | None"] | None


class _Step(NamedTuple):
    """One node: its operator, its arguments with gaps, what fills the gaps, and where the result goes."""

    function: Callable[..., Any]
    arguments: list[Any]
    gaps: list[tuple[int, int]]  # (place in `arguments`, register)
    lists: list[tuple[int, Callable[[Registers], list[Any]]]]
    keywords: dict[str, Any]
    keyword_gaps: list[tuple[str, int]]
    result: Place
    unused_after: list[int]  # registers that no later step reads


def load_program(path: Path, device: str = "cpu") -> Callable[[Tensor], Tensor]:
    """The program in `path` as a function of one tensor on `device`; raises ArtifactError where there is none.

    Programs are written down for the CPU; those that only torch.export can read stay there.
    """
    try:
        with Archive(path) as archive:
            try:
                return GraphProgram(archive, torch.device(device))
            except UnsupportedGraphError:
                if device != "cpu":
                    raise
                from inference.engines.program_fallback import load_with_torch_export

                return load_with_torch_export(archive)
    except Exception as error:  # a file from anywhere: zip, JSON, torch and torch.export each raise types of their own
        raise ArtifactError(
            f"{path} is not a torch.export archive of one tensor's program ({type(error).__name__}: "
            f"{str(error)[:500]}); train the artifact again"
        ) from error


class GraphProgram:
    """A straight-line graph of aten operators; call it with one tensor, get one."""

    def __init__(self, archive: Archive, device: torch.device) -> None:
        version = archive.model["schema_version"]
        if version["major"] != SCHEMA_MAJOR:
            raise UnsupportedGraphError(f"schema version {version}")
        module = archive.model["graph_module"]
        constants, source = _bind_inputs(module["signature"]["input_specs"], archive.tensors())
        builder = _Builder({name: _moved(tensor, device) for name, tensor in constants.items()}, source, device)
        for node in module["graph"]["nodes"]:
            builder.add(node)
        self._output = builder.find(_single(module["signature"]["output_specs"], "user_output"))
        self._steps = builder.finish(self._output)
        self._registers = [None] * builder.size

    def __call__(self, x: Tensor) -> Tensor:
        """The program's output for the batch `x`."""
        values: Registers = self._registers.copy()
        values[0] = x
        for function, template, gaps, lists, keywords, keyword_gaps, result, unused in self._steps:
            arguments = template.copy()
            for place, register in gaps:
                arguments[place] = values[register]
            for place, build in lists:
                arguments[place] = build(values)
            if keyword_gaps:
                keywords = {**keywords, **{name: values[register] for name, register in keyword_gaps}}
            outcome = function(*arguments, **keywords)
            if type(result) is int:
                values[result] = outcome
            else:
                _store(values, result, outcome)
            for register in unused:
                values[register] = None  # gives its memory to the next steps
        output: Tensor = values[self._output]
        return output


class _Builder:
    """Turns nodes into steps, and names into registers; register 0 is the input."""

    def __init__(self, constants: dict[str, Tensor], source: str, device: torch.device) -> None:
        self._constants = constants
        self._device = device
        self._registers = {source: 0}
        self._steps: list[_Step] = []
        self._last_use: dict[int, int] = {}
        self.size = 1

    def add(self, node: dict[str, Any]) -> None:
        """Append the step of one node."""
        arguments: list[Any] = []
        keywords: dict[str, Any] = {}
        for item in node["inputs"]:
            value = self._resolve(read_argument(item["arg"]))
            if item["kind"] == POSITIONAL:
                arguments.append(value)
            else:
                keywords[item["name"]] = value
        result = [self._place(read_output(output)) for output in node["outputs"]]
        self._steps.append(
            _Step(
                function=_function(node["target"]),
                arguments=arguments,
                gaps=[(place, value.number) for place, value in enumerate(arguments) if isinstance(value, _Register)],
                lists=[(place, _list_builder(value)) for place, value in enumerate(arguments) if _has_registers(value)],
                keywords={name: value for name, value in keywords.items() if not isinstance(value, _Register)},
                keyword_gaps=[(name, value.number) for name, value in keywords.items() if isinstance(value, _Register)],
                result=result[0] if len(result) == 1 else result or None,
                unused_after=[],
            )
        )
        if any(_has_registers(value) for value in keywords.values()):
            raise UnsupportedGraphError("a list of tensors as a keyword")

    def find(self, name: str) -> int:
        """The register of an output."""
        if name not in self._registers:
            raise ValueError(f"the output {name!r} is not computed by any node")
        return self._registers[name]

    def finish(self, output: int) -> list[_Step]:
        """The steps, each knowing which registers nobody reads after it."""
        self._last_use.pop(output, None)
        for register, step in self._last_use.items():
            self._steps[step].unused_after.append(register)
        return self._steps

    def _resolve(self, value: Any) -> Any:
        """A weight where it is one, a _Register for what is computed, anything else as it is."""
        if isinstance(value, list):
            return [self._resolve(item) for item in value]
        if isinstance(value, torch.device):
            return self._device
        if not isinstance(value, Reference):
            return value
        if value.name in self._constants:
            return self._constants[value.name]
        register = self._registers[value.name]
        self._last_use[register] = len(self._steps)
        return _Register(register)

    def _place(self, name: str | list[str] | None) -> Place:
        """New registers for what a node gives."""
        if name is None:
            return None
        if isinstance(name, list):
            return [self._place(inner) for inner in name]
        self._registers[name] = self.size
        self._last_use[self.size] = len(self._steps)
        self.size += 1
        return self._registers[name]


class _Register(NamedTuple):
    number: int


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A weight on `device`, still one that wants a gradient where it was."""
    if tensor.device == device:
        return tensor
    moved = tensor.detach().to(device)
    return torch.nn.Parameter(moved, requires_grad=tensor.requires_grad) if tensor.requires_grad else moved


def _has_registers(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, _Register) for item in value)


def _list_builder(template: list[Any]) -> Callable[[Registers], list[Any]]:
    """A function that fills the gaps of a list of tensors or sizes."""
    return lambda values: [values[item.number] if type(item) is _Register else item for item in template]


def _store(values: Registers, place: Place, outcome: Any) -> None:
    """Put an operator's several outputs where they belong."""
    if isinstance(place, list):
        for inner, item in zip(place, outcome, strict=True):
            _store(values, inner, item)
    elif place is not None:
        values[place] = outcome


def _bind_inputs(specs: list[dict[str, Any]], tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """(weights by the graph's names, name of the input)."""
    constants = {}
    for spec in specs:
        ((kind, inner),) = spec.items()
        if kind in ("parameter", "buffer", "tensor_constant"):
            constants[inner["arg"]["name"]] = tensors[inner[f"{kind}_name"]]
        elif kind != "user_input":
            raise UnsupportedGraphError(f"input of kind {kind}")
    return constants, _single([spec for spec in specs if "user_input" in spec], "user_input")


def _single(specs: list[dict[str, Any]], kind: str) -> str:
    if len(specs) != 1 or kind not in specs[0]:
        raise ValueError(f"expected one {kind.replace('_', ' ')}, found {[sorted(spec) for spec in specs]}")
    name: str = specs[0][kind]["arg"]["as_tensor"]["name"]
    return name


def _function(target: str) -> Callable[..., Any]:
    if target in SIZE_OPERATORS:
        return SIZE_OPERATORS[target]
    parts = target.split(".")
    if parts[:3] != ["torch", "ops", "aten"] or len(parts) != 5 or parts[3] in FORBIDDEN_OPERATORS:
        raise UnsupportedGraphError(f"operator {target}")
    packet = getattr(torch.ops.aten, parts[3], None)
    function: Callable[..., Any] | None = getattr(packet, parts[4], None)
    if not isinstance(function, torch._ops.OpOverload):
        raise UnsupportedGraphError(f"operator {target} is unknown to torch {torch.__version__}")
    return function
