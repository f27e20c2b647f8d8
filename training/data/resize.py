"""Images that are in memory -> the size and the channels that were asked for."""

import torch
from torch import Tensor
from torch.nn import functional

CHUNK_ROWS = 4096  # images that are float32 at once


def resize(images: Tensor, size: int, channels: int, maximum: float) -> Tensor:
    """(n, H, W) uint8 or float32 -> (n, size, size), or (n, size, size, 3) with 3 channels; 0 leaves it as it is.

    Bilinear with pixel centres at half coordinates (align_corners=False), and antialiased where images get smaller, so
    values stay within 0..maximum. uint8 stays uint8, rounded.
    """
    side = size or images.shape[1]
    if side != images.shape[1]:
        images = torch.cat([_resized(chunk, side, maximum) for chunk in images.split(CHUNK_ROWS)])
    return images.unsqueeze(-1).repeat(1, 1, 1, 3) if channels == 3 else images


def _resized(images: Tensor, side: int, maximum: float) -> Tensor:
    values = functional.interpolate(
        images.unsqueeze(1).float(),
        size=(side, side),
        mode="bilinear",
        align_corners=False,
        antialias=side < images.shape[1],
    ).squeeze(1)
    values = values.clamp(0.0, maximum)
    return values.round().to(torch.uint8) if images.dtype == torch.uint8 else values
