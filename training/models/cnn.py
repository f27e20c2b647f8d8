"""Blocks of 3x3 convolutions with batch norm, each at half the size of the one before, and one linear layer.

`width` is the channels of the first block, doubled by each further one; `depth` is the number of blocks.
"""

from torch import nn

from training.models.layers import check_side, convolution, dropout
from training.models.registry import ModelSpec

# Larger images are halved by the first convolution: at full size it would cost more than all the rest together.
LARGEST_SIDE_AT_FULL_SIZE = 48
LAST_SIDE = 4  # pixels at least, but for smaller maps: the linear layer sees no more than 7 x 7 places


def cnn(spec: ModelSpec) -> nn.Module:
    """float32 (N, C, H, W) -> logits (N, outputs). Raises ConfigError where H or W is less than 2 ** depth."""
    channels, width = spec.shape[0], spec.options.width
    stride = 2 if min(spec.shape[1:]) > LARGEST_SIDE_AT_FULL_SIZE else 1
    check_side(spec, 2**spec.options.depth)
    layers = [*convolution(channels, width, stride), *convolution(width, width), nn.MaxPool2d(2)]
    for block in range(1, spec.options.depth):
        layers += [*convolution(width * 2 ** (block - 1), width * 2**block), nn.MaxPool2d(2)]
    height, breadth = (-(-side // stride) // 2**spec.options.depth for side in spec.shape[1:])
    pool = max(1, height // LAST_SIDE), max(1, breadth // LAST_SIDE)
    features = width * 2 ** (spec.options.depth - 1) * (height // pool[0]) * (breadth // pool[1])
    return nn.Sequential(
        *layers,
        *([nn.AvgPool2d(pool)] if pool != (1, 1) else []),
        nn.Flatten(),
        *dropout(spec.options.dropout),
        nn.Linear(features, spec.outputs),
    )
