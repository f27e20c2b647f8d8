"""The training loop: epochs of batches sliced from tensors in memory, AdamW, one cycle, one log line an epoch.

A run that was stopped and resumed, at any step, ends with bitwise the same weights as one that was not: the checkpoint
holds the random state from the start of the epoch, so the epoch's order and views are drawn again and the steps
already done are skipped.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from training.augment import shift_images
from training.checkpoint import CheckpointStore
from training.config import TrainingConfig
from training.errors import ConfigError, DivergedError, StoppedError
from training.optimizer import AdamW, one_cycle
from training.signals import StopFlag


@dataclass(kw_only=True)
class LoopState:
    """Everything that changes while training; `snapshot` and `restore` are the checkpoint's content."""

    model: nn.Module
    optimizer: AdamW
    generator: torch.Generator
    epoch_start: Tensor  # the generator's state when the current epoch began
    loss_sum: Tensor  # over the steps of the current epoch
    correct: Tensor
    step: int = 0

    @classmethod
    def create(cls, model: nn.Module, config: TrainingConfig) -> "LoopState":
        """The state before the first step; the sampler draws from its own generator, seeded like the weights."""
        generator = torch.Generator().manual_seed(config.seed)
        parameters = list(model.parameters())
        device = parameters[0].device
        return cls(
            model=model,
            optimizer=AdamW.create(parameters, config.weight_decay),
            generator=generator,
            epoch_start=generator.get_state(),
            loss_sum=torch.zeros((), device=device),
            correct=torch.zeros((), device=device, dtype=torch.int64),
        )

    def begin_epoch(self) -> None:
        """Remember where the random numbers of this epoch start, and count from zero."""
        self.epoch_start = self.generator.get_state()
        self.loss_sum.zero_()
        self.correct.zero_()

    def snapshot(self) -> dict[str, Any]:
        """What a checkpoint holds (not copies)."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state(),
            "epoch_start": self.epoch_start,
            "sampler_random": self.generator.get_state(),
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state() if self.loss_sum.is_cuda else None,
            "loss_sum": self.loss_sum,
            "correct": self.correct,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.optimizer.restore(state["optimizer"])
        self.epoch_start = state["epoch_start"]
        self.generator.set_state(state["sampler_random"])
        torch.set_rng_state(state["torch_random"])
        if state["cuda_random"] is not None and self.loss_sum.is_cuda:
            torch.cuda.set_rng_state(state["cuda_random"])
        self.loss_sum.copy_(state["loss_sum"])
        self.correct.copy_(state["correct"])


def fit(
    state: LoopState,
    images: Tensor,
    targets: Tensor,
    config: TrainingConfig,
    *,
    store: CheckpointStore,
    stop: StopFlag,
    report: Callable[[str], None],
) -> None:
    """Train until the last epoch; `images` float32 (N, 8, 8) in [0, 1] and `targets` int64 (N,) on the model's device.

    The last N % batch_size images of each epoch's order are left out. Raises StoppedError once `stop` is set and
    a checkpoint is written, ConfigError where a batch is larger than the data, DivergedError
    where the loss is not finite.
    """
    steps_per_epoch = len(images) // config.batch_size
    if steps_per_epoch == 0:
        raise ConfigError(f"batch_size: {config.batch_size} is more than the {len(images)} training images; use less")
    total_steps = config.epochs * steps_per_epoch
    saved_at = time.monotonic()
    state.model.train()
    while state.step < total_steps:
        epoch, first = divmod(state.step, steps_per_epoch)
        if first == 0:
            state.begin_epoch()
        else:  # resumed inside an epoch: draw its order and views again
            state.generator.set_state(state.epoch_start)
        order = torch.randperm(len(images), generator=state.generator).to(images.device)
        inputs, answers = shift_images(images, config.shift_pixels, state.generator)[order], targets[order]
        started = time.perf_counter()
        for index in range(first, steps_per_epoch):
            rows = slice(index * config.batch_size, (index + 1) * config.batch_size)
            learning_rate = _step(state, inputs[rows], answers[rows], config, total_steps)
            if stop:
                path = store.save(state.step, state.snapshot())
                raise StoppedError(f"{stop.signal_name} at step {state.step}/{total_steps}; checkpoint {path.name}")
            if 0 < config.checkpoint_every_seconds <= time.monotonic() - saved_at:
                store.save(state.step, state.snapshot())
                saved_at = time.monotonic()
        seen = steps_per_epoch * config.batch_size
        loss = state.loss_sum.item() / steps_per_epoch  # on a GPU this waits for the epoch's last kernel
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} in epoch {epoch + 1}; lower learning_rate ({config.learning_rate:g})"
            )
        rate = (steps_per_epoch - first) * config.batch_size / (time.perf_counter() - started)
        report(
            f"epoch={epoch + 1}/{config.epochs} loss={loss:.4f} train_accuracy={state.correct.item() / seen:.4f} "
            f"learning_rate={learning_rate:.4f} examples_per_second={rate:.0f}"
        )
        # The last one too: the same run started once more (SageMaker lost its record, say) has nothing left to train.
        if config.checkpoint_every_seconds == 0 or state.step == total_steps:
            store.save(state.step, state.snapshot())


def _step(state: LoopState, inputs: Tensor, answers: Tensor, config: TrainingConfig, total_steps: int) -> float:
    """One update; returns the learning rate it used."""
    learning_rate, beta1 = one_cycle(state.step, total_steps, config.learning_rate)
    logits = state.model(inputs)
    loss = cross_entropy(logits, answers, label_smoothing=config.label_smoothing)
    gradients = torch.autograd.grad(loss, state.optimizer.parameters)
    state.optimizer.step(list(gradients), learning_rate, beta1)
    state.loss_sum += loss.detach()
    state.correct += (logits.detach().argmax(1) == answers).sum()
    state.step += 1
    return learning_rate
