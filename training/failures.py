"""The first line of /opt/ml/output/failure: what went wrong and which knob to turn.

SageMaker shows a user this line and little else, so what torch and the kernel say in their own words is translated.
"""

import errno
import re

from training.errors import GateError

MEMORY_KNOBS = (
    "lower batch_size, raise accumulate (the same batch in smaller parts), set precision=bf16, spread the weights with "
    "distributed=fsdp over several GPUs, or take an instance with more memory"
)
_MEMORY = re.compile(r"out of memory|can't allocate memory|DefaultCPUAllocator|Cannot allocate memory", re.IGNORECASE)
_PEER = re.compile(
    r"Connection (closed|reset) by peer|Connection refused|Read error|Broken pipe|NCCL error|remote process exited"
    r"|Timed out waiting|wait timeout|Socket Timeout|recvValue failed",
    re.IGNORECASE,
)


def cause(error: BaseException) -> str:
    """One line: the error's own words, and what to do where they do not say so."""
    text = str(error).strip() or "no message"
    first = text.splitlines()[0]
    if isinstance(error, GateError):
        return text
    name = type(error).__name__
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _MEMORY.search(text)):
        return f"out of memory ({name}: {first[:200]}); {MEMORY_KNOBS}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the disk is full ({error}); give the instance a larger volume (volume_gb)"
    if isinstance(error, RuntimeError) and _PEER.search(text):
        return f"another process of this job ended or cannot be reached ({first[:200]}); its own log says why"
    return f"{name}: {text}"
