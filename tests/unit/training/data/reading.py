"""How tests read a part."""

import torch
from torch import Generator, Tensor

from training.data import Part


def everything(part: Part, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
    """All rows of one pass; every window has as many rows as it said."""
    windows = part.plan(generator)
    pieces = [window.read() for window in windows]
    for window, (inputs, targets) in zip(windows, pieces, strict=True):
        assert window.rows == len(inputs) == len(targets)
    assert part.rows == sum(window.rows for window in windows)
    return torch.cat([inputs for inputs, _ in pieces]), torch.cat([targets for _, targets in pieces])
