"""One model on several processes: DDP (each has all weights) or FSDP2 (each has a share of them).

DDP is for models that fit on one GPU. FSDP2 shards parameters, gradients and optimizer state; a block's weights are
gathered just before it runs. Batch norm counts each process's own examples, in both, as PyTorch's default is.
"""

from typing import Any

import torch
from torch import Tensor, nn

from training.processes import Processes

BLOCK_PARAMETERS = 100_000  # a smaller block is gathered with its parent: a message costs more than its bytes


def distribute(model: nn.Module, kind: str, processes: Processes) -> nn.Module:
    """What to call for the forward pass; with fsdp the parameters of `model` itself become shards (DTensors)."""
    if processes.count == 1:
        return model
    if kind == "fsdp":
        return _shard(model, processes)
    from torch.nn.parallel import DistributedDataParallel

    return DistributedDataParallel(
        model,
        device_ids=[processes.device] if processes.device.type == "cuda" else None,
        gradient_as_bucket_view=True,  # no second copy of the gradients
    )


def full_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same state_dict with whole tensors; where they are sharded, every process has to call this."""
    return {name: value.full_tensor() if hasattr(value, "full_tensor") else value for name, value in weights.items()}


def _shard(model: nn.Module, processes: Processes) -> nn.Module:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(processes.device.type, (processes.count,))
    for block in _blocks(model):
        fully_shard(block, mesh=mesh)
    sharded: Any = fully_shard(model, mesh=mesh)
    assert isinstance(sharded, nn.Module)
    return sharded


def _blocks(model: nn.Module) -> list[nn.Module]:
    """The model's children that are worth a gathering of their own."""
    return [child for child in model.children() if sum(p.numel() for p in child.parameters()) >= BLOCK_PARAMETERS]


def compiled(model: nn.Module, wanted: bool) -> nn.Module:
    """`torch.compile` where it was asked for; its first step takes seconds to a minute."""
    if not wanted:
        return model
    result: nn.Module = torch.compile(model)
    return result
