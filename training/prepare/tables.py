"""Tables: rows of numbers and categories. Two passes to index them: what a column is, then what its rows hold."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.rows import RowFile, open_rows
from training.data.table_rows import EncodedRows, encode
from training.data.table_schema import TableSchema, find_schema
from training.data.text_rows import read_cells
from training.prepare.options import PrepareOptions
from training.prepare.reader import NO_LABEL, Seen, Stored, digest
from training.prepare.row_files import RowNames, RowSource


class Tables:
    """All rows of the files.

    The same row with the same target is a duplicate. The same row with another target is not a mistake, as it is with
    images: two people of one age may differ in what is predicted. Such rows come into the same part.
    """

    def __init__(self, sources: Sequence[RowSource], options: PrepareOptions) -> None:
        self._sources = sources
        self._options = options
        self._names = RowNames(sources=sources)
        self._files = [open_rows(source.path) for source in sources]
        self._schema: TableSchema | None = None

    @property
    def schema(self) -> TableSchema:
        """Found out at the first use."""
        if self._schema is None:
            self._schema = find_schema(self._files, self._options.target, self._options.task, self._options.group)
        return self._schema

    def scan(self) -> Iterator[Seen]:
        """Read every row for its digest."""
        number = 0
        for source, file in zip(self._sources, self._files, strict=True):
            self._names.begin(number)
            groups = self._groups(file)
            for rows in encode(self.schema, [file]):
                yield from self._see(rows, groups, source.part)
                number += len(rows.targets)

    def name(self, number: int) -> str:
        """file row n"""
        return self._names.name(number)

    def settle(self, kept: NDArray[np.bool_], train: NDArray[np.bool_]) -> Stored:
        """float32 rows."""
        return Stored(input=self.schema.input, dtype="float32", target=self.schema.target)

    def read(self, kept: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """The second pass."""
        start = 0
        for rows in encode(self.schema, self._files):
            numbers = np.arange(start, start + len(rows.targets))
            some = kept[numbers]
            yield numbers[some], rows.inputs[some]
            start += len(rows.targets)

    def _see(self, rows: EncodedRows, groups: Iterator[bytes], part: str) -> Iterator[Seen]:
        labels = self.schema.labels
        for inputs, target, missing in zip(rows.inputs, rows.targets, rows.missing, strict=True):
            row, group = inputs.tobytes(), next(groups, b"")
            if missing:
                yield Seen(problem=NO_LABEL)
                continue
            yield Seen(
                content=digest(row, target.tobytes()),
                label=labels[target] if labels else "",
                value=0.0 if labels else float(target),
                group=group or digest(row),
                part=part,
            )

    def _groups(self, file: RowFile) -> Iterator[bytes]:
        """Of each row; none where groups are not asked for."""
        if self._options.group:
            for (group,) in read_cells(file, [self._options.group]):
                yield digest(group or "")
