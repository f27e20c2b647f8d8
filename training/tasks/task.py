"""What a task is to the rest of a job, and the choice of one."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from training.models.registry import ModelSpec
from training.options import ModelOptions, OptimizerOptions
from training.tasks.classification import Classification, balanced_weights
from training.tasks.generation import Generation
from training.tasks.preprocess import Preprocess
from training.tasks.regression import Regression
from training.tasks.statistics import REGRESSION, Statistics

if TYPE_CHECKING:
    from training.data.types import DataSet, Part

GENERATION = "image-generation"
EVALUATED_AT_ONCE = 512  # rows


class Task(Protocol):
    """Loss and served form of one kind of learning. Inputs are preprocessed, rows are raw."""

    def loss(self, outputs: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        """Scalar mean over the examples of what the model gave for `inputs`."""

    def outputs(self, outputs: Any) -> Tensor:
        """What the model gave -> what is served: scores (n, labels), values (n, 1) or codes (n, latent)."""

    def programs(self, preprocess: Preprocess, model: nn.Module) -> dict[str, nn.Module]:
        """The served modules by name. They hold `model` itself, not a copy; put them into eval mode."""

    def judged(self, programs: dict[str, nn.Module], rows: Tensor) -> Tensor:
        """What training.quality judges: scores (n, labels), values (n, 1), or reconstruction errors (n,)."""


def create_task(data: "DataSet", statistics: Statistics, options: OptimizerOptions, device: torch.device) -> Task:
    """The task of `data`, with its constants on `device`; `statistics` come from measure()."""
    if data.task == REGRESSION:
        assert statistics.target is not None, "measure() gives the target of every regression"
        return Regression(mean=float(statistics.target.mean), scale=float(statistics.target.scale()))
    if data.task == GENERATION:
        minimum, maximum = data.input.value_range
        return Generation(minimum=minimum, maximum=maximum, is_grey=len(data.input.shape) == 2)
    weights = None
    if options.class_weights == "balanced":
        assert statistics.class_counts is not None, "measure(class_counts=True) gives the counts"
        weights = balanced_weights(statistics.class_counts).to(device)
    return Classification(label_smoothing=options.label_smoothing, class_weights=weights)


def model_spec(data: "DataSet", preprocess: Preprocess, options: ModelOptions) -> ModelSpec:
    """What the model of this data is built from."""
    outputs = {REGRESSION: 1, GENERATION: options.latent}.get(data.task, len(data.labels))
    return ModelSpec(
        task=data.task, shape=preprocess.shape, outputs=outputs, vocabulary=data.vocabulary, options=options
    )


@torch.no_grad()
def quality_inputs(
    task: Task, programs: dict[str, nn.Module], part: "Part", device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """(what Task.judged gives, targets) of a whole part in stored order, for training.quality.evaluate.

    The programs are put into eval mode for it, and stay there: the model is the one being trained.
    """
    for program in programs.values():
        program.eval()
    judged, answers = [], []
    for window in part.plan(None):
        inputs, targets = window.read()
        for rows in inputs.split(EVALUATED_AT_ONCE):
            judged.append(task.judged(programs, rows.to(device)).cpu())
        answers.append(targets)
    return torch.cat(judged).numpy(), torch.cat(answers).numpy()
