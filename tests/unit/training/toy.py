"""A loop over a toy problem: small modules, random data, everything of a real run but the job around it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from training.batches import Batches
from training.checkpoint import CheckpointStore
from training.config import TrainingConfig
from training.data.memory import MemoryPart
from training.distribute import distribute
from training.loop import Loop
from training.processes import Processes
from training.progress import Progress
from training.signals import StopFlag
from training.state import TrainState

IDENTITY = "0123456789abcdef"
ROWS, CLASSES = 100, 5


class StopAt(StopFlag):
    """Asks for a stop after so many looks."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left, self.signal_name = steps, "SIGTERM"

    def __bool__(self) -> bool:
        self.left -= 1
        return self.left == 0


def images() -> MemoryPart:
    """float32 (100, 1, 6, 6) and class numbers."""
    generator = torch.Generator().manual_seed(7)
    inputs = torch.rand(ROWS, 1, 6, 6, generator=generator)
    return MemoryPart(inputs=inputs, targets=torch.randint(0, CLASSES, (ROWS,), generator=generator))


def convolution() -> nn.Module:
    """Batch norm and dropout: running statistics and random numbers have to come back too."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(144, CLASSES),
    )


def layers() -> nn.Module:
    """Without batch norm: the same on any number of processes."""
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, CLASSES))


def loss(outputs: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(outputs, targets)


def store(folder: Path, lines: list[str] | None = None) -> CheckpointStore:
    return CheckpointStore(folder=folder, identity=IDENTITY, report=print if lines is None else lines.append)


def make(
    config: TrainingConfig,
    checkpoints: Any,
    *,
    build: Callable[[], nn.Module] = convolution,
    stop: StopFlag | None = None,
    lines: list[str] | None = None,
    processes: Processes | None = None,
    part: MemoryPart | None = None,
    validate: Any = None,
) -> Loop:
    """A loop at its first step."""
    processes = processes or Processes()
    torch.manual_seed(config.loop.seed)
    model = build()
    wrapped = distribute(model, config.loop.distributed, processes)
    return Loop(
        state=TrainState.create(model, config, config.loop.precision),
        wrapped=wrapped,
        loss=loss,
        batches=Batches.create(
            part or images(),
            lambda rows: rows,
            config.augment,
            batch_size=config.loop.batch_size,
            seed=config.loop.seed,
            processes=processes,
        ),
        config=config,
        precision=config.loop.precision,
        processes=processes,
        store=checkpoints,
        stop=StopFlag() if stop is None else stop,
        progress=Progress(report=print if lines is None else lines.append, bar=False),
        validate=validate,
    )
