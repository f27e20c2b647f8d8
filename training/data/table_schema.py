"""What a table's columns are, found out in one pass over its rows: numbers, categories, and the target.

A column is a number where every cell is one; otherwise it is a category with the values that occur.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from inference import artifact
from training.data.cells import as_numbers, as_texts, holds_numbers, text_array
from training.data.labels import check_labels, sort_labels
from training.data.rows import RowFile
from training.errors import DataError

MAX_CATEGORIES = 1000  # different values of a column of text; an id or a free text has more
REGRESSION = "tabular-regression"


@dataclass(frozen=True, kw_only=True)
class TableSchema:
    """The columns that are read, in order, and the one that is predicted."""

    columns: tuple[artifact.Column, ...]
    target: str
    values: tuple[str, ...] = ()
    """Cells of the target that stand for the classes; () for regression."""
    labels: tuple[str, ...] = ()
    """Names of the classes, one for each of `values`."""

    @property
    def input(self) -> artifact.InputSchema:
        """One row as the artifact describes it."""
        return artifact.InputSchema(
            kind="table", name="row", dtype="float32", shape=(len(self.columns),), columns=self.columns
        )


@dataclass(kw_only=True)
class _Seen:
    """What is known of one column so far."""

    name: str
    named: bool
    """It is the label: its values are wanted even if they are numbers."""
    values: set[str] = field(default_factory=set)
    filled: bool = False
    first_text: str = ""
    infinite: bool = False

    def add(self, array: pa.Array) -> None:
        numbers = as_numbers(array)
        if numbers is not None:
            self.filled |= not np.isnan(numbers).all()
            with np.errstate(over="ignore"):  # an overflow becomes infinity
                self.infinite |= bool(np.isinf(numbers.astype(np.float32)).any())
            if holds_numbers(array) and not self.named:
                return
        texts = [text for text in pc.unique(as_texts(array)).to_pylist() if text is not None]
        self.filled |= bool(texts)
        if numbers is None and not self.first_text:
            self.first_text = next(text for text in texts if as_numbers(text_array([text])) is None)
        if len(self.values) <= MAX_CATEGORIES:
            self.values.update(texts)

    @property
    def problem(self) -> str:
        """Why this can be no input; empty where it can."""
        if not self.filled:
            return f"column {self.name!r} has no value in any row; leave it out"
        if self.infinite and not self.first_text:
            return f"column {self.name!r} holds infinity, or a number too large for float32; scale it or leave it out"
        if self.first_text and len(self.values) > MAX_CATEGORIES:
            return (
                f"column {self.name!r} holds text ({self.first_text[:40]!r}) and more than {MAX_CATEGORIES} different "
                "values, too many for categories; leave it out, or make numbers of it"
            )
        return ""

    @property
    def column(self) -> artifact.Column:
        """As the artifact describes it."""
        return artifact.Column(name=self.name, categories=sort_labels(self.values) if self.first_text else ())


def find_schema(files: Sequence[RowFile], target: str, task: str, left_out: str = "") -> TableSchema:
    """Read all rows once. `target` empty: the last column. The column `left_out` is neither target nor input.

    Raises DataError that lists every bad column.
    """
    where, names = files[0].path.name, tuple(name for name in _same_columns(files) if name != left_out)
    target = target or names[-1]
    if target not in names:
        raise DataError(f"{where} has no column {target!r} (hyperparameter target); it has {', '.join(names)}")
    if len(names) < 2:
        raise DataError(f"{where} has only the column {target!r}; it needs columns to predict it from")
    seen = {name: _Seen(name=name, named=name == target and task != REGRESSION) for name in names}
    _look(files, seen)
    answer = seen.pop(target)
    problems = [column.problem for column in seen.values()]
    if task == REGRESSION and answer.first_text:
        problems.append(f"column {target!r}, the target, holds {answer.first_text[:40]!r}; {task} needs numbers")
    if any(problems):
        raise DataError(f"{where}: " + "; ".join(filter(None, problems)))
    values, labels = ((), ()) if task == REGRESSION else _classes(files[0], answer)
    return TableSchema(
        columns=tuple(column.column for column in seen.values()), target=target, values=values, labels=labels
    )


def _look(files: Sequence[RowFile], seen: Mapping[str, _Seen]) -> None:
    """Read all rows; raises DataError where there are none."""
    rows = 0
    for batch in (batch for file in files for batch in file.batches(list(seen))):
        rows += batch.num_rows
        for column, array in zip(seen.values(), batch.columns, strict=True):
            column.add(array)
    if not rows:
        raise DataError(f"{files[0].path.name} holds the columns' names but no rows; upload the file again")


def _classes(file: RowFile, answer: _Seen) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cells that stand for the classes, and the names of the classes."""
    values = sort_labels(answer.values)
    if file.classes and answer.name == file.columns[-1]:
        return tuple(map(str, range(len(file.classes)))), file.classes
    check_labels(values, f"{file.path.name}, column {answer.name!r},")
    return values, values


def _same_columns(files: Sequence[RowFile]) -> tuple[str, ...]:
    first = files[0]
    for file in files[1:]:
        if set(file.columns) != set(first.columns) or file.classes != first.classes:
            raise DataError(
                f"{file.path.name} has the columns {', '.join(file.columns)}, but {first.path.name} has "
                f"{', '.join(first.columns)}; all files of a table need the same"
            )
    return first.columns
