"""What is inside a torch.export archive (*.pt2): the graph as JSON, and weights as raw storage. No pickle is read.

    <root>/models/model.json                           the graph and which input is which weight
    <root>/data/weights/model_weights_config.json      name -> file, dtype, sizes, strides
    <root>/data/constants/model_constants_config.json  the same for tensors that are no parameters
    <root>/data/sample_inputs/model.pt                 a pickle, which is left alone

Format: torch/export/pt2_archive/_package.py and torch/_export/serde/schema.py of torch 2.12 to 2.15 (schema version 8).
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SCHEMA_MAJOR = 8
MODEL = "models/model.json"
TABLES = {
    "data/weights/": "data/weights/model_weights_config.json",
    "data/constants/": "data/constants/model_constants_config.json",
}
DTYPES = {
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
_TENSOR_FILES = ("weight_", "tensor_")  # constants may also be pickled objects: custom_obj_*, opaque_obj_*


class UnsupportedGraphError(Exception):
    """The archive holds something only torch.export itself can run."""


class Archive:
    """An open archive; `model` is its decoded model.json. Raises many types where the file is no such archive."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        names = self._zip.namelist()
        roots = {name.split("/", 1)[0] for name in names}
        if len(roots) != 1:
            raise ValueError(f"expected one top folder, found {sorted(roots)[:5]}")
        self._root = f"{roots.pop()}/"
        self.names = [name.removeprefix(self._root) for name in names]
        self.model: dict[str, Any] = json.loads(self.read(MODEL))
        self.tables = {folder: self._table(name) for folder, name in TABLES.items()}

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *details: object) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """The content of a file, named without the root."""
        return self._zip.read(self._root + name)

    def tensors(self) -> dict[str, Tensor]:
        """Every weight and constant by its name; those that share a file share memory."""
        if "byteorder" in self.names and self.read("byteorder") != b"little":
            raise UnsupportedGraphError("big-endian weights")
        storages: dict[tuple[str, int], Tensor] = {}
        tensors = {}
        for folder, table in self.tables.items():
            for name, entry in table.items():
                key = folder + entry["path_name"], entry["tensor_meta"]["dtype"]
                if key not in storages:
                    storages[key] = self._storage(*key)
                tensors[name] = _view(storages[key], entry)
        return tensors

    def _table(self, name: str) -> dict[str, Any]:
        """A table of tensors. ValueError where one is a pickle, which may run any code when it is read."""
        table: dict[str, Any] = json.loads(self.read(name))["config"]
        for tensor, entry in table.items():
            if entry["use_pickle"] or not entry["path_name"].startswith(_TENSOR_FILES):
                raise ValueError(f"tensor {tensor!r} is pickled, which is never loaded")
        return table

    def _storage(self, name: str, dtype: int) -> Tensor:
        if dtype not in DTYPES:
            raise UnsupportedGraphError(f"weight with dtype {dtype}")
        content = self.read(name)
        if not content:
            return torch.empty(0, dtype=DTYPES[dtype])
        return torch.frombuffer(bytearray(content), dtype=DTYPES[dtype]).clone()  # aligned to 64 bytes, as torch's own


def _view(storage: Tensor, entry: dict[str, Any]) -> Tensor:
    """The tensor that `entry` describes; as_strided itself refuses sizes beyond the storage.

    A parameter stays one that wants a gradient, although nobody takes it: matmul and the recurrent layers choose by
    that among orders of addition, and the answers are to be torch.export's own, bit by bit.
    """
    meta = entry["tensor_meta"]
    sizes = [size["as_int"] for size in meta["sizes"]]
    strides = [stride["as_int"] for stride in meta["strides"]]
    tensor = storage.as_strided(sizes, strides, meta["storage_offset"]["as_int"])
    return torch.nn.Parameter(tensor, requires_grad=meta["requires_grad"]) if entry["is_param"] else tensor
