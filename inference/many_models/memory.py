"""Whether another model fits into the memory, asked before it is loaded: its files' size against what is free.

Too late is worse than too early here. A container that runs out of memory is killed with all its models; one that
answers 507 is sent an unload of a model that nobody has asked for lately, and then asked again.
"""

import ctypes
import gc
import platform
from dataclasses import dataclass, field
from pathlib import Path

from inference.machine import CGROUP, MEMORY_LIMITS, memory_limit

MIB = 2**20
WEIGHT_FACTOR = 1.5  # the weights, and what a batch needs beside them
BASE_BYTES = 64 * MIB  # code, buffers and threads of any model, however small
MEMINFO = Path("/proc/meminfo")
# (use, statistics, the statistics' word for file pages that the kernel gives back) beside each of MEMORY_LIMITS
_USES = (
    ("memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


class NoMemoryError(Exception):
    """A model does not fit; the message has the numbers."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where the kernel says how much memory is free; other folders in tests."""

    meminfo: Path = MEMINFO
    cgroup: Path = CGROUP

    def free_bytes(self) -> int:
        """What this process may still take: the machine's available memory, or what the cgroup leaves where that is
        less. 0 where the kernel says nothing.
        """
        return max(0, min([_available(self.meminfo), *self._left_in_cgroup()]))

    def _left_in_cgroup(self) -> list[int]:
        for limit, (use, statistics, reclaimable) in zip(MEMORY_LIMITS, _USES, strict=True):
            files = [self.cgroup / name for name in (limit, use, statistics)]
            if all(file.is_file() for file in files):
                used = int(files[1].read_text()) - _number(files[2], reclaimable)
                return [memory_limit(self.cgroup) - used]
        return []


@dataclass(kw_only=True)
class MemoryBudget:
    """Memory for models, in bytes: `limit_bytes` for all of them together, or None for what is free on the machine."""

    limit_bytes: int | None = None
    machine: Machine = field(default_factory=Machine)
    _loading: dict[str, int] = field(default_factory=dict, init=False)
    _loaded: dict[str, int] = field(default_factory=dict, init=False)

    def take(self, name: str, folder: Path) -> None:
        """Set memory aside for the model in `folder`, which is to be loaded; raises NoMemoryError."""
        needed = estimate(folder)
        free = self._free()
        if needed > free:
            raise NoMemoryError(
                f"the model {name!r} needs about {needed // MIB} MiB, {max(0, free) // MIB} MiB are free; "
                "unload another model first"
            )
        self._loading[name] = needed

    def settle(self, name: str) -> None:
        """The model is loaded: from now on the kernel counts it."""
        self._loaded[name] = self._loading.pop(name)

    def give_back(self, name: str) -> None:
        """The model is unloaded, or could not be loaded."""
        self._loading.pop(name, None)
        self._loaded.pop(name, None)

    def _free(self) -> int:
        loading = sum(self._loading.values())
        if self.limit_bytes is not None:
            return self.limit_bytes - loading - sum(self._loaded.values())
        return self.machine.free_bytes() - loading


def estimate(folder: Path) -> int:
    """Bytes of memory that the model in `folder` will need, from the size of its files."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return int(size * WEIGHT_FACTOR) + BASE_BYTES


def release() -> None:
    """Give the kernel what an unloaded model has left behind.

    Its parts refer to each other, and inference.machine.keep_freed_memory makes the heap keep what it has.
    """
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _available(meminfo: Path) -> int:
    return _number(meminfo, "MemAvailable:") * 1024


def _number(file: Path, word: str) -> int:
    """The number after `word` at the beginning of a line; 0 where there is none."""
    for line in file.read_text().splitlines():
        parts = line.split()
        if parts[0] == word:
            return int(parts[1])
    return 0
