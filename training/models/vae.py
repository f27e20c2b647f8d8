"""A variational autoencoder of images: hidden layers for small images, convolutions for larger ones.

`latent` is the size of the code, `width` the channels of the first convolution; hidden layers have 8 * width units.
"""

import itertools
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.models.layers import check_side, convolution
from training.models.registry import ModelSpec

LARGEST_SIDE_OF_LAYERS = 16  # pixels; up to here hidden layers reconstruct better, and cost less, than convolutions
UNITS_PER_WIDTH = 8
HALVINGS = 2


class VaeOutput(NamedTuple):
    """What one pass gives; the loss is training.tasks.generation's."""

    images: Tensor  # (N, C, H, W) in (0, 1)
    mean: Tensor  # (N, latent), of the code's distribution
    log_variance: Tensor  # (N, latent)
    log_deviation: Tensor  # (), of a pixel from its reconstruction: learnt, so that no weight of a term is tuned


class Vae(nn.Module):
    """`encode`, `decode` and, for training, both with noise between."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.log_deviation = nn.Parameter(torch.tensor(-1.0))

    def encode(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) in [0, 1] -> mean and log variance of their codes, (N, latent) each."""
        mean, log_variance = self.encoder(inputs).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (N, latent) -> images (N, C, H, W) in (0, 1)."""
        return torch.sigmoid(self.decoder(codes))

    def forward(self, inputs: Tensor) -> VaeOutput:
        """Reconstruct from a code drawn from its distribution; from the mean when not training."""
        mean, log_variance = self.encode(inputs)
        codes = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance) if self.training else mean
        return VaeOutput(self.decode(codes), mean, log_variance, self.log_deviation)


def vae(spec: ModelSpec) -> nn.Module:
    """(N, C, H, W) in [0, 1] -> VaeOutput. Raises ConfigError for images that are neither small nor 4 x 4 or more."""
    if max(spec.shape[1:]) <= LARGEST_SIDE_OF_LAYERS:
        return Vae(*_layers(spec))
    check_side(spec, 2**HALVINGS)
    return Vae(*_convolutions(spec))


def _layers(spec: ModelSpec) -> tuple[nn.Module, nn.Module]:
    pixels, hidden = math.prod(spec.shape), UNITS_PER_WIDTH * spec.options.width
    encoder = [nn.Flatten(), *_hidden(pixels, hidden, spec.options.depth), nn.Linear(hidden, 2 * spec.options.latent)]
    decoder = [*_hidden(spec.options.latent, hidden, spec.options.depth), nn.Linear(hidden, pixels)]
    return nn.Sequential(*encoder), nn.Sequential(*decoder, nn.Unflatten(1, spec.shape))


def _hidden(inputs: int, hidden: int, depth: int) -> list[nn.Module]:
    sizes = [inputs, *[hidden] * depth]
    return [layer for pair in itertools.pairwise(sizes) for layer in (nn.Linear(*pair), nn.SiLU())]


def _convolutions(spec: ModelSpec) -> tuple[nn.Module, nn.Module]:
    (channels, height, breadth), width, latent = spec.shape, spec.options.width, spec.options.latent
    sizes = [tuple(-(-side // 2**halving) for side in (height, breadth)) for halving in range(HALVINGS + 1)]
    map_shape = (2 * width, *sizes[2])
    encoder = nn.Sequential(
        *convolution(channels, width, stride=2),
        *convolution(width, 2 * width, stride=2),
        nn.Flatten(),
        nn.Linear(math.prod(map_shape), 2 * latent),
    )
    decoder = nn.Sequential(
        nn.Linear(latent, math.prod(map_shape)),
        nn.Unflatten(1, map_shape),
        nn.Upsample(size=sizes[1]),
        *convolution(2 * width, width),
        nn.Upsample(size=sizes[0]),
        nn.Conv2d(width, channels, 3, padding=1),
    )
    return encoder, decoder
