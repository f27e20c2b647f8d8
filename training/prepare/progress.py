"""How far the data step is: a bar on a terminal, a line now and then elsewhere, nothing inside a job."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import Protocol, TypeVar

LINE_EVERY_SECONDS = 5.0

T = TypeVar("T")


def _one(item: object) -> int:
    return 1


class Progress(Protocol):
    """Shows stages that take long, one after the other."""

    def track(
        self, stage: str, items: Iterable[T], total: int | None = None, rows: Callable[[T], int] = _one
    ) -> Iterator[T]:
        """The `items`, counted as they pass: `rows` of each, `total` in all where that is known."""
        ...


class Silent:
    """Shows nothing."""

    def track(
        self, stage: str, items: Iterable[T], total: int | None = None, rows: Callable[[T], int] = _one
    ) -> Iterator[T]:
        """As Progress says."""
        return iter(items)


class Lines:
    """Lines on stderr: one at the end of a stage, and one every LINE_EVERY_SECONDS before."""

    def track(
        self, stage: str, items: Iterable[T], total: int | None = None, rows: Callable[[T], int] = _one
    ) -> Iterator[T]:
        """As Progress says."""
        count, due = 0, time.monotonic() + LINE_EVERY_SECONDS
        for item in items:
            yield item
            count += rows(item)
            if time.monotonic() > due:
                self._line(f"{stage}: {count} rows{f' of {total}' if total else ''}")
                due += LINE_EVERY_SECONDS
        self._line(f"{stage}: {count} rows, done")

    def _line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Bar:
    """A bar of rich's on stderr."""

    def track(
        self, stage: str, items: Iterable[T], total: int | None = None, rows: Callable[[T], int] = _one
    ) -> Iterator[T]:
        """As Progress says."""
        from rich import progress
        from rich.console import Console

        columns = (*progress.Progress.get_default_columns(), progress.MofNCompleteColumn())
        with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(stage, total=total)
            for item in items:
                yield item
                bar.advance(task, rows(item))


def progress() -> Progress:
    """For the stderr that this process has; rich is not among the things that a job's image installs."""
    return Bar() if sys.stderr.isatty() and find_spec("rich") else Lines()
