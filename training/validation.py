"""How the model does on the validation part, between epochs: a few plain numbers, without intervals.

Early stopping goes by the loss of a classification: accuracy moves in steps, and stays level while scores improve.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.types import Part
from training.processes import Processes
from training.state import TrainState
from training.tasks import Task, quality_inputs

SMALLEST_SCORE = 1e-12  # keeps the loss finite where float32 rounded a score to zero
REGRESSION, GENERATION = "tabular-regression", "image-generation"
Found = tuple[float, dict[str, float]]


def metrics(task: str, judged: NDArray[np.float32], targets: NDArray[np.int64 | np.float32]) -> Found:
    """(value to maximise, what to log) from what Task.judged gives for the whole part."""
    if task == GENERATION:
        error = float(judged.mean())
        return -error, {"validation_reconstruction": error}
    if task == REGRESSION:
        squares = np.square(judged.reshape(-1).astype(np.float64) - targets)
        rmse = float(np.sqrt(squares.mean()))
        spread = float(np.var(targets.astype(np.float64)))
        r2 = 1.0 - float(squares.mean()) / spread if spread else 0.0
        return -rmse, {"validation_rmse": rmse, "validation_r2": r2}
    picked = judged[np.arange(len(targets)), targets].astype(np.float64)
    loss = float(-np.log(np.maximum(picked, SMALLEST_SCORE)).mean())
    accuracy = float((judged.argmax(1) == targets).mean())
    return -loss, {"validation_accuracy": accuracy, "validation_loss": loss}


def validate(
    name: str,
    task: Task,
    programs: dict[str, nn.Module],
    state: TrainState,
    part: Part,
    processes: Processes,
    *,
    sharded: bool,
) -> Found:
    """Judge the weights as they would be served now. Sharded weights need every process; else the main one does it."""
    found: Found = (0.0, {})
    if processes.is_main or sharded:
        with averaged(state):
            found = metrics(name, *quality_inputs(task, programs, part, processes.device))
    shared: Found = processes.share(found)
    return shared


@contextmanager
def averaged(state: TrainState) -> Iterator[None]:
    """Put the moving average into the model for a while, where there is one."""
    if state.averaged is None:
        yield
        return
    with torch.no_grad():
        own = [value.clone() for value in state.live]
        for value, average in zip(state.live, state.averaged, strict=True):
            value.copy_(average)
        try:
            yield
        finally:
            for value, before in zip(state.live, own, strict=True):
                value.copy_(before)
