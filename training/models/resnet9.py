"""ResNet-9: eight 3x3 convolutions, two skips, one linear layer; 6.57 million parameters at width 64.

The residual network of the fast CIFAR-10 trainings (David Page, "How to train your ResNet", 2018), pooled over
whatever is left of the image at its end, so that it takes any size from 8x8 on.
"""

from torch import Tensor, nn

from training.models.layers import check_side, convolution, dropout
from training.models.registry import ModelSpec

HALVINGS = 3


class Skip(nn.Module):
    """Two convolutions beside a straight line."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(*convolution(channels, channels), *convolution(channels, channels))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same shape."""
        added: Tensor = maps + self.convolutions(maps)
        return added


def resnet9(spec: ModelSpec) -> nn.Module:
    """float32 (N, C, H, W) -> logits (N, outputs). Raises ConfigError where H or W is less than 8."""
    check_side(spec, 2**HALVINGS)
    width = spec.options.width
    left = tuple(side // 2**HALVINGS for side in spec.shape[1:])
    return nn.Sequential(
        *convolution(spec.shape[0], width),
        *_halved(width, 2 * width),
        Skip(2 * width),
        *_halved(2 * width, 4 * width),
        *_halved(4 * width, 8 * width),
        Skip(8 * width),
        nn.MaxPool2d(left),
        nn.Flatten(),
        *dropout(spec.options.dropout),
        nn.Linear(8 * width, spec.outputs),
    )


def _halved(inputs: int, outputs: int) -> list[nn.Module]:
    return [*convolution(inputs, outputs), nn.MaxPool2d(2)]
