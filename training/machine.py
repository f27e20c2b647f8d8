"""What the machine is told before the first tensor: heap thresholds and threads.

glibc gives freed blocks of 128 KiB and more back to the kernel and takes them again at the next step; the page faults
cost 1.4 to 1.7 times the step time of small convolutional and recurrent models. Keeping them costs no peak memory.
"""

import ctypes
import os
import platform
from pathlib import Path

import torch

M_TRIM_THRESHOLD = -1  # malloc.h
M_MMAP_THRESHOLD = -3
MMAP_THRESHOLD_BYTES = 10**9
TRIM_THRESHOLD_BYTES = 2 * 10**9
CPU_BF16_FLAGS = {"avx512_bf16", "amx_bf16"}  # /proc/cpuinfo
BF16_COMPUTE_CAPABILITY = (8, 0)  # Ampere; older ones emulate it, slower than fp32


def raise_malloc_thresholds() -> bool:
    """Keep freed memory in the process; True where the C library is glibc and accepted it."""
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    mmap_set = libc.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
    trim_set = libc.mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
    return bool(mmap_set and trim_set)


def training_threads(processes: int = 1) -> int:
    """Threads for the loop of each of `processes` on this machine: one core is left to the helpers.

    A second OpenMP thread beside a busy neighbour makes a step two to three times slower, not faster.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, (cores - 1) // processes)


def precision(wanted: str, device: torch.device) -> str:
    """What `auto` means on this device: bf16 where the hardware multiplies it, fp16 on older GPUs, else fp32."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= BF16_COMPUTE_CAPABILITY else "fp16"
    return "bf16" if CPU_BF16_FLAGS & _cpu_flags() else "fp32"


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.split())
