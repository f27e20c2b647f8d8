"""Run `model.pt2` (a torch.export archive) node by node, without importing torch.export's machinery.

`torch.export.load` imports the tracer, sympy and inductor first: as much time again as `import torch`, before a
server can answer. The archive itself is a zip of JSON and raw weights, and a plain graph needs only the operator
table of torch. Two rules keep this safe: only operators of the `aten` namespace are called, and no pickle is read.
Whatever this reader does not know (another schema version, control flow, symbolic shapes) goes to `torch.export.load`.

Format: torch/_export/serde/schema.py of torch 2.12 to 2.15 (schema version 8).
"""

import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inference.manifest import ArtifactError

SCHEMA_MAJOR = 8
Values = dict[str, Any]
Step = tuple[Callable[..., Any], list["str | None"], list[Any], dict[str, Any], dict[str, str], list[str]]

_DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
_PLAIN_ARGUMENTS = {"as_none", "as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string"}


class UnsupportedGraphError(Exception):
    """The archive holds something only torch.export itself can run."""


def load_program(path: Path) -> Callable[[Tensor], Tensor]:
    """The program in `path` as a function of one tensor; raises ArtifactError where there is none."""
    try:
        return GraphProgram(path)
    except UnsupportedGraphError:
        return _load_with_torch_export(path)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{path} is not a torch.export archive ({type(error).__name__}: {error}); train the artifact again"
        ) from error


class GraphProgram:
    """A straight-line graph of aten operators; call it with float32 (N, ...), get float32 (N, classes)."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            root = _root(archive)
            model = json.loads(archive.read(f"{root}models/model.json"))
            if model["schema_version"]["major"] != SCHEMA_MAJOR:
                raise UnsupportedGraphError(f"schema version {model['schema_version']}")
            weights = _read_weights(archive, root)
        graph, signature = model["graph_module"]["graph"], model["graph_module"]["signature"]
        self._constants, self._input = _bind_inputs(signature["input_specs"], weights)
        self._output = _single(signature["output_specs"], "user_output")
        self._steps = [_step(node) for node in graph["nodes"]]

    def __call__(self, x: Tensor) -> Tensor:
        """Scores of the batch `x`."""
        values: Values = dict(self._constants)
        values[self._input] = x
        for operator, slots, arguments, keywords, tensor_keywords, outputs in self._steps:
            positional = [
                argument if slot is None else values[slot] for slot, argument in zip(slots, arguments, strict=True)
            ]
            named = {**keywords, **{key: values[slot] for key, slot in tensor_keywords.items()}}
            result = operator(*positional, **named)
            if len(outputs) == 1:
                values[outputs[0]] = result
            else:
                values.update(zip(outputs, result, strict=True))
        scores: Tensor = values[self._output]
        return scores


def _load_with_torch_export(path: Path) -> Callable[[Tensor], Tensor]:
    program: Callable[[Tensor], Tensor] = torch.export.load(str(path)).module()
    return program


def _root(archive: zipfile.ZipFile) -> str:
    """The archive's single top folder (torch names it after the file), with its slash."""
    roots = {name.split("/", 1)[0] for name in archive.namelist()}
    if len(roots) != 1:
        raise ValueError(f"expected one top folder, found {sorted(roots)[:5]}")
    return f"{roots.pop()}/"


def _read_weights(archive: zipfile.ZipFile, root: str) -> dict[str, Tensor]:
    names = set(archive.namelist())
    if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
        raise UnsupportedGraphError("big-endian weights")
    constants = json.loads(archive.read(f"{root}data/constants/model_constants_config.json"))
    if constants.get("config"):
        raise UnsupportedGraphError("tensor constants")
    table = json.loads(archive.read(f"{root}data/weights/model_weights_config.json"))["config"]
    weights = {}
    for name, entry in table.items():
        if entry["use_pickle"]:
            raise ValueError(f"weight {name!r} is pickled, which is never loaded")
        weights[name] = _tensor(archive.read(f"{root}data/weights/{entry['path_name']}"), entry["tensor_meta"])
    return weights


def _tensor(raw: bytes, meta: dict[str, Any]) -> Tensor:
    """Weights are raw little-endian storage; sizes, strides and offset come from the table beside them."""
    sizes = [size["as_int"] for size in meta["sizes"]]
    strides = [stride["as_int"] for stride in meta["strides"]]
    if meta["dtype"] not in _DTYPES or meta["storage_offset"]["as_int"] != 0:
        raise UnsupportedGraphError(f"weight with dtype {meta['dtype']} at offset {meta['storage_offset']}")
    storage = torch.frombuffer(bytearray(raw), dtype=_DTYPES[meta["dtype"]])
    if storage.numel() != math.prod(sizes):
        raise UnsupportedGraphError("weight that shares its storage")
    return storage.as_strided(sizes, strides)


def _bind_inputs(specs: list[dict[str, Any]], weights: dict[str, Tensor]) -> tuple[Values, str]:
    constants: Values = {}
    for spec in specs:
        if "parameter" in spec:
            constants[spec["parameter"]["arg"]["name"]] = weights[spec["parameter"]["parameter_name"]]
        elif "buffer" in spec:
            constants[spec["buffer"]["arg"]["name"]] = weights[spec["buffer"]["buffer_name"]]
        elif "user_input" not in spec:
            raise UnsupportedGraphError(f"input of kind {sorted(spec)}")
    return constants, _single([spec for spec in specs if "user_input" in spec], "user_input")


def _single(specs: list[dict[str, Any]], kind: str) -> str:
    if len(specs) != 1 or kind not in specs[0]:
        raise ValueError(f"expected one {kind.replace('_', ' ')}, found {[sorted(spec) for spec in specs]}")
    name: str = specs[0][kind]["arg"]["as_tensor"]["name"]
    return name


def _step(node: dict[str, Any]) -> Step:
    positional: list[tuple[str | None, Any]] = []
    keywords: dict[str, Any] = {}
    tensor_keywords: dict[str, str] = {}
    for item in node["inputs"]:
        slot, value = _argument(item["arg"])
        if item["kind"] == 1:
            positional.append((slot, value))
        elif slot is None:
            keywords[item["name"]] = value
        else:
            tensor_keywords[item["name"]] = slot
    outputs = [_output(item) for item in node["outputs"]]
    slots, arguments = [slot for slot, _ in positional], [value for _, value in positional]
    return _operator(node["target"]), slots, arguments, keywords, tensor_keywords, outputs


def _argument(argument: dict[str, Any]) -> tuple[str | None, Any]:
    """(name of the tensor, None) or (None, plain value)."""
    ((kind, value),) = argument.items()
    if kind == "as_tensor":
        return value["name"], None
    if kind not in _PLAIN_ARGUMENTS:
        raise UnsupportedGraphError(f"argument of kind {kind}")
    return None, None if kind == "as_none" else value


def _output(item: dict[str, Any]) -> str:
    if "as_tensor" not in item:
        raise UnsupportedGraphError(f"output of kind {sorted(item)}")
    name: str = item["as_tensor"]["name"]
    return name


def _operator(target: str) -> Callable[..., Any]:
    parts = target.split(".")
    if parts[:3] != ["torch", "ops", "aten"] or len(parts) != 5:
        raise UnsupportedGraphError(f"operator {target}")
    packet = getattr(torch.ops.aten, parts[3], None)
    operator: Callable[..., Any] | None = getattr(packet, parts[4], None)
    if operator is None:
        raise UnsupportedGraphError(f"operator {target} is unknown to torch {torch.__version__}")
    return operator
