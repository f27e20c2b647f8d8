"""The machine a table was made on, and what other processes did to it meanwhile (Linux; elsewhere the load is unknown).

A busy neighbour makes a step of two threads three times slower, so every segment says how much of a core others took.
"""

import math
import os
import platform
import time
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import torch

STAT, CPUINFO = Path("/proc/stat"), Path("/proc/cpuinfo")
BUSY_FIELDS = (0, 1, 2, 5, 6, 7)  # proc(5): user, nice, system, irq, softirq, steal
QUIET_CORES = 0.15  # of other processes, during a segment that counts


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def headline() -> str:
    """Date, processor, cores, memory and versions, in one line."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{date.today()}, {cores()} cores ({_processor()}), {memory_gib:.0f} GiB, Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )


def _processor() -> str:
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


class Reading(NamedTuple):
    """CPU seconds that other processes have used until the moment `at`."""

    others: float
    at: float


class Load:
    """Watches everything on the machine but this process and `pids`."""

    def __init__(self, pids: Iterable[int] = ()) -> None:
        self._own = (os.getpid(), *pids)

    def read(self) -> Reading:
        """A reading, to 0.01 s of CPU time; its moment is that of the return."""
        if not STAT.exists():
            return Reading(math.nan, time.perf_counter())
        ticks = os.sysconf("SC_CLK_TCK")
        values = [int(value) for value in STAT.read_text().split(maxsplit=11)[1:10]]
        busy = sum(values[field] for field in BUSY_FIELDS)
        return Reading((busy - sum(map(_used, self._own))) / ticks, time.perf_counter())

    def cores_since(self, before: Reading) -> float:
        """Cores that others kept busy on average since `before`; NaN where that is unknown."""
        now = self.read()
        return max(0.0, now.others - before.others) / max(1e-9, now.at - before.at)


def _used(pid: int) -> int:
    """Clock ticks of all threads of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
