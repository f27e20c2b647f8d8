"""Moments against NumPy, however the rows are cut into windows."""

import dataclasses

import numpy as np
import pytest
import torch

from tests.unit.training.made_up import image_data, table_data
from training.data.types import Part, Window
from training.tasks.statistics import Moments, Statistics, measure


class Cut:
    """A part in windows of `size` rows."""

    in_memory = False

    def __init__(self, part: Part, size: int) -> None:
        self.rows, self.size = part.rows, size
        self.inputs, self.targets = part.plan(None)[0].read()

    def plan(self, generator: torch.Generator | None) -> list[Window]:
        cuts = [slice(start, min(start + self.size, self.rows)) for start in range(0, self.rows, self.size)]
        return [Window(cut.stop - cut.start, lambda cut=cut: (self.inputs[cut], self.targets[cut])) for cut in cuts]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_windows_of_any_size_give_the_moments_of_the_whole(size: int) -> None:
    data = table_data("tabular-regression", rows=50)
    found = measure(dataclasses.replace(data, train=Cut(data.train, size)), class_counts=True)
    rows, targets = (value.double().numpy() for value in data.train.plan(None)[0].read())
    assert found.columns is not None and found.target is not None and found.class_counts is None
    assert found.columns.mean.dtype == torch.float64
    np.testing.assert_allclose(found.columns.mean, np.nanmean(rows, 0), rtol=1e-12)
    np.testing.assert_array_equal(found.columns.count, (~np.isnan(rows)).sum(0))
    expected = np.nanstd(rows, 0)
    np.testing.assert_allclose(found.columns.scale(), np.where(expected == 0, 1.0, expected), rtol=1e-9)
    np.testing.assert_allclose(found.target.mean, targets.mean(), rtol=1e-12)
    np.testing.assert_allclose(found.target.scale(), targets.std(), rtol=1e-9)


def test_hosts_with_rows_of_their_own_find_what_one_host_would() -> None:
    data = table_data(rows=60)
    rows, targets = data.train.plan(None)[0].read()
    whole = Statistics(columns=Moments.of(rows), class_counts=torch.bincount(targets))
    halves = [
        Statistics(columns=Moments.of(rows[cut]), class_counts=torch.bincount(targets[cut], minlength=3))
        for cut in (slice(0, 13), slice(13, 60))
    ]
    merged = Statistics.merged(halves)
    assert merged.columns is not None and whole.columns is not None and merged.target is None
    torch.testing.assert_close(merged.columns.scale(), whole.columns.scale())
    assert torch.equal(merged.class_counts, whole.class_counts)


def test_a_deviation_far_below_the_mean_is_kept_and_rounding_is_none() -> None:
    values = torch.tensor([[1e8 + 1, 0.1], [1e8 + 2, 0.1], [1e8 + 3, 0.1]], dtype=torch.float64)
    moments = Moments.of(values[:1]).joined(Moments.of(values[1:]))
    torch.testing.assert_close(moments.scale(), torch.tensor([(2 / 3) ** 0.5, 1.0], dtype=torch.float64))


def test_an_empty_column_has_mean_0_and_scale_1() -> None:
    moments = Moments.of(torch.full((3, 1), torch.nan)).joined(Moments.of(torch.full((2, 1), torch.nan)))
    assert moments.mean.tolist() == [0.0] and moments.scale().tolist() == [1.0]


def test_no_row_is_read_where_nothing_has_to_be_known() -> None:
    class Unread(Cut):
        def plan(self, generator: torch.Generator | None) -> list[Window]:
            raise AssertionError("read")

    data = image_data((8, 8))
    unread = dataclasses.replace(data, train=Unread(data.train, 5))
    assert measure(unread, class_counts=False) == Statistics()
    with pytest.raises(AssertionError, match="read"):
        measure(unread, class_counts=True)
