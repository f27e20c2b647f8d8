"""AdamW and the one-cycle schedule, as state and functions.

`torch.optim.AdamW(...)` imports the compiler stack in its constructor: a second, a third of a short job. The functional
form `torch.optim.adamw.adamw` runs the same fused kernel without it. The schedule is a pure function of the step, so
a checkpoint needs no state for it.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adamw import adamw

BETA2 = 0.999
EPSILON = 1e-8
WARMUP_FRACTION = 0.3
START_DIVISOR = 25.0
END_DIVISOR = 1e4
BETA1_HIGH, BETA1_LOW = 0.95, 0.85


def one_cycle(step: int, total_steps: int, peak: float) -> tuple[float, float]:
    """(learning rate, beta1) of step 0 <= `step` < `total_steps`.

    Smith and Topin, "Super-Convergence" (arXiv 1708.07120), in the form and with the constants of
    torch.optim.lr_scheduler.OneCycleLR: cosine from peak/25 up to peak, then down to peak/250000; beta1 the other way.
    """
    start, end = peak / START_DIVISOR, peak / START_DIVISOR / END_DIVISOR
    turn = WARMUP_FRACTION * total_steps - 1
    if step <= turn:
        share = step / turn if turn > 0 else 1.0
        return _cosine(start, peak, share), _cosine(BETA1_HIGH, BETA1_LOW, share)
    share = (step - turn) / (total_steps - 1 - turn)
    return _cosine(peak, end, share), _cosine(BETA1_LOW, BETA1_HIGH, share)


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) / 2 * (1 + math.cos(math.pi * share))


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """Moments and step counts of every parameter; updated in place by `step`."""

    parameters: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    steps: list[Tensor]
    weight_decay: float

    @classmethod
    def create(cls, parameters: list[Tensor], weight_decay: float) -> "AdamW":
        """Fresh state, on each parameter's device."""
        return cls(
            parameters=parameters,
            first=[torch.zeros_like(p) for p in parameters],
            second=[torch.zeros_like(p) for p in parameters],
            steps=[torch.zeros((), device=p.device) for p in parameters],
            weight_decay=weight_decay,
        )

    def step(self, gradients: list[Tensor], learning_rate: float, beta1: float) -> None:
        """One update of the parameters from `gradients`, which come in the parameters' order."""
        with torch.no_grad():
            adamw(
                self.parameters,
                gradients,
                self.first,
                self.second,
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
        """Tensors to keep in a checkpoint (not copies)."""
        return {"first": self.first, "second": self.second, "steps": self.steps}

    def restore(self, state: dict[str, list[Tensor]]) -> None:
        """Take over what `state` returned."""
        for name, mine in self.state().items():
            for target, source in zip(mine, state[name], strict=True):
                target.copy_(source)
