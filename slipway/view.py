"""The steps of a long verb as people see them: a live list on a terminal, one plain line a step in a pipe.

with Steps(console) as steps:
    with steps.step("teardown") as step:
        step.show("12 of 35 resources")
        step.result = "35 resources deleted"
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

TITLE_WIDTH = 12


@dataclass
class Step:
    """One step: what it is doing now (`show`), and what it came to (`result`)."""

    title: str
    started: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    detail: str = ""
    result: str = ""
    failed: bool = False

    def show(self, detail: str) -> None:
        self.detail = detail


class Steps:
    """The list of steps on one console."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._steps: list[Step] = []
        self._spinner = Spinner("dots")
        self._live = Live(self, console=console, refresh_per_second=8, transient=False) if console.is_terminal else None

    def __enter__(self) -> "Steps":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step while the block runs; it failed when the block raises."""
        step = self.begin(title)
        try:
            yield step
        except BaseException:
            self.end(step, failed=True)
            raise
        self.end(step)

    def begin(self, title: str) -> Step:
        """The same without a block, for steps that overlap; ended with `end`."""
        step = Step(title)
        self._steps.append(step)
        return step

    def end(self, step: Step, *, failed: bool = False) -> None:
        """Stop the step's clock; in a pipe its line is printed now."""
        if step.seconds is not None:
            return
        step.seconds = time.monotonic() - step.started
        step.failed = failed
        if not self._live:
            mark = "failed" if failed else "ok"
            self.console.print(
                f"{step.title:<{TITLE_WIDTH}} {mark:<6} {step.seconds:5.1f} s  {step.result or step.detail}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )

    def line(self, step: Step, text: str, *, keep: bool = False) -> None:
        """A line of the step's own output: on a terminal the newest one unless `keep`, all of them in a pipe."""
        step.show(text)
        if keep or not self._live:
            self.console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)

    def note(self, renderable: RenderableType) -> None:
        """Print something under the steps so far; they stay above it."""
        if self._live:
            self._live.stop()
            self._steps.clear()
        self.console.print(renderable, highlight=False, soft_wrap=not self._live)
        if self._live:
            self._live = Live(self, console=self.console, refresh_per_second=8)
            self._live.start()

    def __rich__(self) -> RenderableType:
        return Group(*[self._row(step) for step in self._steps])

    def _row(self, step: Step) -> Table:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=1)
        row.add_column(width=TITLE_WIDTH)
        row.add_column(width=7, justify="right")
        row.add_column()
        running = step.seconds is None
        seconds = time.monotonic() - step.started if step.seconds is None else step.seconds
        mark: RenderableType = Text("✗", "bold red") if step.failed else Text("✓", "green")
        row.add_row(
            self._spinner if running else mark,
            Text(step.title, "bold" if running else ""),
            Text(f"{seconds:.1f} s", "cyan"),
            Text(step.detail if running else step.result or step.detail, "" if running else "dim"),
        )
        return row
