"""Curves in a terminal: braille characters, eight dots each; a table where there is no terminal.

slipway plot latest
slipway plot latest | head        # one line a point
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from slipway.history import VALIDATION, Point, names, series
from slipway.significance import LOWER_IS_BETTER

# Dot (column, row) of a character's 2 x 4 dots -> its bit (Unicode, Braille Patterns).
BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
BLANK = 0x2800
AXIS, TICK = "\u2502", "\u2524"
COLORS = ("cyan", "magenta", "yellow", "green")
HEIGHT, LOW_HEIGHT = 10, 5  # lines of characters
MOST_WIDTH = 100
LABEL_WIDTH = 10
LOSSES = ("loss", "validation_loss")
LEARNING_RATE = "learning_rate"

Curve = Sequence[tuple[float, float]]
"""(x, y) in order of x."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The window of a chart, and its size in dots."""

    left: float
    right: float
    bottom: float
    top: float
    columns: int
    rows: int

    def column(self, x: float) -> int:
        return round((x - self.left) / ((self.right - self.left) or 1) * (self.columns - 1))

    def row(self, y: float) -> int:
        """0 is the lowest."""
        return round((y - self.bottom) / ((self.top - self.bottom) or 1) * (self.rows - 1))


def plots(points: Sequence[Point], width: int) -> RenderableType:
    """All charts of a run, one under the other, within `width` characters."""
    width = min(width, MOST_WIDTH)
    measured = names(points)
    charts = [[name for name in LOSSES if name in measured]]
    charts += [[name] for name in measured if name.startswith(VALIDATION) and name not in LOSSES]
    charts += [[LEARNING_RATE]] if LEARNING_RATE in measured else []
    parts: list[RenderableType] = []
    for shown in filter(None, charts):
        curves = {name: series(points, name) for name in shown}
        parts += [_legend(curves, points), *chart(list(curves.values()), width, _height(shown)), Text()]
    return Group(*parts[:-1])


def _height(shown: list[str]) -> int:
    return LOW_HEIGHT if shown == [LEARNING_RATE] else HEIGHT


def chart(curves: Sequence[Curve], width: int, height: int) -> list[Text]:
    """`height` lines of `width` characters with the curves and their scale, and a line with the steps below."""
    xs, ys = ([pair[axis] for curve in curves for pair in curve] for axis in (0, 1))
    cells = width - LABEL_WIDTH - 2
    frame = Frame(left=min(xs), right=max(xs), bottom=min(ys), top=max(ys), columns=2 * cells, rows=4 * height)
    dots: dict[tuple[int, int], tuple[int, int]] = {}  # character (line, place) -> its bits, the curve drawn last
    for number, curve in enumerate(curves):
        for column, row in _line(curve, frame):
            place = (frame.rows - 1 - row) // 4, column // 2
            bit = BITS[column % 2][(frame.rows - 1 - row) % 4]
            dots[place] = dots.get(place, (0, 0))[0] | bit, number
    lines = [_row(line, dots, cells, _label(frame, line, height)) for line in range(height)]
    first, last = f"step {frame.left:g}", f"{frame.right:g}"
    lines.append(Text(" " * (LABEL_WIDTH + 2) + first + last.rjust(cells - len(first)), "dim"))
    return lines


def _line(curve: Curve, frame: Frame) -> list[tuple[int, int]]:
    """The dots of a curve: its points, joined by straight lines without gaps."""
    found = [(frame.column(x), frame.row(y)) for x, y in curve]
    joined = found[:1]
    for (x0, y0), (x1, y1) in pairwise(found):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        joined += [(x0 + round((x1 - x0) * n / steps), y0 + round((y1 - y0) * n / steps)) for n in range(1, steps + 1)]
    return joined


def _row(line: int, dots: dict[tuple[int, int], tuple[int, int]], cells: int, label: str) -> Text:
    text = Text(f"{label:>{LABEL_WIDTH}} ", "dim")
    text.append(TICK if label else AXIS, "dim")
    for place in range(cells):
        bits, number = dots.get((line, place), (0, 0))
        text.append(chr(BLANK + bits), COLORS[number % len(COLORS)])
    return text


def _label(frame: Frame, line: int, height: int) -> str:
    if line not in (0, height // 2, height - 1):
        return ""
    return f"{frame.top - (frame.top - frame.bottom) * line / (height - 1):.4g}"


def _legend(curves: Mapping[str, Curve], points: Sequence[Point]) -> Text:
    """Each name in its curve's color, with its last value and, of a validation, the best."""
    text = Text()
    epochs = {point["step"]: point["epoch"] for point in points if "epoch" in point}
    for (name, curve), color in zip(curves.items(), COLORS, strict=False):
        text.append(f"{'   ' if text else ''}{name} ", f"bold {color}")
        text.append(f"{curve[-1][1]:.4g}")
        if name.startswith(VALIDATION):
            best = (min if name.endswith(LOWER_IS_BETTER) else max)(curve, key=lambda pair: pair[1])
            text.append(f" (best {best[1]:.4g} in epoch {epochs.get(best[0], 0):g})", "dim")
    return text


def table(points: Sequence[Point]) -> Table:
    """One line a point, for pipes."""
    columns = ["step", "epoch", *names(points)]
    shown = Table(box=None, pad_edge=False)
    for name in columns:
        shown.add_column(name, justify="right")
    for point in points:
        shown.add_row(*[f"{point[name]:.6g}" if name in point else "-" for name in columns])
    return shown
