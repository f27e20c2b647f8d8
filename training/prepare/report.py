"""What became of the rows: kept, left out and why; as report.json, as a table, and as sentences for a job's log."""

from dataclasses import dataclass
from typing import Any

from training.data.channel import PARTS
from training.prepare.index import Dropped

REPORT_NAME = "report.json"
WIDTH = 110  # of an example in the table


@dataclass(frozen=True, kw_only=True)
class Report:
    """Of one run of the data step."""

    rows: int
    kept: int
    dropped: dict[str, Dropped]
    classes: dict[str, dict[str, int]]
    """Part -> class -> rows; empty where there are no classes."""
    parts: dict[str, int]
    """Part -> rows."""

    def as_document(self) -> dict[str, Any]:
        """For report.json."""
        return {
            "rows": self.rows,
            "kept": self.kept,
            "left_out": {
                reason: {"rows": dropped.count, "examples": dropped.examples}
                for reason, dropped in sorted(self.dropped.items())
            },
            "parts": self.parts,
            "classes": self.classes,
        }

    def sentence(self) -> str:
        """One line; empty where nothing was left out."""
        reasons = [
            f"{dropped.count} {reason} ({dropped.examples[0]}{', ...' if dropped.count > 1 else ''})"
            for reason, dropped in sorted(self.dropped.items())
        ]
        return f"{self.rows - self.kept} of {self.rows} rows left out: {'; '.join(reasons)}" if reasons else ""

    def table(self) -> str:
        """For the terminal."""
        lines = [f"{self.kept} of {self.rows} rows kept"]
        if self.dropped:
            lines += ["", *_columns([("left out", "rows", "examples"), *self._reasons()])]
        heads = [part for part in PARTS if part in self.parts]
        counts = [(name, *(str(self.classes[part][name]) for part in heads)) for name in self.classes.get("train", {})]
        total = ("all", *(str(self.parts[part]) for part in heads))
        return "\n".join([*lines, "", *_columns([("class" if counts else "", *heads), *counts, total])])

    def _reasons(self) -> list[tuple[str, ...]]:
        return [
            (reason if first else "", str(dropped.count) if first else "", example[:WIDTH])
            for reason, dropped in sorted(self.dropped.items())
            for first, example in zip([True] + [False] * len(dropped.examples), dropped.examples, strict=False)
        ]


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Text in columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
