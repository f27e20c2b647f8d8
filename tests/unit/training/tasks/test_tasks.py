"""Losses against their definitions, and that a batch's loss is the mean of its equal parts'."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tests.unit.training.made_up import COLUMNS, image_data, table_data
from training.data.memory import MemoryPart
from training.data.types import DataSet
from training.models.vae import VaeOutput
from training.options import OptimizerOptions
from training.tasks import Task, create_task, measure
from training.tasks.classification import balanced_weights
from training.tasks.generation import Generation

CPU = torch.device("cpu")


def _task(data: DataSet, **options: object) -> Task:
    statistics = measure(data, class_counts=options.get("class_weights") == "balanced")
    return create_task(data, statistics, OptimizerOptions(**options), CPU)


def _vae_output(images: Tensor) -> VaeOutput:
    random = torch.Generator().manual_seed(1)
    mean, log_variance = (torch.randn(len(images), 3, generator=random) for _ in range(2))
    return VaeOutput(images, mean, log_variance, torch.tensor(-1.0))


def test_cross_entropy_has_label_smoothing_and_scores_sum_to_1() -> None:
    logits, targets = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    task = _task(image_data((8, 8)), label_smoothing=0.2)
    assert task.loss(logits, logits, targets) == cross_entropy(logits, targets, label_smoothing=0.2)
    assert torch.equal(task.outputs(logits), logits.softmax(1))


def test_balanced_weights_are_scikit_learns() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    targets = np.array([0, 0, 0, 0, 1, 1, 2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    found = balanced_weights(torch.bincount(torch.from_numpy(targets), minlength=4))
    np.testing.assert_allclose(found, [*expected, 0.0], rtol=1e-6)


def test_weights_are_counted_where_classes_are_balanced() -> None:
    data = table_data()
    part = MemoryPart(inputs=torch.zeros(7, len(COLUMNS)), targets=torch.tensor([0, 0, 0, 0, 1, 1, 2]))
    logits = torch.randn(7, 3)
    task = _task(dataclasses.replace(data, train=part), class_weights="balanced", label_smoothing=0.0)
    weights = torch.tensor([7 / 12, 7 / 6, 7 / 3])
    expected = cross_entropy(logits, part.targets, weight=weights)  # its mean is over the weights: their sum is 7 here
    torch.testing.assert_close(task.loss(logits, logits, part.targets), expected)


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_a_batch_may_be_cut_into_equal_parts(weights: str) -> None:
    targets = torch.tensor([0, 1, 1, 1, 2, 2, 1, 1])
    classes = _task(table_data(), class_weights=weights)
    values = _task(table_data("tabular-regression"))
    images = _task(image_data((8, 8), "image-generation"))
    pictures, output = torch.rand(8, 1, 8, 8), _vae_output(torch.rand(8, 1, 8, 8))

    def mean_of_halves(task: Task, outputs: Tensor | VaeOutput, inputs: Tensor, answers: Tensor) -> Tensor:
        halves = []
        for cut in (slice(0, 4), slice(4, 8)):
            piece = VaeOutput(*(v[cut] if v.ndim else v for v in outputs)) if task is images else outputs[cut]
            halves.append(task.loss(piece, inputs[cut], answers[cut]))
        return torch.stack(halves).mean()

    cases: list[tuple[Task, Tensor | VaeOutput, Tensor, Tensor]] = [
        (classes, torch.randn(8, 3), torch.zeros(8, 1), targets),
        (values, torch.randn(8, 1), torch.zeros(8, 1), torch.randn(8)),
        (images, output, pictures, targets),
    ]
    for task, outputs, inputs, answers in cases:
        whole = task.loss(outputs, inputs, answers)
        torch.testing.assert_close(mean_of_halves(task, outputs, inputs, answers), whole)


def test_regression_is_learnt_in_deviations_and_served_in_units() -> None:
    data = table_data("tabular-regression")
    task = _task(data)
    _, targets = data.train.plan(None)[0].read()
    zeros = torch.zeros(len(targets), 1)
    assert float(task.loss(zeros, zeros, targets)) == pytest.approx(1.0)  # the mean explains nothing
    torch.testing.assert_close(task.outputs(zeros), targets.mean().expand(len(targets), 1))
    perfect = ((targets - targets.mean()) / targets.std(correction=0))[:, None]
    assert float(task.loss(perfect, zeros, targets)) == pytest.approx(0.0, abs=1e-10)
    torch.testing.assert_close(task.outputs(perfect)[:, 0], targets)
    program = task.programs(nn.Identity(), nn.Linear(6, 1))["predict"]
    assert program(torch.zeros(2, 6)).shape == (2, 1)


def test_the_evidence_lower_bound_is_the_gaussians() -> None:
    inputs = torch.rand(5, 1, 4, 4)
    output = _vae_output(torch.rand(5, 1, 4, 4))
    pixels = torch.distributions.Normal(output.images, math.exp(-1.0))
    codes = torch.distributions.Normal(output.mean, (0.5 * output.log_variance).exp())
    divergence = torch.distributions.kl_divergence(codes, torch.distributions.Normal(0.0, 1.0)).sum(1)
    bound = pixels.log_prob(inputs).flatten(1).sum(1) - divergence
    task = Generation(minimum=0.0, maximum=1.0, is_grey=True)
    torch.testing.assert_close(task.loss(output, inputs, torch.zeros(5)), -bound.mean() / 16)


def test_reconstruction_errors_are_of_pixels_from_0_to_1() -> None:
    task = Generation(minimum=0.0, maximum=16.0, is_grey=True)
    rows, images = torch.zeros(2, 2, 2), torch.tensor([[[16.0, 0.0], [0.0, 0.0]], [[8.0, 8.0], [8.0, 8.0]]])
    assert task.errors(rows, images).tolist() == [0.25, 0.25]
