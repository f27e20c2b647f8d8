"""Batches: one global order, whatever the windows, the processes and the step a run resumes at."""

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from training.batches import Batches, ahead, in_order
from training.data.memory import MemoryPart
from training.data.types import Window
from training.errors import ConfigError
from training.options import AugmentOptions
from training.processes import Processes

ROWS = 103


class Windowed:
    """The rows of a part in windows of so many, each in the order of its numbers."""

    in_memory = False

    def __init__(self, rows: int, size: int) -> None:
        self.rows, self.size = rows, size

    def plan(self, generator: torch.Generator | None) -> list[Window]:
        order = torch.arange(self.rows) if generator is None else torch.randperm(self.rows, generator=generator)
        return [Window(len(ids), lambda ids=ids: (ids[:, None].float(), ids)) for ids in order.split(self.size)]


def _batches(part: object, batch_size: int = 8, processes: Processes | None = None, **options: int) -> Batches:
    return Batches.create(
        part,  # type: ignore[arg-type]
        lambda rows: rows,
        AugmentOptions(**{"shift_pixels": 0, **options}),
        batch_size=batch_size,
        seed=3,
        processes=processes or Processes(),
    )


def _ids(batches: Iterator[tuple[Tensor, Tensor]]) -> list[list[int]]:
    return [targets.tolist() for _, targets in batches]


@pytest.mark.parametrize("size", [5, 8, 40, 1000])
def test_the_windows_do_not_change_the_batches(size: int) -> None:
    whole = _ids(_batches(Windowed(ROWS, ROWS)).epoch(2))
    assert _ids(_batches(Windowed(ROWS, size)).epoch(2)) == whole
    assert len(whole) == ROWS // 8 and len({i for batch in whole for i in batch}) == 8 * (ROWS // 8)
    assert whole != _ids(_batches(Windowed(ROWS, size)).epoch(3))


@pytest.mark.parametrize("first", [0, 1, 7, 11])
def test_an_epoch_resumed_at_any_step_goes_on_with_the_same_batches(first: int) -> None:
    part = Windowed(ROWS, 20)
    assert _ids(_batches(part).epoch(1, first)) == _ids(_batches(part).epoch(1))[first:]


@pytest.mark.parametrize("count", [2, 4])
def test_processes_share_each_batch(count: int) -> None:
    part = Windowed(ROWS, 20)
    shares = [_ids(_batches(part, processes=Processes(rank=r, count=count)).epoch(0)) for r in range(count)]
    assert [[i for part in parts for i in part] for parts in zip(*shares, strict=True)] == _ids(_batches(part).epoch(0))


def test_views_belong_to_the_example_not_to_the_process_or_the_step() -> None:
    images = torch.rand(40, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    part = MemoryPart(inputs=images, targets=torch.arange(40))
    whole = [inputs for inputs, _ in _batches(part, shift_pixels=2).epoch(0)]
    later = [inputs for inputs, _ in _batches(part, shift_pixels=2).epoch(0, 3)]
    halves = [
        [x for x, _ in _batches(part, processes=Processes(rank=r, count=2), shift_pixels=2).epoch(0)] for r in (0, 1)
    ]
    assert all(torch.equal(a, b) for a, b in zip(whole[3:], later, strict=True))
    assert all(torch.equal(a, torch.cat(pair)) for a, *pair in zip(whole, *halves, strict=True))


def test_hosts_with_rows_of_their_own_each_give_their_share() -> None:
    process = Processes(rank=1, count=2)  # one process on each of two hosts
    batches = Batches.create(
        Windowed(50, 50),
        lambda rows: rows,
        AugmentOptions(shift_pixels=0),
        batch_size=8,
        seed=0,
        processes=Processes(rank=process.rank, count=1),
        hosts=2,
    )
    assert batches.steps_per_epoch == 12 and {len(batch) for batch in _ids(batches.epoch(0))} == {4}


@pytest.mark.parametrize(
    ("rows", "batch_size", "count", "problem"),
    [
        (5, 8, 1, "batch_size: 8 is more than the 5 training examples; use less"),
        (50, 9, 2, "batch_size: 9 is not a multiple of the 2 processes; use 8"),
        (50, 1, 2, "batch_size: 1 is not a multiple of the 2 processes; use 2"),
    ],
)
def test_a_batch_that_cannot_be_is_refused(rows: int, batch_size: int, count: int, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        _batches(Windowed(rows, 10), batch_size, Processes(count=count))


def test_evaluation_sees_every_row_once_in_order() -> None:
    part = MemoryPart(inputs=torch.arange(10.0)[:, None], targets=torch.arange(10))
    assert [targets.tolist() for _, targets in in_order(part, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_what_reads_ahead_hands_its_failure_over_and_ends_with_its_reader() -> None:
    def failing() -> Iterator[tuple[Tensor, Tensor]]:
        yield torch.zeros(1), torch.zeros(1)
        raise OSError("the shard is gone")

    reader = ahead(failing(), 2)
    next(reader)
    with pytest.raises(OSError, match="the shard is gone"):
        next(reader)

    endless = ahead(iter(lambda: (torch.zeros(1), torch.zeros(1)), None), 2)
    next(endless)
    endless.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "batches"]
