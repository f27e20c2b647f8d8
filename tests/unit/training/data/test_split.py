"""The splits are scikit-learn's, bit for bit."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from training.data.split import plain_split, stratified_split
from training.errors import DataError


@pytest.mark.parametrize("fraction", [0.2, 0.35])
@pytest.mark.parametrize("seed", range(8))
def test_the_stratified_split_agrees_on_any_labels(seed: int, fraction: float) -> None:
    """Uneven and tied class sizes exercise the drawing of remainders."""
    targets = np.repeat(np.arange(5), np.random.default_rng(seed).integers(2, 9, 5) * 3)
    np.random.default_rng(seed).shuffle(targets)
    theirs = train_test_split(np.arange(len(targets)), test_size=fraction, random_state=0, stratify=targets)
    for ours, their in zip(stratified_split(targets, fraction), theirs, strict=True):
        np.testing.assert_array_equal(ours, their)


@pytest.mark.parametrize("rows", [2, 7, 100])
def test_the_plain_split_agrees(rows: int) -> None:
    theirs = train_test_split(np.arange(rows), test_size=0.2, random_state=0)
    for ours, their in zip(plain_split(rows, 0.2), theirs, strict=True):
        np.testing.assert_array_equal(ours, their)


@pytest.mark.parametrize("targets", [[0, 0, 0, 1], [0, 0, 1, 1, 2, 2]])
def test_too_few_rows_are_refused(targets: list[int]) -> None:
    with pytest.raises(DataError, match=f"{len(targets)} rows of .* cannot be split"):
        stratified_split(np.array(targets), 0.2)
    with pytest.raises(DataError, match="1 rows cannot be split"):
        plain_split(1, 0.2)
