"""AdamW and SGD as state and functions, over plain tensors.

`torch.optim.AdamW(...)` imports the compiler stack in its constructor: a second, a third of a short job. The functional
forms of torch.optim run the same fused kernels without it, and without its bookkeeping (30 us a step). Both updates are
elementwise, so of sharded parameters (FSDP's DTensors) each process simply updates its own part.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from training.options import OptimizerOptions

BETA2 = 0.999
EPSILON = 1e-8


class Optimizer(Protocol):
    """What the loop, the loss scaler and the checkpoint need."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """As torch.amp.GradScaler reads them."""
        ...

    def step(self, learning_rate: float, beta1: float) -> None:
        """One update from the parameters' gradients."""

    def state(self) -> dict[str, list[Tensor]]:
        """Tensors to keep in a checkpoint (not copies), each list in the parameters' order."""


def create(parameters: list[Tensor], options: OptimizerOptions) -> Optimizer:
    """The optimizer that the options name, with fresh state on each parameter's device."""
    return (SGD if options.optimizer == "sgd" else AdamW).create(parameters, options)


def restore(optimizer: Optimizer, state: dict[str, list[Tensor]]) -> None:
    """Take over what `state` returned."""
    for name, mine in optimizer.state().items():
        for target, source in zip(mine, state[name], strict=True):
            target.copy_(source)


def local(tensors: list[Tensor]) -> list[Tensor]:
    """This process's part of each; the tensors themselves where they are not sharded."""
    return [tensor.to_local() if hasattr(tensor, "to_local") else tensor for tensor in tensors]


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """Moments and step counts of every parameter. Loshchilov and Hutter, arXiv 1711.05101."""

    param_groups: list[dict[str, Any]]
    first: list[Tensor]
    second: list[Tensor]
    steps: list[Tensor]
    weight_decay: float

    @classmethod
    def create(cls, parameters: list[Tensor], options: OptimizerOptions) -> "AdamW":
        """Moments of zero."""
        return cls(
            param_groups=[{"params": parameters}],
            first=[torch.zeros_like(p) for p in parameters],
            second=[torch.zeros_like(p) for p in parameters],
            steps=[torch.zeros((), device=p.device) for p in parameters],
            weight_decay=options.weight_decay,
        )

    def step(self, learning_rate: float, beta1: float) -> None:
        """One update of the parameters that have a gradient."""
        parameters = self.param_groups[0]["params"]
        with torch.no_grad():
            adamw(
                local(parameters),
                local([p.grad for p in parameters]),
                local(self.first),
                local(self.second),
                [],
                self.steps,
                fused=True,
                amsgrad=False,
                beta1=beta1,
                beta2=BETA2,
                lr=learning_rate,
                weight_decay=self.weight_decay,
                eps=EPSILON,
                maximize=False,
            )

    def state(self) -> dict[str, list[Tensor]]:
        """Moments and step counts."""
        return {"first": self.first, "second": self.second, "steps": self.steps}


@dataclass(frozen=True, kw_only=True)
class SGD:
    """Velocities of every parameter; Nesterov momentum."""

    param_groups: list[dict[str, Any]]
    velocity: list[Tensor]
    momentum: float
    weight_decay: float

    @classmethod
    def create(cls, parameters: list[Tensor], options: OptimizerOptions) -> "SGD":
        """Velocities of zero, which is what the first step would find them to be."""
        return cls(
            param_groups=[{"params": parameters}],
            velocity=[torch.zeros_like(p) for p in parameters],
            momentum=options.momentum,
            weight_decay=options.weight_decay,
        )

    def step(self, learning_rate: float, beta1: float) -> None:
        """One update; `beta1` is AdamW's and not used."""
        parameters = self.param_groups[0]["params"]
        with torch.no_grad():
            sgd(
                local(parameters),
                local([p.grad for p in parameters]),
                local(self.velocity),
                foreach=True,
                weight_decay=self.weight_decay,
                momentum=self.momentum,
                lr=learning_rate,
                dampening=0.0,
                nesterov=self.momentum > 0,
                maximize=False,
            )

    def state(self) -> dict[str, list[Tensor]]:
        """The velocities."""
        return {"velocity": self.velocity}
