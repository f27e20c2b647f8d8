"""A part in memory: windows of bounded size, an order that the generator alone decides."""

import math

import pytest
import torch

from tests.unit.training.data.reading import everything
from training.data.memory import MemoryPart


def _part(rows: int) -> MemoryPart:
    return MemoryPart(inputs=torch.arange(rows * 4).view(rows, 2, 2), targets=torch.arange(rows))


def test_stored_order_without_a_generator_copies_nothing() -> None:
    part = _part(10)
    (window,) = part.plan(None)
    inputs, targets = window.read()
    assert targets.tolist() == list(range(10)) and inputs.data_ptr() == part.inputs.data_ptr()
    assert part.in_memory


@pytest.mark.parametrize("window_bytes", [1, 100, 2**20])
def test_the_order_does_not_depend_on_the_window(window_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.memory.WINDOW_BYTES", window_bytes)
    part = _part(50)
    inputs, targets = everything(part, torch.Generator().manual_seed(3))
    assert torch.equal(targets, torch.randperm(50, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(inputs[:, 0, 0], targets * 4)
    assert len(part.plan(None)) == math.ceil(50 / max(1, window_bytes // 32))


def test_all_draws_are_made_by_plan() -> None:
    generator = torch.Generator().manual_seed(0)
    windows = _part(20).plan(generator)
    state = generator.get_state()
    first, again = windows[0].read()[1], windows[0].read()[1]
    assert torch.equal(first, again) and torch.equal(generator.get_state(), state)
