"""Images as one long row of pixels: hidden layers with batch norm. Fast, and blind to where things are."""

import itertools
import math

from torch import nn

from training.models.layers import dropout
from training.models.registry import ModelSpec

UNITS_PER_WIDTH = 8  # so that a cnn and an mlp of equal width have a last layer of equal size on 8x8 images


def mlp(spec: ModelSpec) -> nn.Module:
    """float32 (N, C, H, W) -> logits (N, outputs), through `depth` hidden layers of 8 * width units."""
    hidden = UNITS_PER_WIDTH * spec.options.width
    sizes = [math.prod(spec.shape), *[hidden] * spec.options.depth]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
        layers += dropout(spec.options.dropout)
    return nn.Sequential(*layers, nn.Linear(sizes[-1], spec.outputs))
