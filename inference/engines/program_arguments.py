"""The arguments of a graph's nodes: from the archive's JSON to plain values and references to other nodes' outputs.

Kinds: class `Argument` of torch/_export/serde/schema.py, torch 2.12 to 2.15. Those that are not here (graphs, custom
objects, tokens) are for torch.export itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from inference.engines.program_archive import DTYPES, UnsupportedGraphError

MEMORY_FORMATS = {
    1: torch.contiguous_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
    4: torch.preserve_format,
}
STRIDED = 7
DEVICE = "cpu"


@dataclass(frozen=True, slots=True)
class Reference:
    """The output `name` of an earlier node, a weight, or the input: a tensor, or a size that depends on the batch."""

    name: str


def read_argument(argument: dict[str, Any]) -> Any:
    """A plain value, a Reference, or a list of both; raises UnsupportedGraphError for kinds that are not known here."""
    ((kind, value),) = argument.items()
    reader = _READERS.get(kind)
    if reader is None:
        raise UnsupportedGraphError(f"argument of kind {kind}")
    return reader(value)


def read_output(output: dict[str, Any]) -> str | list[str] | None:
    """The name of what a node gives, a list of names where that is a list of tensors, None where nobody uses it."""
    ((kind, value),) = output.items()
    if kind == "as_none":
        return None
    if kind == "as_tensors":
        return [item["name"] for item in value]
    name = {"as_tensor": "name", "as_sym_int": "as_name", "as_sym_bool": "as_name", "as_sym_float": "as_name"}.get(kind)
    if name is None or name not in value:
        raise UnsupportedGraphError(f"output of kind {kind}")
    found: str = value[name]
    return found


def _plain(value: Any) -> Any:
    return value


def _float(value: float | str) -> float:
    """JSON has no infinity, so torch writes "Infinity", "-Infinity" and "NaN"."""
    return float(value)


def _tensor(value: dict[str, Any]) -> Reference:
    return Reference(value["name"])


def _optional_tensor(value: dict[str, Any]) -> Reference | None:
    return _tensor(value["as_tensor"]) if "as_tensor" in value else None


def _symbol(value: dict[str, Any]) -> Any:
    """A size: named where it depends on the batch, else a number."""
    ((kind, inner),) = value.items()
    return Reference(inner) if kind == "as_name" else _float(inner) if kind == "as_float" else inner


def _dtype(value: int) -> torch.dtype:
    if value not in DTYPES:
        raise UnsupportedGraphError(f"dtype {value}")
    return DTYPES[value]


def _layout(value: int) -> torch.layout:
    if value != STRIDED:
        raise UnsupportedGraphError(f"layout {value}")
    return torch.strided


def _device(value: dict[str, Any]) -> torch.device:
    if value["type"] != DEVICE:
        raise UnsupportedGraphError(f"device {value['type']}")
    return torch.device(DEVICE)


def _memory_format(value: int) -> torch.memory_format:
    if value not in MEMORY_FORMATS:
        raise UnsupportedGraphError(f"memory format {value}")
    return MEMORY_FORMATS[value]


def _each(reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: [reader(value) for value in values]


_READERS: dict[str, Callable[[Any], Any]] = {
    "as_none": lambda value: None,
    "as_bool": _plain,
    "as_bools": _plain,
    "as_int": _plain,
    "as_ints": _plain,
    "as_float": _float,
    "as_floats": _each(_float),
    "as_string": _plain,
    "as_tensor": _tensor,
    "as_tensors": _each(_tensor),
    "as_optional_tensor": _optional_tensor,
    "as_optional_tensors": _each(_optional_tensor),
    "as_sym_int": _symbol,
    "as_sym_ints": _each(_symbol),
    "as_sym_float": _symbol,
    "as_sym_floats": _each(_symbol),
    "as_sym_bool": _symbol,
    "as_sym_bools": _each(_symbol),
    "as_scalar_type": _dtype,
    "as_layout": _layout,
    "as_device": _device,
    "as_memory_format": _memory_format,
}
