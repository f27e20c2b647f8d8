"""Everything that changes while training, and its two forms in a checkpoint: snapshot and restore."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from training import optimizer as optimizers
from training.config import TrainingConfig
from training.optimizer import Optimizer


@dataclass(kw_only=True)
class Best:
    """The best validation so far, for early stopping; `weights` are those it was reached with."""

    value: float = -math.inf  # higher is better
    epoch: int = 0
    weights: dict[str, Tensor] | None = None


@dataclass(kw_only=True)
class TrainState:
    """`model` is the plain module, `step` the number of updates made, `averaged` the moving average of the weights."""

    model: nn.Module
    parameters: list[Tensor]
    optimizer: Optimizer
    live: list[Tensor]  # what is averaged: parameters and running statistics, in the order of the state_dict
    averaged: list[Tensor] | None
    scaler: "torch.amp.GradScaler | None"
    best: Best = field(default_factory=Best)
    history: list[dict[str, float]] = field(default_factory=list)
    step: int = 0
    finished: bool = False  # stopped early: nothing is left to train

    @classmethod
    def create(cls, model: nn.Module, config: TrainingConfig, precision: str) -> "TrainState":
        """The state before the first step; `precision` is fp32, bf16 or fp16."""
        parameters = [p for p in model.parameters() if p.requires_grad]
        live = floating(model)
        device = parameters[0].device.type
        return cls(
            model=model,
            parameters=parameters,
            optimizer=optimizers.create(parameters, config.optimizer),
            live=live,
            averaged=[value.clone() for value in live] if config.loop.ema_decay > 0 else None,
            scaler=torch.amp.GradScaler(device) if precision == "fp16" else None,
        )

    def snapshot(self) -> dict[str, Any]:
        """What a checkpoint holds: tensors (not copies), numbers, lists and dicts."""
        return {
            "step": self.step,
            "finished": self.finished,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state(),
            "averaged": self.averaged,
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "best": {"value": self.best.value, "epoch": self.best.epoch, "weights": self.best.weights},
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self.step, self.finished = state["step"], state["finished"]
        self.model.load_state_dict(state["model"])
        optimizers.restore(self.optimizer, state["optimizer"])
        for target, source in zip(self.averaged or [], state["averaged"] or [], strict=True):
            target.copy_(source)
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])
        self.best = Best(**state["best"])
        self.history = state["history"]

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Move the averaged weights and statistics towards the current ones."""
        if self.averaged is not None:
            torch._foreach_lerp_(self.averaged, self.live, 1.0 - decay)

    def served_weights(self) -> dict[str, Tensor]:
        """The weights the run is judged by: the best validated, else the averaged, else the last. Not copies."""
        if self.best.weights is not None:
            return self.best.weights
        return self.current_weights()

    def current_weights(self) -> dict[str, Tensor]:
        """The state_dict now, with the averaged values where they are kept."""
        weights = dict(self.model.state_dict())
        if self.averaged is not None:
            names = [name for name, value in weights.items() if value.is_floating_point()]
            weights.update(zip(names, self.averaged, strict=True))
        return weights


def floating(model: nn.Module) -> list[Tensor]:
    """The model's floating-point state (parameters and running statistics), in the order of its state_dict."""
    return [value for value in model.state_dict().values() if value.is_floating_point()]


def random_state(device: torch.device) -> dict[str, Tensor]:
    """All random states that a step may draw from (dropout, a vae's noise)."""
    found = {"cpu": torch.get_rng_state()}
    return found | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Take over what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
