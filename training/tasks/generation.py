"""Images from codes, by a variational autoencoder: the evidence lower bound, and two served programs.

A model of this task has `encode(images) -> (mean, log variance)`, `decode(codes) -> images`, and returns a VaeOutput.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from training.tasks.preprocess import Preprocess

SMALLEST_LOG_DEVIATION = -6.0  # of a pixel in [0, 1]: half of one step of 8 bits; finer than the data is noise


class Encode(nn.Module):
    """Raw pixels -> codes float32 (N, latent): the means, without noise."""

    def __init__(self, preprocess: nn.Module, model: nn.Module) -> None:
        super().__init__()
        self.preprocess, self.model = preprocess, model

    def forward(self, rows: Tensor) -> Tensor:
        """Codes of a batch."""
        mean, _ = self.model.encode(self.preprocess(rows))
        codes: Tensor = mean.float()
        return codes


class Decode(nn.Module):
    """Codes (N, latent) -> images float32 (N, H, W) or (N, H, W, 3) in the schema's range of values."""

    def __init__(self, model: nn.Module, *, minimum: float, maximum: float, is_grey: bool) -> None:
        super().__init__()
        self.model = model
        self.minimum, self.span, self.is_grey = minimum, maximum - minimum, is_grey

    def forward(self, codes: Tensor) -> Tensor:
        """Images of a batch."""
        images = self.model.decode(codes).float() * self.span + self.minimum
        return images[:, 0] if self.is_grey else images.permute(0, 2, 3, 1)


@dataclass(frozen=True, kw_only=True)
class Generation:
    """Task without targets; `minimum` and `maximum` are the range of a raw pixel."""

    minimum: float
    maximum: float
    is_grey: bool

    def loss(self, outputs: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        """Minus the evidence lower bound, in nats for each pixel; it falls below 0 once pixels are known well.

        Kingma and Welling (arXiv 1312.6114), with one learnt deviation for all pixels (Rybkin, Daniilidis and Levine,
        arXiv 2006.13202): it keeps reconstruction and code in balance without a weight to tune.
        """
        mean, log_variance = outputs.mean.float(), outputs.log_variance.float()
        log_deviation = outputs.log_deviation.float().clamp_min(SMALLEST_LOG_DEVIATION)
        squares = (outputs.images.float() - inputs).square().mean()
        pixel = 0.5 * squares * torch.exp(-2.0 * log_deviation) + log_deviation + 0.5 * math.log(2.0 * math.pi)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(1).mean()
        return pixel + divergence / math.prod(inputs.shape[1:])

    def outputs(self, outputs: Any) -> Tensor:
        """Model outputs -> codes (n, latent)."""
        codes: Tensor = outputs.mean.float()
        return codes

    def programs(self, preprocess: Preprocess, model: nn.Module) -> dict[str, nn.Module]:
        """The two served modules."""
        decode = Decode(model, minimum=self.minimum, maximum=self.maximum, is_grey=self.is_grey)
        return {"encode": Encode(preprocess, model), "decode": decode}

    def judged(self, programs: dict[str, nn.Module], rows: Tensor) -> Tensor:
        """Reconstruction error (n,) of raw rows."""
        return self.errors(rows, programs["decode"](programs["encode"](rows)))

    def errors(self, rows: Tensor, images: Tensor) -> Tensor:
        """Mean squared error of each image's pixels, scaled to 0..1; both are raw pixel values (n, H, W[, 3])."""
        return ((images - rows.float()) / (self.maximum - self.minimum)).square().flatten(1).mean(1)
