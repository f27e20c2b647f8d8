"""What the model is worth on held-out images: accuracy, loss, per-class precision, recall and F1, confusion matrix."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SMALLEST_SCORE = 1e-12  # keeps the loss finite where float32 rounded a score to zero


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """`confusion[i][j]` counts images of class i that were called j; `loss` is the mean negative log score in nats."""

    accuracy: float
    loss: float
    confusion: list[list[int]]
    labels: tuple[str, ...]

    def per_class(self) -> dict[str, dict[str, float]]:
        """Label -> precision, recall, f1 and support; a ratio over nothing is 0, as scikit-learn defines it."""
        result = {}
        for index, label in enumerate(self.labels):
            hits = self.confusion[index][index]
            support = sum(self.confusion[index])
            called = sum(row[index] for row in self.confusion)
            result[label] = {
                "precision": _ratio(hits, called),
                "recall": _ratio(hits, support),
                "f1": _ratio(2 * hits, called + support),
                "support": support,
            }
        return result

    def as_dict(self) -> dict[str, Any]:
        """For metrics.json."""
        return {
            "test_accuracy": self.accuracy,
            "test_loss": self.loss,
            "per_class": self.per_class(),
            "confusion": self.confusion,
            "labels": list(self.labels),
        }


def evaluate(scores: Tensor, targets: Tensor, labels: tuple[str, ...]) -> Evaluation:
    """Compare `scores` float32 (N, classes), rows summing to 1, with class numbers `targets` int64 (N,)."""
    called = scores.argmax(1)
    count = len(labels)
    confusion = torch.bincount(targets * count + called, minlength=count * count).view(count, count)
    picked = scores.gather(1, targets[:, None]).double().clamp_min(SMALLEST_SCORE)
    return Evaluation(
        accuracy=int((called == targets).sum()) / len(targets),
        loss=float(-picked.log().mean()),
        confusion=confusion.tolist(),
        labels=labels,
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
