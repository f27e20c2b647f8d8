"""A part that is too large for memory: whole shards are read one after the other, a few at a time.

Reading whole files from their beginning is what FastFile (files fetched from S3 as they are read) is fast at. Each
pass takes the shards in another order and shuffles the rows of a few of them together; the data step has already
put the rows into the shards in random order, so this is as good as a shuffle of all.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Generator, Tensor

from training.data.shards import AGAIN, Shard, read_rows
from training.data.types import Window
from training.errors import DataError

SHARDS_AT_ONCE = 2


@dataclass(frozen=True, kw_only=True)
class StreamedPart:
    """The rows of `shards` in `folder`. Memory: the rows of SHARDS_AT_ONCE shards, and one file."""

    folder: Path
    shards: tuple[Shard, ...]
    shape: tuple[int, ...]
    """Of one input."""
    without_targets: bool = False
    """Targets are zeros whatever the shards hold (generation)."""
    _checked: set[str] = field(default_factory=set)

    in_memory = False

    @property
    def rows(self) -> int:
        """Examples of one pass."""
        return sum(shard.rows for shard in self.shards)

    def plan(self, generator: Generator | None) -> list[Window]:
        """In stored order a window a shard; shuffled, a window for each SHARDS_AT_ONCE shards."""
        if generator is None:
            return [self._window([shard], None) for shard in self.shards]
        order = torch.randperm(len(self.shards), generator=generator).tolist()
        groups = [order[start : start + SHARDS_AT_ONCE] for start in range(0, len(order), SHARDS_AT_ONCE)]
        seeds = torch.randint(2**62, (len(groups),), generator=generator).tolist()
        return [
            self._window([self.shards[number] for number in group], seed)
            for group, seed in zip(groups, seeds, strict=True)
        ]

    def read_all(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets of all rows, in stored order."""
        return self._read(list(self.shards), None)

    def _window(self, shards: list[Shard], seed: int | None) -> Window:
        return Window(sum(shard.rows for shard in shards), lambda: self._read(shards, seed))

    def _read(self, shards: list[Shard], seed: int | None) -> tuple[Tensor, Tensor]:
        """The rows of `shards`, put where the shuffle wants them as each file is read."""
        rows = sum(shard.rows for shard in shards)
        place = None if seed is None else torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
        inputs, targets = torch.empty(0), torch.empty(0)
        start = 0
        for shard in shards:
            some_inputs, some_targets = self._read_one(shard)
            if start == 0:
                inputs = some_inputs.new_empty((rows, *self.shape))
                targets = some_targets.new_empty(rows)
            where = slice(start, start + shard.rows) if place is None else place[start : start + shard.rows]
            inputs[where], targets[where] = some_inputs, some_targets
            start += shard.rows
        return inputs, torch.zeros(rows, dtype=torch.int64) if self.without_targets else targets

    def _read_one(self, shard: Shard) -> tuple[Tensor, Tensor]:
        inputs, targets = read_rows(self.folder, shard, check=shard.file not in self._checked)
        if inputs.shape[1:] != self.shape:
            raise DataError(
                f"{self.folder / shard.file} holds inputs of shape {inputs.shape[1:]}, expected {self.shape}; {AGAIN}"
            )
        self._checked.add(shard.file)
        return torch.from_numpy(inputs), torch.from_numpy(targets)
