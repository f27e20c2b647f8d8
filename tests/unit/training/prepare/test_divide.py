"""Parts: exact shares of each class, whole groups, and never the same content on two sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.prepare.divide import TEST, TRAIN, VALIDATION, divide
from training.prepare.index import OUT, Index
from training.prepare.options import PrepareOptions
from training.prepare.reader import digest


def _index(codes: list[int], groups: list[int] | None = None) -> Index:
    rows = len(codes)
    contents = b"".join(digest(str(row)) for row in range(rows))
    keys = contents if groups is None else b"".join(digest(f"group{group}") for group in groups)
    return Index(
        content=np.frombuffer(contents, "V16"),
        group=np.frombuffer(keys, "V16"),
        codes=np.array(codes, np.int32),
        values=np.zeros(rows, np.float32),
        given=np.full(rows, OUT, np.int8),
        kept=np.ones(rows, np.bool_),
        labels=tuple(map(str, range(max(codes) + 1))),
        dropped={},
    )


def _options(test: float, validation: float = 0.0, group: str = "") -> PrepareOptions:
    return PrepareOptions(task="image-classification", test_fraction=test, validation_fraction=validation, group=group)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(4, 40), min_size=2, max_size=5),
    st.floats(0.05, 0.5),
    st.sampled_from([0.0, 0.1, 0.3]),
    st.randoms(use_true_random=False),
)
def test_each_class_is_divided_in_the_same_shares(
    counts: list[int], test: float, validation: float, random: "np.random.Generator"
) -> None:
    codes = [code for code, count in enumerate(counts) for _ in range(count)]
    random.shuffle(codes)
    index = _index(codes)
    division = divide(index, _options(test, validation))
    for code, count in enumerate(counts):
        mine = division.part[index.codes == code]
        tested = max(1, round(test * count))
        assert (mine == TEST).sum() == tested
        assert (mine == VALIDATION).sum() == (max(1, round(validation * (count - tested))) if validation else 0)
    for part in (TRAIN, VALIDATION, TEST):
        places = division.place[division.part == part]
        assert sorted(places) == list(range(len(places)))
        assert (division.place[division.numbers(part)] == np.arange(len(places))).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), min_size=60, max_size=200))
def test_groups_stay_together(rows: list[tuple[int, int]]) -> None:
    codes, groups = [0, 1, 2] + [code for code, _ in rows], [100, 101, 102] + [group for _, group in rows]
    division = divide(_index(codes, groups), _options(0.3, 0.2, group="x"))
    for group in set(groups):
        assert len(set(division.part[np.array(groups) == group])) == 1
    assert (division.part == TEST).mean() < 0.6


@pytest.mark.parametrize("size", [1, 5])
def test_small_groups_give_the_shares_that_were_asked_for(size: int) -> None:
    groups = np.repeat(np.arange(200), size).tolist()
    codes = (np.array(groups) % 2).tolist()
    division = divide(_index(codes, groups), _options(0.2))
    assert (division.part == TEST).mean() == pytest.approx(0.2, abs=0.01)


def test_other_rows_do_not_change_the_order_of_the_rest() -> None:
    """Contents decide: rows keep their order in the training part when others come to the source."""
    few, many = _index([0, 1] * 20), _index([0, 1] * 30)
    order = [row for row in divide(many, _options(0.2)).numbers(TRAIN).tolist() if row < 40]
    kept = set(divide(few, _options(0.2)).numbers(TRAIN).tolist()) & set(order)
    assert [row for row in divide(few, _options(0.2)).numbers(TRAIN).tolist() if row in kept] == [
        row for row in order if row in kept
    ]
