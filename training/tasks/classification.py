"""One of several classes: cross entropy, scores that sum to 1."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from training.tasks.preprocess import Preprocess


class Scores(nn.Module):
    """Raw rows -> scores float32 (N, labels), rows summing to 1."""

    def __init__(self, preprocess: nn.Module, model: nn.Module) -> None:
        super().__init__()
        self.preprocess, self.model = preprocess, model

    def forward(self, rows: Tensor) -> Tensor:
        """Scores of a batch."""
        return torch.softmax(self.model(self.preprocess(rows)).to(torch.float32), dim=-1)


@dataclass(frozen=True, kw_only=True)
class Classification:
    """Task of images, texts and tables with class numbers int64 (n,) as targets."""

    label_smoothing: float
    class_weights: Tensor | None  # float32 (labels,) on the model's device; None: all are 1

    def loss(self, outputs: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross entropy of logits (n, labels), in nats, each example times its class's weight.

        The mean is over the examples, not over the sum of their weights: so the loss of a batch is the mean of those
        of its equal parts, whether processes or `accumulate` cut it. Balanced weights have mean 1 over the training
        part, so the two agree but for the luck of a batch.
        """
        if self.class_weights is None:
            return cross_entropy(outputs, targets, label_smoothing=self.label_smoothing)
        each = cross_entropy(outputs, targets, label_smoothing=self.label_smoothing, reduction="none")
        return (each * self.class_weights[targets]).mean()

    def outputs(self, outputs: Any) -> Tensor:
        """Logits -> scores (n, labels)."""
        return torch.softmax(outputs.to(torch.float32), dim=-1)

    def programs(self, preprocess: Preprocess, model: nn.Module) -> dict[str, nn.Module]:
        """The served module."""
        return {"predict": Scores(preprocess, model)}

    def judged(self, programs: dict[str, nn.Module], rows: Tensor) -> Tensor:
        """Scores (n, labels) of raw rows."""
        scores: Tensor = programs["predict"](rows)
        return scores


def balanced_weights(class_counts: Tensor) -> Tensor:
    """float32 (labels,): rows / (classes * rows of the class), as scikit-learn's class_weight="balanced" defines it.

    A class without a row does not count as a class, and weighs nothing.
    """
    counts = class_counts.double()
    weights = counts.sum() / ((counts > 0).sum() * counts.clamp_min(1.0))
    return torch.where(counts > 0, weights, 0.0).float()
