"""Charts by matplotlib: drawn once, kept as pixels for PNG files and as SVG for a page that is light or dark.

Only Figure objects and the Agg and SVG canvases are used, never pyplot: nothing stays open, no global state changes
but for the time of `style()`. matplotlib is imported on first use; it takes half a second.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.quality.intervals import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, LINE, ACCENT, SECOND, PAPER = "#1f2328", "#59636e", "#d1d9e0", "#0969da", "#bc4c00", "#ffffff"
VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", ACCENT: "--accent", SECOND: "--second", PAPER: "--card"}
PNG_DPI = 110
RIGHT, TOP = 0.15, 0.36  # margins in inches, for the title and half a tick label
_STYLE: Any = {
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titley": 1.0,  # else the place is searched for by measuring every tick label
    "axes.titleweight": "bold",
    "figure.facecolor": PAPER,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is found on every machine
    "font.size": 8.5,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",  # text stays text: small, sharp, in the reader's font
    "svg.hashsalt": "slipway",  # the same figure gives the same bytes
    "text.color": INK,
    "text.parse_math": False,  # a label with dollar signs is a label
    "xtick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.color": MUTED,
    "ytick.major.size": 0,
}
_NUMBERED_IDS = re.compile(r' id="[A-Za-z0-9]+_\d+"')
_HEAD = re.compile(r"\A.*?(?=<svg)|<metadata>.*?</metadata>", re.DOTALL)
_SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"([^>]*>)')


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One chart: what it is called, how it is drawn, and its size and margins in inches."""

    title: str
    draw: "Callable[[Axes], None]"
    width: float = 4.0
    height: float = 2.6
    left: float = 0.55
    bottom: float = 0.48
    grid: bool = True
    on_page: bool = True
    """False: only the PNG file is wanted."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A panel as drawn: an <svg> element that takes its colors from the page, and pixels uint8 (H, W, 3)."""

    title: str
    svg: str
    pixels: Array


@contextmanager
def style() -> Iterator[None]:
    """matplotlib's settings while figures are made, and as they were before afterwards."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def render(panel: Panel) -> Picture:
    """Draw one panel, as SVG and as pixels; within `style()`."""
    figure = _figure(panel)
    return Picture(title=panel.title, svg=_svg(figure) if panel.on_page else "", pixels=_pixels(figure))


def beside(pictures: Sequence[Picture]) -> Array:
    """Pictures of equal height as one, uint8 (H, W, 3)."""
    return np.concatenate([picture.pixels for picture in pictures], axis=1)


def _pixels(figure: "Figure") -> Array:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(PNG_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _svg(figure: "Figure") -> str:
    """The <svg> element alone, with the page's colors, as wide as the page lets it be."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", facecolor="none", metadata={"Date": None})
    text = _NUMBERED_IDS.sub("", _HEAD.sub("", stream.getvalue()))
    text = _SIZE.sub(lambda found: found[1] + found[2], text, count=1)
    for color, variable in VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    return text


def _figure(panel: Panel) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(panel.width, panel.height))
    # tight_layout and constrained layout would draw everything twice to find the margins.
    box = (panel.left, panel.bottom, panel.width - panel.left - RIGHT, panel.height - panel.bottom - TOP)
    axes = figure.add_axes((box[0] / panel.width, box[1] / panel.height, box[2] / panel.width, box[3] / panel.height))
    axes.set_title(panel.title, pad=8)
    axes.set_axisbelow(True)
    axes.grid(panel.grid)
    panel.draw(axes)
    return figure
