"""What this process may really use: CPUs after affinity and cgroup quota, and a heap that keeps its memory."""

import ctypes
import math
import os
import platform
from pathlib import Path

from inference.settings import Settings

CGROUP = Path("/sys/fs/cgroup")
MEMORY_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # of version 2, and 1
CGROUP_CPU_MAX = CGROUP / "cpu.max"
DEVICES = Path("/dev")
NO_LIMIT = 2**62
# PyTorch with a small model was measured at 458 MiB, each further worker at 6 MiB; the rest is for its batches.
FIRST_BYTES, WORKER_BYTES = 512 * 2**20, 128 * 2**20
M_TRIM_THRESHOLD = -1  # malloc.h
M_MMAP_THRESHOLD = -3
MMAP_THRESHOLD_BYTES = 10**9
TRIM_THRESHOLD_BYTES = 2 * 10**9


def cpu_limit(cpu_max: Path = CGROUP_CPU_MAX) -> int:
    """Whole CPUs this process may use: the smaller of its affinity and the cgroup v2 quota, rounded up, at least 1.

    torch counts the host's cores; inside a limited container its threads would then wait for each other.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cpu_max.is_file():
        quota, period = cpu_max.read_text().split()[:2]
        if quota != "max":
            available = min(available, math.ceil(int(quota) / int(period)))
    return max(1, available)


def uses_gpu(settings: Settings) -> bool:
    """Whether the model goes onto a GPU: as set, or where the driver shows one. Asks no library, which could not be
    forked after."""
    return settings.device == "cuda" or (settings.device == "auto" and any(DEVICES.glob("nvidia[0-9]*")))


def workers_for(settings: Settings) -> int:
    """Processes that serve: as set, or one for each CPU as far as the memory reaches.

    Two of one thread beat one of two where both are kept busy. Of many models each is loaded into one process only, and
    one process keeps a GPU busy.
    """
    if settings.multi_model or (uses_gpu(settings) and not settings.workers):
        return 1
    fitting = max(1, (memory_limit() - FIRST_BYTES) // WORKER_BYTES)
    return settings.workers or min(cpu_limit(), fitting)


def memory_limit(cgroup: Path = CGROUP) -> int:
    """Bytes that the cgroup grants; a very large number where it sets no limit."""
    for name in MEMORY_LIMITS:
        if (cgroup / name).is_file():
            text = (cgroup / name).read_text().strip()
            return NO_LIMIT if text == "max" else int(text)
    return NO_LIMIT


def threads_for(settings: Settings) -> int:
    """Threads of the arithmetic in each of them: as set, or the CPUs shared out."""
    return settings.threads or max(1, cpu_limit() // workers_for(settings))


def resident_bytes(pid: int) -> int:
    """Memory of a process, its share of pages that others have too counted by their number (PSS); 0 where unknown."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # the process has ended, or this is no Linux
    return 0


def keep_freed_memory() -> bool:
    """Stop glibc from giving big blocks back to the kernel after every batch (up to 1.65 times the throughput).

    True where the C library is glibc and took the thresholds; elsewhere nothing changes.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    mmap_set = libc.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
    trim_set = libc.mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
    return bool(mmap_set and trim_set)
