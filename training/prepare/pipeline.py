"""The data step from sources to a plan of parts, and from a plan to rows in a sink.

`plan` reads everything once and decides; `fill` reads what is kept once more and stores it. The command line fills
shards, a job that is given a folder of images fills memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.channel import PARTS
from training.data.labels import check_labels, check_parts, count_classes, sort_labels
from training.data.manifest import Description
from training.errors import DataError
from training.prepare.clean import drop_doubles
from training.prepare.divide import Division, divide
from training.prepare.find import open_sources
from training.prepare.index import OUT, Index, build
from training.prepare.options import PrepareOptions
from training.prepare.progress import Progress
from training.prepare.reader import Reader, Stored
from training.prepare.report import Report
from training.prepare.sink import Sink

REGRESSION, GENERATION = "regression", "generation"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is known before a row is stored."""

    reader: Reader
    stored: Stored
    labels: tuple[str, ...]
    division: Division
    targets: dict[str, NDArray[Any]]
    """Part -> class numbers int64 (zeros without classes), or float32 for regression, by place."""
    report: Report

    def described(self, options: PrepareOptions) -> Description:
        """For the manifest and the shards."""
        return Description(
            task=options.task,
            input=self.stored.input,
            labels=self.labels,
            vocabulary=self.stored.vocabulary,
            target=self.stored.target,
            grouped=bool(options.group),
        )


def plan(sources: Sequence[Path], options: PrepareOptions, workers: int, progress: Progress) -> Plan:
    """Index, clean and divide; raises DataError where what is left can be neither learnt nor tested."""
    reader = open_sources(sources, options, workers)
    index = build(reader, options.classes, progress.track("index", reader.scan()))
    drop_doubles(index, reader)
    if not index.kept.any():
        raise DataError(f"nothing is left to learn from: {_report(index, {}, ()).sentence() or 'no rows'}")
    labels = _number_classes(index, options)
    division = divide(index, options)
    targets = {
        part: _targets(index, division.numbers(number), options.task)
        for number, part in enumerate(PARTS)
        if (division.part == number).any()
    }
    report = _report(index, targets, labels)
    _check(report, options)
    stored = reader.settle(division.part != OUT, division.part == PARTS.index("train"))
    return Plan(reader=reader, stored=stored, labels=labels, division=division, targets=targets, report=report)


def fill(planned: Plan, sink: Sink, progress: Progress) -> None:
    """The second pass: every kept row to its place."""
    division = planned.division
    kept = division.part != OUT
    rows = progress.track("write", planned.reader.read(kept), int(kept.sum()), lambda item: len(item[0]))
    for numbers, inputs in rows:
        for number, part in enumerate(PARTS):
            some = division.part[numbers] == number
            if some.any():
                sink.put(part, division.place[numbers[some]], inputs[some])


def _number_classes(index: Index, options: PrepareOptions) -> tuple[str, ...]:
    """Number the classes in the order of --classes, or of their names; returns them."""
    if options.task.endswith((REGRESSION, GENERATION)):
        return ()
    present = [index.labels[code] for code in np.unique(index.codes[index.kept])]
    labels = options.classes or sort_labels(present)
    check_labels(labels, "what is left of the sources")
    numbers = np.array([labels.index(name) if name in labels else OUT for name in index.labels], np.int32)
    index.codes = np.where(index.kept, numbers[index.codes], OUT)
    index.labels = labels
    return labels


def _targets(index: Index, rows: NDArray[np.int64], task: str) -> NDArray[Any]:
    if task.endswith(REGRESSION):
        return index.values[rows]
    return np.zeros(len(rows), np.int64) if task.endswith(GENERATION) else index.codes[rows].astype(np.int64)


def _report(index: Index, targets: dict[str, NDArray[Any]], labels: tuple[str, ...]) -> Report:
    return Report(
        rows=len(index.kept),
        kept=int(index.kept.sum()),
        dropped=index.dropped,
        parts={part: len(rows) for part, rows in targets.items()},
        classes={part: count_classes(rows, labels) for part, rows in targets.items()} if labels else {},
    )


def _check(report: Report, options: PrepareOptions) -> None:
    """Raise DataError where the training or the test part lacks a class, or any row."""
    try:
        if report.classes.keys() >= {"train", "test"}:
            check_parts(report.classes)
        empty = [part for part in ("train", "test") if part not in report.parts]
        if empty:
            raise DataError(
                f"{report.kept} rows leave nothing for the {' and the '.join(empty)} part with --test-fraction "
                f"{options.test_fraction:g}{' and whole groups' if options.group else ''}; add rows"
            )
    except DataError as error:
        raise DataError("; ".join(filter(None, [str(error), report.sentence()]))) from None
