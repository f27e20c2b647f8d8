"""Accelerate and Lightning on the same batches in memory, with everything off that a run does not need."""

import importlib.util
import itertools
import warnings
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from benchmarks.training.loops import Bare
from benchmarks.training.problems import Problem
from benchmarks.training.segments import Script

PEERS = ("accelerate", "lightning")


def is_installed(name: str) -> bool:
    """Whether a worker could import it."""
    return importlib.util.find_spec(name) is not None


def accelerate(problem: Problem, script: Script) -> None:
    """The usual loop around an Accelerator, without its data loader and accumulation."""
    from accelerate import Accelerator

    pieces = Bare(problem)
    accelerator = Accelerator(cpu=True, mixed_precision="bf16" if pieces.precision == "bf16" else "no")
    pieces.model, optimizer = accelerator.prepare(pieces.model, pieces.optimizer)
    for steps in script:
        for inputs, targets in _batches(pieces, steps):
            optimizer.zero_grad()
            accelerator.backward(pieces.loss(inputs, targets))
            optimizer.step()


def lightning(problem: Problem, script: Script) -> None:
    """One endless epoch of a Trainer without logger, checkpoints, bar and summary."""
    warnings.filterwarnings("ignore")  # on the number of workers of a loader that has none
    from lightning import Trainer

    pieces = Bare(problem)
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        precision="bf16-mixed" if pieces.precision == "bf16" else "32-true",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    # Fetched ahead by one batch, since nobody knows the length: in the long run a step for each batch.
    trainer.fit(_module(pieces), itertools.chain.from_iterable(_batches(pieces, steps) for steps in script))


def _module(pieces: Bare) -> Any:
    """Model, loss and optimizer as Lightning wants them."""
    from lightning import LightningModule

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = pieces.model

        def configure_optimizers(self) -> Any:
            return pieces.optimizer

        def training_step(self, batch: Any, index: int) -> Tensor:
            return pieces.loss(*batch)

    return Module()


def _batches(pieces: Bare, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """So many batches; the optimizer gets the learning rate and betas of each step."""
    group = pieces.optimizer.param_groups[0]
    for batch, (group["lr"], group["betas"]) in itertools.islice(pieces.steps, steps):
        yield batch
