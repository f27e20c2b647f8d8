"""From windows of rows to batches on the device: order, share of this process, preprocessing, new views.

A pass over the data has one global order, drawn from (seed, epoch) alone; batch k is its rows k*B to (k+1)*B, and each
of W processes takes its own B/W rows of it. So neither a restart in the middle of an epoch nor another number of
processes changes what a step sees. Rows come in windows (training.data); the draws of the augmentation are made window
by window, one row of numbers for each example, for the same reason.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.augment import DRAWS, augment, is_on
from training.data.types import Part, Window
from training.errors import ConfigError
from training.options import AugmentOptions
from training.processes import Processes

Batch = tuple[Tensor, Tensor]
Rows = tuple[Tensor, Tensor, Tensor]  # inputs, targets, draws
CHUNK_BYTES = 8 * 2**20  # of raw inputs preprocessed at once: a small table whole, photographs a few batches at a time
AHEAD = 2  # chunks that wait ready while the loop trains, where reading or copying takes time


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Endless training batches of one process; `epoch(n)` is the nth pass.

    `preprocess` turns raw rows into what the model takes, on the device that it is called with.
    """

    part: Part
    preprocess: Callable[[Tensor], Tensor]
    augment: AugmentOptions
    batch_size: int
    seed: int
    processes: Processes
    steps_per_epoch: int

    @classmethod
    def create(
        cls,
        part: Part,
        preprocess: Callable[[Tensor], Tensor],
        augment: AugmentOptions,
        *,
        batch_size: int,
        seed: int,
        processes: Processes,
        hosts: int = 1,
    ) -> "Batches":
        """`hosts` > 1: each host holds rows of its own, and its processes share a batch of batch_size / hosts.

        Raises ConfigError where a batch is larger than the data or cannot be divided.
        """
        if batch_size % processes.count:
            raise ConfigError(
                f"batch_size: {batch_size} is not a multiple of the {processes.count} processes; "
                f"use {batch_size // processes.count * processes.count or processes.count}"
            )
        mine = batch_size // hosts
        steps = part.rows // mine
        if steps == 0:
            raise ConfigError(f"batch_size: {batch_size} is more than the {part.rows} training examples; use less")
        if hosts > 1:
            steps = processes.least(steps)
            local = Processes(
                rank=processes.local_rank,
                count=processes.local_count,
                local_rank=processes.local_rank,
                local_count=processes.local_count,
                device=processes.device,
            )
            seed += 7919 * (processes.rank // processes.local_count)  # each host shuffles its own rows
            processes = local
        return cls(
            part=part,
            preprocess=preprocess,
            augment=augment,
            batch_size=mine,
            seed=seed,
            processes=processes,
            steps_per_epoch=steps,
        )

    def epoch(self, number: int, first_step: int = 0) -> Iterator[Batch]:
        """This process's batches of pass `number`, from step `first_step` of it on.

        Inputs (batch_size / processes, ...) as the model takes them, targets (batch_size / processes,).
        """
        chunks = self._chunks(number, first_step)
        if not self.part.in_memory or self.processes.device.type == "cuda":
            chunks = ahead(chunks, AHEAD)
        own = self.batch_size // self.processes.count
        left = self.steps_per_epoch - first_step
        for inputs, targets in chunks:
            for batch in zip(inputs.split(own), targets.split(own), strict=True):
                yield batch
                left -= 1
                if left == 0:
                    return

    def _chunks(self, number: int, first_step: int) -> Iterator[Batch]:
        """Whole batches of this process, several at a time, ready for the model."""
        device = self.processes.device
        for inputs, targets, draws in self._whole_batches(number, first_step):
            inputs = self.preprocess(inputs.to(device, non_blocking=True))
            if is_on(self.augment):
                inputs = augment(inputs, draws.to(device), self.augment)
            yield inputs, targets.to(device, non_blocking=True)

    def _whole_batches(self, number: int, first_step: int) -> Iterator[Rows]:
        """This process's rows of whole batches, raw, in chunks; what fills no batch waits for the next window."""
        carry: Rows | None = None
        for rows in self._rows(number, first_step * self.batch_size):
            if carry is not None:
                rows = _joined(carry, rows)
            count = len(rows[0]) // self.batch_size * self.batch_size
            carry = _sliced(rows, count, len(rows[0])) if count < len(rows[0]) else None
            row_bytes = max(1, rows[0][:1].nbytes)
            chunk = max(1, CHUNK_BYTES // (row_bytes * self.batch_size)) * self.batch_size
            for start in range(0, count, chunk):
                yield self._own(_sliced(rows, start, min(start + chunk, count)))

    def _own(self, rows: Rows) -> Rows:
        """This process's share of each batch in `rows`."""
        if self.processes.count == 1:
            return rows
        own, rank = self.batch_size // self.processes.count, self.processes.rank
        inputs, targets, draws = (
            value.unflatten(0, (-1, self.batch_size))[:, rank * own : (rank + 1) * own].flatten(0, 1) for value in rows
        )
        return inputs, targets, draws

    def _rows(self, number: int, skipped: int) -> Iterator[Rows]:
        """All rows of the pass, in its order, without the first `skipped`."""
        for index, window in enumerate(self.part.plan(_generator(self.seed, number))):
            if window.rows <= skipped:
                skipped -= window.rows
                continue
            yield _sliced(self._read(window, number, index), skipped, window.rows)
            skipped = 0

    def _read(self, window: Window, number: int, index: int) -> Rows:
        inputs, targets = window.read()
        if not is_on(self.augment):
            return inputs, targets, torch.empty(window.rows, 0)
        return inputs, targets, torch.rand(window.rows, DRAWS, generator=_generator(self.seed, number, index))


def in_order(part: Part, rows: int) -> Iterator[Batch]:
    """Raw (inputs, targets) of a part in its stored order, at most `rows` at a time: for evaluation."""
    for window in part.plan(None):
        inputs, targets = window.read()
        yield from zip(inputs.split(rows), targets.split(rows), strict=True)


def ahead(chunks: Iterator[Batch], depth: int) -> Iterator[Batch]:
    """The same, made by a thread that stays up to `depth` chunks ahead; its exception is raised here."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(depth)
    enough = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not enough.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for chunk in chunks:
                put(chunk)
                if enough.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        enough.set()
        thread.join()


def _generator(*numbers: int) -> torch.Generator:
    """A generator seeded by all `numbers` together; near numbers give unrelated streams."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def _joined(first: Rows, second: Rows) -> Rows:
    inputs, targets, draws = (torch.cat(pair) for pair in zip(first, second, strict=True))
    return inputs, targets, draws


def _sliced(rows: Rows, start: int, end: int) -> Rows:
    inputs, targets, draws = (value[start:end] for value in rows)
    return inputs, targets, draws
