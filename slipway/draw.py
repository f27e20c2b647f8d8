"""Small grey pictures: squares in 24-bit grey on a terminal, plain characters in a pipe."""

from collections.abc import Sequence

from rich.color import Color
from rich.style import Style
from rich.text import Text

SHADES = " .:-=+*#%@"
Picture = Sequence[Sequence[float]]


def blocks(picture: Picture, highest: float) -> list[Text]:
    """One Text a row of pixels; a pixel is two spaces wide, which makes it square.

    `picture` is rows of values from 0 (black) to `highest` (white).
    """
    lines = []
    for row in picture:
        line = Text()
        for value in row:
            line.append("  ", Style(bgcolor=_grey(value, highest)))
        lines.append(line)
    return lines


def characters(picture: Picture, highest: float) -> list[str]:
    """The same in plain characters, two a pixel."""
    return [
        "".join(SHADES[min(int(value / highest * len(SHADES)), len(SHADES) - 1)] * 2 for value in row)
        for row in picture
    ]


def _grey(value: float, highest: float) -> Color:
    level = round(max(0.0, min(1.0, value / highest)) * 255)
    return Color.from_rgb(level, level, level)
