"""The training loop: steps, log lines, validation, checkpoints, the end.

    for epoch: for batch: loss -> gradients -> update;  now and then: log, save, stop when asked to

A run that was stopped or killed and resumed, at any step, ends with bitwise the same weights as one that was not: the
order and views of an epoch depend on (seed, epoch) alone (training.batches), and the checkpoint holds the rest.

What a step may cost was measured on a step of 0.43 ms: a look at the clock and at a flag, and one small copy, are free;
`loss.item()` costs 3 %, an isfinite 4 %. So losses are put aside and looked at when a line is due.
"""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from training.batches import Batches
from training.checkpoint import copied
from training.config import TrainingConfig
from training.errors import ConfigError, DivergedError, StoppedError
from training.processes import Processes
from training.progress import Progress
from training.resume import Store
from training.schedule import Schedule
from training.signals import StopFlag
from training.state import Best, TrainState, random_state, set_random_state

STOP_EVERY_STEPS = 8  # several processes have to agree on the step they stop at, which costs a round of messages

Loss = Callable[[Any, Tensor, Tensor], Tensor]  # (model outputs, inputs, targets) -> mean over the batch
Validate = Callable[[], tuple[float, dict[str, float]]]  # (value to maximise, what to log)


@dataclass(kw_only=True)
class Loop:
    """One run. `wrapped` is what is called for the forward pass: the model itself, compiled, or its DDP form."""

    state: TrainState
    wrapped: nn.Module
    loss: Loss
    batches: Batches
    config: TrainingConfig
    precision: str
    processes: Processes
    store: Store
    stop: StopFlag
    progress: Progress
    validate: Validate | None = None
    watch: Callable[[], None] | None = None
    """Called with each line of progress; what it raises ends the run."""

    def __post_init__(self) -> None:
        options, per_epoch = self.config.loop, self.batches.steps_per_epoch
        self._total = options.epochs * per_epoch
        self._schedule = Schedule.of(self.config.optimizer, self._total)
        self._interval = options.log_every_steps or per_epoch
        self._losses = torch.zeros(self._interval, device=self.processes.device)
        self._waiting = 0  # losses not looked at yet
        self._autocast = _autocast(self.processes.device, self.precision)

    def fit(self) -> None:
        """Train to the last epoch, or until validation has not improved for `early_stopping_epochs`.

        Raises StoppedError once `stop` is set and a checkpoint is written, DivergedError where the loss is not finite.
        """
        self._saved_at = self._logged_at = time.monotonic()
        self.state.model.train()
        while self.state.step < self._total and not self.state.finished:
            epoch, first = divmod(self.state.step, self.batches.steps_per_epoch)
            for inputs, targets in self.batches.epoch(epoch, first):
                self._update(inputs, targets)
                self._after_step()
            self._end_epoch(epoch)
        self.store.wait()

    def _update(self, inputs: Tensor, targets: Tensor) -> None:
        """One update of the weights from one batch of this process, in `accumulate` parts."""
        state, parts = self.state, self.config.loop.accumulate
        learning_rate, beta1 = self._schedule.at(state.step)
        loss = self._backward(inputs, targets, 1) if parts == 1 else self._accumulate(inputs, targets, parts)
        self._apply(learning_rate, beta1)
        if state.averaged is not None:
            state.average(self.config.loop.ema_decay)
        self._losses[self._waiting] = loss
        self._waiting += 1
        state.step += 1

    def _backward(self, inputs: Tensor, targets: Tensor, parts: int) -> Tensor:
        """Add the gradients of the batch's mean loss / `parts`; returns the mean loss, detached."""
        with self._autocast:
            loss = self.loss(self.wrapped(inputs), inputs, targets)
        scaled = loss if parts == 1 else loss / parts
        (self.state.scaler.scale(scaled) if self.state.scaler else scaled).backward()
        return loss.detach()

    def _accumulate(self, inputs: Tensor, targets: Tensor, parts: int) -> Tensor:
        """The same from `parts` equal pieces; processes exchange gradients with the last one only."""
        if len(inputs) % parts:
            raise ConfigError(
                f"accumulate: a process's batch of {len(inputs)} cannot be cut into {parts} equal parts; "
                "use a divisor of batch_size / processes"
            )
        losses = []
        for index, piece in enumerate(zip(inputs.chunk(parts), targets.chunk(parts), strict=True)):
            last = index == parts - 1
            with contextlib.nullcontext() if last else self._unsynchronised():
                losses.append(self._backward(*piece, parts))
        return torch.stack(losses).mean()

    def _unsynchronised(self) -> contextlib.AbstractContextManager[None]:
        no_sync = getattr(self.wrapped, "no_sync", None)
        return no_sync() if no_sync is not None else contextlib.nullcontext()

    def _apply(self, learning_rate: float, beta1: float) -> None:
        """Clip, update, forget the gradients."""
        state, clip = self.state, self.config.optimizer.clip_norm
        if state.scaler is not None:
            state.scaler.unscale_(state.optimizer)
        if clip > 0:
            torch.nn.utils.clip_grad_norm_(state.parameters, clip)
        if state.scaler is not None:
            state.scaler.step(state.optimizer, learning_rate, beta1)  # not at all where a gradient is infinite
            state.scaler.update()
        else:
            state.optimizer.step(learning_rate, beta1)
        for parameter in state.parameters:
            parameter.grad = None

    def _after_step(self) -> None:
        step, options = self.state.step, self.config.loop
        if self._waiting == self._interval:
            self._log()
        if (self.stop if self.processes.count == 1 else self._all_stop(step)) and step < self._total:
            self._check_losses()
            path = self.store.save(step, self.snapshot())
            by = self.stop.signal_name or "another process"
            raise StoppedError(f"{by} at step {step}/{self._total}; checkpoint {path.name}")
        every = options.checkpoint_every_seconds
        if every > 0 and self._is_due(every, step):
            self._save()

    def _all_stop(self, step: int) -> bool:
        return step % STOP_EVERY_STEPS == 0 and self.processes.any(bool(self.stop))

    def _is_due(self, seconds: float, step: int) -> bool:
        due = time.monotonic() - self._saved_at >= seconds
        if self.processes.count == 1:
            return due
        return step % STOP_EVERY_STEPS == 0 and bool(self.processes.share(due))

    def _save(self) -> None:
        """A checkpoint, unless the weights are spoilt already: the one before is then the last good one."""
        self._check_losses()
        self.store.save_soon(self.state.step, self.snapshot())
        self._saved_at = time.monotonic()

    def snapshot(self) -> dict[str, Any]:
        """What a checkpoint holds (not copies)."""
        return {
            **self.state.snapshot(),
            "random": self.processes.gather(random_state(self.processes.device)),
            "losses": self._losses[: self._waiting],
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken, on whatever number of processes."""
        self.state.restore(snapshot)
        self._waiting = len(snapshot["losses"])
        self._losses[: self._waiting] = snapshot["losses"]
        random = snapshot["random"]
        if len(random) == self.processes.count:
            set_random_state(random[self.processes.rank], self.processes.device)
        else:
            torch.manual_seed(self.config.loop.seed + self.state.step * 7919 + self.processes.rank)

    def _check_losses(self) -> list[float]:
        """The losses put aside; raises DivergedError with the first step whose loss is not a finite number."""
        mean = self.processes.total(self._losses[: self._waiting].clone()) / self.processes.count
        losses: list[float] = mean.tolist()  # on a GPU this waits for its kernels
        for index, loss in enumerate(losses):
            if not math.isfinite(loss):
                step = self.state.step - len(losses) + index + 1
                raise DivergedError(
                    f"the loss is {loss} at step {step}/{self._total} (epoch {self._epoch(step)}); lower "
                    f"learning_rate ({self.config.optimizer.learning_rate:g}), set clip_norm to 1, or look for wrong "
                    "values in the data"
                )
        return losses

    def _epoch(self, step: int) -> int:
        return (step - 1) // self.batches.steps_per_epoch + 1

    def _log(self) -> None:
        """One line for the steps since the last one."""
        if self.watch is not None:
            self.watch()
        losses, now = self._check_losses(), time.monotonic()
        self._waiting = 0
        step = self.state.step
        rate = len(losses) * self.config.loop.batch_size / max(1e-9, now - self._logged_at)
        self._logged_at = now
        point = {
            "step": step,
            "epoch": self._epoch(step),
            "loss": sum(losses) / len(losses),
            "learning_rate": self._schedule.at(step - 1)[0],
        }
        self.state.history.append(point)
        self.progress.train(point, rate, total_steps=self._total, epochs=self.config.loop.epochs)

    def _end_epoch(self, epoch: int) -> None:
        if self.validate is not None:
            self._validate(epoch + 1)
        at_end = self.state.step == self._total or self.state.finished
        if self._waiting and at_end:
            self._log()
        # The last one too: the same run started once more (SageMaker lost its record, say) has nothing left to train.
        if self.config.loop.checkpoint_every_seconds == 0 or at_end:
            self._save()

    def _validate(self, epoch: int) -> None:
        assert self.validate is not None
        value, found = self.validate()
        self.state.model.train()
        self.state.history.append({"step": self.state.step, "epoch": epoch, **found})
        self.progress.validation(epoch, self.config.loop.epochs, found)
        patience, best = self.config.loop.early_stopping_epochs, self.state.best
        if patience == 0:
            return
        if value > best.value:
            weights = copied(self.state.current_weights())
            self.state.best = Best(value=value, epoch=epoch, weights=weights)
        elif epoch - best.epoch >= patience:
            self.state.finished = True
            self.progress.say(f"stopped early: no better validation since epoch {best.epoch}; its weights are kept")


def _autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """A context that is entered each step; for fp32 one that does nothing at all."""
    if precision == "fp32":
        return contextlib.nullcontext()
    # The cache of cast weights has to be dropped with each exit, which autocast does; entering it again is allowed.
    return torch.autocast(device.type, torch.bfloat16 if precision == "bf16" else torch.float16)
