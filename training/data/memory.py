"""A part that is held in memory."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from training.data.types import Window

WINDOW_BYTES = 64 * 2**20  # of inputs: a shuffled window is a copy, and this bounds it


@dataclass(frozen=True, kw_only=True)
class MemoryPart:
    """`inputs` (n, ...) and `targets` (n,), as in DataSet."""

    inputs: Tensor
    targets: Tensor

    in_memory = True

    @property
    def rows(self) -> int:
        """Examples held."""
        return len(self.targets)

    def plan(self, generator: Generator | None) -> list[Window]:
        """Windows of at most WINDOW_BYTES of inputs; in stored order they are views, shuffled they are copies.

        The order is one torch.randperm over all rows, so it does not depend on the size of a window.
        """
        order = None if generator is None else torch.randperm(self.rows, generator=generator)
        row_bytes = self.inputs[:1].nbytes
        size = max(1, WINDOW_BYTES // max(1, row_bytes))
        return [self._window(order, start, min(start + size, self.rows)) for start in range(0, self.rows, size)]

    def _window(self, order: Tensor | None, start: int, end: int) -> Window:
        rows = slice(start, end) if order is None else order[start:end]
        return Window(end - start, lambda: (self.inputs[rows], self.targets[rows]))
