"""What the machine is told before the first tensor: heap thresholds and threads.

glibc gives freed blocks of 128 KiB and more back to the kernel and takes them again at the next step; the page faults
cost 1.4 to 1.7 times the step time of small convolutional and recurrent models. Keeping them costs no peak memory.
"""

import ctypes
import os
import platform

M_TRIM_THRESHOLD = -1  # malloc.h
M_MMAP_THRESHOLD = -3
MMAP_THRESHOLD_BYTES = 10**9
TRIM_THRESHOLD_BYTES = 2 * 10**9


def raise_malloc_thresholds() -> bool:
    """Keep freed memory in the process; True where the C library is glibc and accepted it."""
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    mmap_set = libc.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
    trim_set = libc.mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
    return bool(mmap_set and trim_set)


def training_threads() -> int:
    """Threads for the loop: one core is left to the exporter, which works at the same time.

    A second OpenMP thread beside a busy neighbour makes a step two to three times slower, not faster.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)
