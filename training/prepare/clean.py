"""Rows that a model must not see twice, or under two names, are taken out of the index."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.prepare.index import Dropped, Index, natural
from training.prepare.reader import DUPLICATE, TWO_CLASSES, Reader


def drop_doubles(index: Index, reader: Reader) -> None:
    """Of rows with the same content the first by name stays; where they are of two classes, none does."""
    for rows in _same_content(index):
        named = sorted(
            ((reader.name(number), number) for number in rows.tolist()), key=lambda row: (natural(row[0]), row)
        )
        classes = sorted({index.labels[code] for code in index.codes[rows]})
        reason, detail = TWO_CLASSES, " and ".join(classes)
        if len(classes) == 1:
            reason, detail = DUPLICATE, f"same as {named.pop(0)[0]}"
        dropped = index.dropped.setdefault(reason, Dropped())
        for name, number in named:
            index.kept[number] = False
            dropped.add(f"{name} ({detail})")


def _same_content(index: Index) -> Iterator[NDArray[np.int64]]:
    """Numbers of the kept rows that are not alone with their content, one array for each content."""
    numbers = np.flatnonzero(index.kept)
    order = numbers[np.argsort(index.content[numbers], kind="stable")]
    sorted_content = index.content[order]
    first = np.concatenate([[True], sorted_content[1:] != sorted_content[:-1]]) if len(order) else np.empty(0, bool)
    starts = np.append(np.flatnonzero(first), len(order))
    for place in np.flatnonzero(np.diff(starts) > 1):
        yield order[starts[place] : starts[place + 1]]
