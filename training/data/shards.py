"""A shard: some rows of a prepared data set in one safetensors file, with tensors `targets` (n,) and `inputs` (n, ...).

    safetensors.numpy.load_file("train/00000.safetensors")

The format is written and read here, not by the library, for two things that it does not offer: rows are written each
at its own place, in any order, so that preparing needs no memory; and a file is read without a second copy of it.
Format: https://huggingface.co/docs/safetensors (eight bytes of header length, the header as JSON, the tensors' bytes).
"""

import hashlib
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

METADATA_KEY = "slipway"  # one key: the library does not keep the order of several
DTYPES = {"uint8": "U8", "int32": "I32", "int64": "I64", "float32": "F32"}
_NAMES = {code: name for name, code in DTYPES.items()}
LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000  # safetensors' own limit
AGAIN = "copy the data set again, or prepare it again"

assert sys.byteorder == "little", "safetensors is little-endian, and rows are written as numpy holds them"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the rows of one shard lie in its file."""

    rows: int
    shape: tuple[int, ...]
    """Of one input."""
    inputs: str
    targets: str
    """numpy's names of the dtypes."""

    @property
    def input_bytes(self) -> int:
        """Of one row."""
        return math.prod(self.shape) * np.dtype(self.inputs).itemsize

    @property
    def target_bytes(self) -> int:
        """Of one row."""
        return np.dtype(self.targets).itemsize

    @property
    def payload_bytes(self) -> int:
        """Of all tensors; the targets come first, so that every tensor is aligned to its dtype."""
        return self.rows * (self.input_bytes + self.target_bytes)

    def header(self, metadata: dict[str, Any]) -> bytes:
        """What comes before the tensors, padded to a multiple of eight bytes."""
        end = self.rows * self.target_bytes
        document = {
            "__metadata__": {METADATA_KEY: json.dumps(metadata, sort_keys=True)},
            "targets": {"dtype": DTYPES[self.targets], "shape": [self.rows], "data_offsets": [0, end]},
            "inputs": {
                "dtype": DTYPES[self.inputs],
                "shape": [self.rows, *self.shape],
                "data_offsets": [end, self.payload_bytes],
            },
        }
        text = json.dumps(document, separators=(",", ":")).encode()
        text += b" " * (-len(text) % LENGTH_BYTES)
        return len(text).to_bytes(LENGTH_BYTES, "little") + text


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One shard as a data set's reader knows it."""

    file: str
    """Relative to the data set's folder."""
    rows: int
    size_bytes: int
    sha256: str
    whole_file: bool = True
    """False: sha256 is of the tensors only, from the shard's own header (a host that holds no dataset.json)."""


def read_header(path: Path) -> dict[str, Any]:
    """The metadata that the shard was written with, and `rows`; reads the header only. Raises DataError."""
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
            document = json.loads(stream.read(min(length, MAX_HEADER_BYTES)))
        metadata = json.loads(document["__metadata__"][METADATA_KEY])
        return {**metadata, "rows": int(document["targets"]["shape"][0])}
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(_no_shard(path, error)) from error


def read_rows(folder: Path, shard: Shard, *, check: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """(inputs, targets), in one sequential read of the file, as views of one writable buffer.

    Raises DataError that names the file where it cannot be read or, with `check`, has another hash than it should.
    """
    path = folder / shard.file
    try:
        data = np.fromfile(path, np.uint8)
        start = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES].tobytes(), "little")
        if check:
            _check(path, data if shard.whole_file else data[start:], shard.sha256)
        header = json.loads(data[LENGTH_BYTES:start].tobytes())
        inputs, targets = (_tensor(data[start:], header[name]) for name in ("inputs", "targets"))
        if not len(inputs) == len(targets) == shard.rows:
            raise ValueError(f"{len(targets)} rows, expected {shard.rows}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(_no_shard(path, error)) from error
    return inputs, targets


def _check(path: Path, data: NDArray[np.uint8], sha256: str) -> None:
    found = hashlib.sha256(data.data).hexdigest()
    if found != sha256:
        raise DataError(f"{path} has sha256 {found}, expected {sha256}: it was changed or cut short; {AGAIN}")


def _tensor(payload: NDArray[np.uint8], record: dict[str, Any]) -> NDArray[Any]:
    start, end = record["data_offsets"]
    shape: Sequence[int] = record["shape"]
    return payload[start:end].view(_NAMES[record["dtype"]]).reshape(shape)


def _no_shard(path: Path, error: Exception) -> str:
    return f"{path} is no shard that `python -m training.prepare` wrote ({error!r:.200}); {AGAIN}"
