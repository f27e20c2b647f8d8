"""What a run says while it trains: one line an interval, which people and metric regexes both read.

    epoch=3/20 step=69/460 loss=0.5123 learning_rate=0.0100 examples_per_second=3456

On a terminal a bar with the time left stands below the lines; piped output has the lines alone.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

BAR_CELLS = 30
CLEAR = "\r\x1b[2K"


def silent() -> "Progress":
    """For the processes that leave the talking to the main one."""
    return Progress(report=lambda line: None, bar=False)


def print_line(line: str) -> None:
    """A line of the log, at once."""
    print(line, flush=True)


@dataclass(kw_only=True)
class Progress:
    """Lines go to `report`; with `bar`, standard output is a terminal and a bar is drawn on it."""

    report: Callable[[str], None] = print_line
    bar: bool = field(default_factory=lambda: sys.stdout.isatty())
    _began: float = field(default_factory=time.monotonic)
    _first: int | None = None

    def say(self, line: str) -> None:
        """Any line."""
        if self.bar:
            print(CLEAR, end="", flush=True)
        self.report(line)

    def train(self, point: dict[str, float], rate: float, *, total_steps: int, epochs: int) -> None:
        """The line of an interval: `point` has step, epoch, loss (mean since the last line) and learning_rate."""
        self.say(
            f"epoch={point['epoch']}/{epochs} step={point['step']}/{total_steps} loss={point['loss']:.4f} "
            f"learning_rate={point['learning_rate']:.4g} examples_per_second={rate:.0f}"
        )
        if self.bar:
            self._draw(int(point["step"]), total_steps)

    def validation(self, epoch: int, epochs: int, found: dict[str, float]) -> None:
        """The line of a validation; names begin with validation_."""
        values = " ".join(f"{name}={value:.4f}" for name, value in found.items())
        self.say(f"epoch={epoch}/{epochs} {values}")

    def _draw(self, step: int, total: int) -> None:
        if self._first is None:
            self._first = step
            self._began = time.monotonic()
        done = round(BAR_CELLS * step / total)
        left = ""
        if step > self._first:
            seconds = (time.monotonic() - self._began) / (step - self._first) * (total - step)
            left = f" {seconds // 60:.0f}:{seconds % 60:02.0f} left"
        end = CLEAR if step == total else ""
        print(f"\r[{'#' * done}{'.' * (BAR_CELLS - done)}] {step / total:4.0%}{left} ", end=end, flush=True)
