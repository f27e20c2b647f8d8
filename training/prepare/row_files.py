"""Files of rows (CSV, JSONL, Parquet) as sources of the data step: their parts, and where a row came from."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class RowSource:
    """One file."""

    path: Path
    label: str
    """Its name for the report: without a folder of this machine."""
    part: str
    """train, validation, test, or empty."""


@dataclass(kw_only=True)
class RowNames:
    """Numbers of rows over several files -> "file row n". Filled while the files are first read."""

    sources: Sequence[RowSource]
    _starts: list[int] = field(default_factory=list)

    def begin(self, start: int) -> None:
        """The next file's first row has the number `start`."""
        self._starts.append(start)

    def name(self, number: int) -> str:
        """Row 1 is the first after a header."""
        place = bisect_right(self._starts, number) - 1
        return f"{self.sources[place].label} row {number - self._starts[place] + 1}"
