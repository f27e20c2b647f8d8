"""How much memory a server holds, and whether a serverless variant's MemorySizeInMB has room for it.

AWS ends a container that takes more than its memory. Here it is looked at once, when the server answers /ping.
"""

from pathlib import Path

from localaws.sagemaker.instance import Instance, NotHealthyError

MB_BYTES = 1024 * 1024
_HELD = ("Pss_Anon:", "Pss_Shmem:")  # what the kernel cannot take back; shared pages are counted once
TOO_LARGE = (
    "The primary container for production variant {variant} did not pass the ping health check: it holds {used} MB, "
    "more than its MemorySizeInMB of {limit}. Please check CloudWatch logs for this endpoint."
)

DIFFERENCES = (
    (
        "MemorySizeInMB of a serverless variant",
        "a server that holds more when it first answers /ping is not healthy; what it takes later is not limited, nor "
        "its share of the processors",
    ),
)


def check(item: Instance, limit_mb: int) -> None:
    """Refuse a server that has come up in more memory than it may have. Raises NotHealthyError."""
    used = used_bytes(item.process.pid) if item.process is not None else None
    if used is not None and used > limit_mb * MB_BYTES:
        text = TOO_LARGE.format(variant=item.server.variant, used=used // MB_BYTES, limit=limit_mb)
        raise NotHealthyError(text)


def used_bytes(pid: int) -> int | None:
    """Of a process and of all that it has started; None where the kernel does not tell (it ended, or no Linux)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    own = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_HELD))
    return own + sum(used_bytes(int(child)) or 0 for child in children)
