"""The processes of one job: which one this is, and the few things they say to each other.

The environment is torchrun's (RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT), whoever set
it: `training.launcher`, `torchrun -m training`, or nobody, and then this process is alone and torch.distributed is
never imported.
"""

import datetime
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

# A host may wait so long for another one to finish its checkpoint or its report.
TIMEOUT = datetime.timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Processes:
    """This process among the `count` of the job; `local_count` run on this host."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_main(self) -> bool:
        """Whether this process logs, evaluates, exports and writes."""
        return self.rank == 0

    def any(self, value: bool) -> bool:
        """Whether `value` is true in any process; all get the same answer."""
        return bool(self._reduced(int(value), "MAX")) if self.count > 1 else value

    def least(self, value: int) -> int:
        """The smallest `value` of all processes."""
        return self._reduced(value, "MIN") if self.count > 1 else value

    def total(self, value: Tensor) -> Tensor:
        """The sum of a tensor over all processes, in place."""
        if self.count > 1:
            import torch.distributed as dist

            dist.all_reduce(value)
        return value

    def share(self, value: Any) -> Any:
        """The main process's `value` (picklable), in every process."""
        if self.count == 1:
            return value
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        """Every process's `value` (picklable), by rank, in every process."""
        if self.count == 1:
            return [value]
        import torch.distributed as dist

        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value)
        return found

    def _reduced(self, value: int, operation: str) -> int:
        import torch.distributed as dist

        box = torch.tensor(value, device=self.device)
        dist.all_reduce(box, getattr(dist.ReduceOp, operation))
        return int(box)


def is_main(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this will be the main process, before it has met the others."""
    return environ.get("RANK", "0") == "0"


def join(environ: Mapping[str, str] = os.environ) -> Processes:
    """Take this process's place among the others; returns once all have come."""
    local_rank = int(environ.get("LOCAL_RANK", 0))
    device = torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    count = int(environ.get("WORLD_SIZE", 1))
    if count > 1:
        import torch.distributed as dist

        on_gpu = device.type == "cuda"
        # gloo beside NCCL carries the small objects of `share` and `gather` without touching the GPU.
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=TIMEOUT, device_id=device if on_gpu else None
        )
    return Processes(
        rank=int(environ.get("RANK", 0)),
        count=count,
        local_rank=local_rank,
        local_count=int(environ.get("LOCAL_WORLD_SIZE", 1)),
        device=device,
    )


def leave(processes: Processes) -> None:
    """Say goodbye, so that nobody takes this process's end for a crash."""
    if processes.count > 1:
        import torch.distributed as dist

        dist.destroy_process_group()
