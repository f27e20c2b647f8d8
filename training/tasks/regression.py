"""A number: mean squared error of the standardised target; the served program answers in the target's own units."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import mse_loss

from training.tasks.preprocess import Preprocess


class Values(nn.Module):
    """Raw rows -> values float32 (N, 1)."""

    def __init__(self, preprocess: nn.Module, model: nn.Module, mean: float, scale: float) -> None:
        super().__init__()
        self.preprocess, self.model = preprocess, model
        self.mean, self.scale = mean, scale

    def forward(self, rows: Tensor) -> Tensor:
        """Values of a batch."""
        return self.model(self.preprocess(rows)).float() * self.scale + self.mean


@dataclass(frozen=True, kw_only=True)
class Regression:
    """Task with targets float32 (n,); `mean` and `scale` are those of the training part."""

    mean: float
    scale: float

    def loss(self, outputs: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of (n, 1), in units of the target's variance: 1 is no better than the mean."""
        return mse_loss(outputs[:, 0].float(), (targets - self.mean) / self.scale)

    def outputs(self, outputs: Any) -> Tensor:
        """Model outputs -> values (n, 1) in the target's units."""
        values: Tensor = outputs.float() * self.scale + self.mean
        return values

    def programs(self, preprocess: Preprocess, model: nn.Module) -> dict[str, nn.Module]:
        """The served module."""
        return {"predict": Values(preprocess, model, self.mean, self.scale)}

    def judged(self, programs: dict[str, nn.Module], rows: Tensor) -> Tensor:
        """Values (n, 1) of raw rows."""
        values: Tensor = programs["predict"](rows)
        return values
