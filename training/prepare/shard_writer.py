"""Shards on disk, each row written to its place as it comes, in whatever order that is.

So a data set of any size is shuffled without being held: what is open is a few files, and the system writes them out.
"""

import dataclasses
import hashlib
import json
import math
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.channel import SHARD_SUFFIX
from training.data.manifest import FORMAT_VERSION, Description
from training.data.shards import Layout, Shard

MIB = 2**20
MAX_OPEN_FILES = 128  # a process may have 1024; more shards than this are opened again when a row comes for them
HASH_UNKNOWN = "0" * 64  # keeps the place in a header until the rows are there


@dataclass(frozen=True, kw_only=True)
class _File:
    """One shard while it is written."""

    part: str
    name: str
    start: int
    """Place in the part of its first row."""
    layout: Layout
    header_bytes: int

    @property
    def inputs_at(self) -> int:
        """Offset of the first input in the file."""
        return self.header_bytes + self.layout.rows * self.layout.target_bytes


class ShardWriter:
    """A Sink for the parts whose `targets` are given, in shards of about `shard_mb` MiB in a new `folder`."""

    def __init__(
        self, folder: Path, described: Description, dtype: str, targets: Mapping[str, NDArray[Any]], shard_mb: int
    ) -> None:
        self._folder = folder
        self._described = described
        self._descriptors: OrderedDict[str, int] = OrderedDict()
        self._files = {part: self._create(part, values, dtype, shard_mb) for part, values in targets.items()}

    def put(self, part: str, places: NDArray[np.int64], inputs: NDArray[Any]) -> None:
        """As Sink says."""
        files = self._files[part]
        starts = [file.start for file in files]
        for place, row in zip(places.tolist(), inputs, strict=True):
            file = files[bisect_right(starts, place) - 1]
            offset = file.inputs_at + (place - file.start) * file.layout.input_bytes
            _write(self._descriptor(file.name), row.tobytes(), offset)

    def finish(self) -> tuple[str, dict[str, tuple[Shard, ...]]]:
        """Write the hashes into the headers; returns the data set's id and the shards of each part."""
        self.close()
        files = [file for files in self._files.values() for file in files]
        hashes = {file.name: _sha256(self._folder / file.name, file.header_bytes) for file in files}
        content = json.dumps([dataclasses.asdict(self._described), hashes], sort_keys=True)
        identity = hashlib.sha256(content.encode()).hexdigest()
        for file in files:
            with (self._folder / file.name).open("r+b") as stream:
                stream.write(self._header(file.part, file.layout, identity, hashes[file.name]))
        return identity, {part: tuple(map(self._shard, files)) for part, files in self._files.items()}

    def close(self) -> None:
        """Close the files that are open."""
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])

    def _create(self, part: str, targets: NDArray[Any], dtype: str, shard_mb: int) -> list[_File]:
        """Files of full size, with everything but the inputs."""
        (self._folder / part).mkdir()
        whole = Layout(rows=len(targets), shape=self._described.input.shape, inputs=dtype, targets=targets.dtype.name)
        count = max(1, math.ceil(whole.payload_bytes / (shard_mb * MIB)))
        bounds = [whole.rows * piece // count for piece in range(count + 1)]
        files = []
        for number, (start, end) in enumerate(pairwise(bounds)):
            layout = dataclasses.replace(whole, rows=end - start)
            header = self._header(part, layout, HASH_UNKNOWN, HASH_UNKNOWN)
            name = f"{part}/{number:05}{SHARD_SUFFIX}"
            with (self._folder / name).open("wb") as stream:
                stream.write(header + targets[start:end].tobytes())
                stream.truncate(len(header) + layout.payload_bytes)
            files.append(_File(part=part, name=name, start=start, layout=layout, header_bytes=len(header)))
        return files

    def _header(self, part: str, layout: Layout, identity: str, payload_sha256: str) -> bytes:
        metadata = {
            "format_version": FORMAT_VERSION,
            "id": identity,
            "part": part,
            "payload_sha256": payload_sha256,
            "description": dataclasses.asdict(self._described),
        }
        return layout.header(metadata)

    def _descriptor(self, name: str) -> int:
        """Of the open file; the one that was not used for longest is closed for it where there are too many."""
        if name in self._descriptors:
            self._descriptors.move_to_end(name)
        else:
            if len(self._descriptors) >= MAX_OPEN_FILES:
                os.close(self._descriptors.popitem(last=False)[1])
            self._descriptors[name] = os.open(self._folder / name, os.O_WRONLY)
        return self._descriptors[name]

    def _shard(self, file: _File) -> Shard:
        path = self._folder / file.name
        return Shard(file=file.name, rows=file.layout.rows, size_bytes=path.stat().st_size, sha256=_sha256(path, 0))


def _write(descriptor: int, data: bytes, offset: int) -> None:
    """All of `data`: a full disk may take a part of it before it refuses the rest."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _sha256(path: Path, start: int) -> str:
    with path.open("rb") as stream:
        stream.seek(start)
        return hashlib.file_digest(stream, "sha256").hexdigest()
