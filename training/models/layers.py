"""What several of the image models are made of."""

from torch import nn

from training.errors import ConfigError
from training.models.registry import ModelSpec


def convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """A 3x3 convolution that keeps height and width (at stride 1), batch norm, ReLU."""
    return [
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def dropout(share: float) -> list[nn.Module]:
    """A dropout layer, or none where nothing is dropped."""
    return [nn.Dropout(share)] if share > 0 else []


def check_side(spec: ModelSpec, least: int) -> None:
    """Raises ConfigError where the images are smaller than `least` pixels in height or width."""
    height, width = spec.shape[1:]
    if min(height, width) < least:
        raise ConfigError(
            f"model: {spec.options.model} with depth {spec.options.depth} halves the images too often for "
            f"{height}x{width} pixels; it takes {least}x{least} or more: lower depth, or set image_size={least}"
        )
