"""The learning rate (and beta1) of each step, as pure functions of the step: a checkpoint needs no state for them."""

import math
from dataclasses import dataclass

from training.options import OptimizerOptions

START_DIVISOR = 25.0
END_DIVISOR = 1e4
BETA1_HIGH, BETA1_LOW = 0.95, 0.85  # one_cycle moves beta1 against the learning rate
BETA1 = 0.9


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """`at(step)` for 0 <= step < `steps`."""

    kind: str
    peak: float
    steps: int
    warmup_fraction: float

    @classmethod
    def of(cls, options: OptimizerOptions, steps: int) -> "Schedule":
        """The schedule of a run of `steps` updates."""
        return cls(
            kind=options.schedule,
            peak=options.learning_rate,
            steps=steps,
            warmup_fraction=options.warmup_fraction,
        )

    def at(self, step: int) -> tuple[float, float]:
        """(learning rate, beta1) of update `step`."""
        if self.kind == "one_cycle":
            return one_cycle(step, self.steps, self.peak, self.warmup_fraction)
        warmup = round(self.warmup_fraction * self.steps)
        if step < warmup:
            return self.peak * (step + 1) / warmup, BETA1
        share = (step - warmup) / max(1, self.steps - warmup)  # 0 at the peak, just under 1 at the last update
        left = {"constant": 1.0, "linear": 1.0 - share, "cosine": 0.5 * (1.0 + math.cos(math.pi * share))}
        return self.peak * left[self.kind], BETA1


def one_cycle(step: int, total_steps: int, peak: float, warmup_fraction: float = 0.3) -> tuple[float, float]:
    """(learning rate, beta1) of step 0 <= `step` < `total_steps`.

    Smith and Topin, "Super-Convergence" (arXiv 1708.07120), in the form and with the constants of
    torch.optim.lr_scheduler.OneCycleLR: cosine from peak/25 up to peak, then down to peak/250000; beta1 the other way.
    """
    start, end = peak / START_DIVISOR, peak / START_DIVISOR / END_DIVISOR
    turn = warmup_fraction * total_steps - 1
    if step <= turn:
        share = step / turn if turn > 0 else 1.0
        return _cosine(start, peak, share), _cosine(BETA1_HIGH, BETA1_LOW, share)
    share = (step - turn) / max(1e-9, total_steps - 1 - turn)
    return _cosine(peak, end, share), _cosine(BETA1_LOW, BETA1_HIGH, share)


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) / 2 * (1 + math.cos(math.pi * share))
