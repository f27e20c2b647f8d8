"""What is drawn: each function fills the axes of one panel from plain numbers."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from training.quality.calibration import BINS, Calibration
from training.quality.canvas import ACCENT, INK, MUTED, PAPER, SECOND, Panel
from training.quality.classification import most_confused
from training.quality.intervals import Array
from training.quality.regression import Fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

History = Sequence[Mapping[str, float]]

MAX_POINTS = 300  # of a curve; more are thinned out, which nobody sees and drawing feels
MARKED_POINTS = 40  # a curve of so few points shows them
SHOWN_CLASSES = 30  # of a confusion matrix
MAX_COUNTS = 300  # numbers in a matrix; each takes 0.3 ms to draw, and the page has them all
NAME_LETTERS = 14


def curves(history: History) -> list[Panel]:
    """Loss, every validation metric but the loss, and learning rate, by step; none for an empty history."""
    names = {name for point in history for name in point}
    validation = sorted(name for name in names if name.startswith("validation_") and name != "validation_loss")
    title = _title(validation[0]) if len(validation) == 1 else "Validation"
    panels = [("Loss", ["loss", "validation_loss"]), (title, validation), ("Learning rate", ["learning_rate"])]
    return [
        Panel(title=title, draw=lambda axes, shown=shown: _lines(axes, history, shown))  # type: ignore[misc]
        for title, wanted in panels
        if (shown := [name for name in wanted if name in names])
    ]


def _lines(axes: "Axes", history: History, names: list[str]) -> None:
    for name, color in zip(names, [ACCENT, SECOND, MUTED, INK] * len(names), strict=False):
        points = [(point["step"], point[name]) for point in history if name in point]
        points = points[:: -(-len(points) // MAX_POINTS)]
        marker = "o" if len(points) <= MARKED_POINTS else ""
        axes.plot(*zip(*points, strict=True), color=color, marker=marker, markersize=3, label=_title(name))
    axes.set_xlabel("step")
    axes.margins(x=0.02)
    axes.locator_params(nbins=5)
    if len(names) > 1:
        axes.legend()


def reliability(bins: Calibration) -> Panel:
    """Share right by score, with Wilson's intervals, over the share of the examples in each bin."""

    def draw(axes: "Axes") -> None:
        filled = bins.count > 0
        places = (np.arange(BINS) + 0.5) / BINS
        axes.bar(places, bins.count / bins.count.sum(), 0.9 / BINS, color=MUTED, alpha=0.3, label="share of examples")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        reach = np.stack([bins.right - bins.low, bins.high - bins.right])[:, filled]
        axes.errorbar(
            bins.score[filled], bins.right[filled], reach, color=ACCENT, fmt="o", markersize=4, elinewidth=1.2,
            label="share right, 95% interval",
        )  # fmt: skip
        axes.set(xlim=(0, 1.02), ylim=(0, 1.04), xlabel="score of the called class")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)

    return Panel(title="Share right, by score", draw=draw, height=3.5, bottom=0.78)


def predicted(fit: Fit) -> list[Panel]:
    """Predicted against true values, and the error against the predicted value."""

    def against(axes: "Axes") -> None:
        ends = [fit.targets.min(), fit.targets.max()]
        axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.scatter(fit.targets, fit.predictions, s=9, color=ACCENT, alpha=0.55, linewidths=0)
        axes.set(xlabel="true value")

    def residuals(axes: "Axes") -> None:
        axes.axhline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.scatter(fit.predictions, fit.predictions - fit.targets, s=9, color=ACCENT, alpha=0.55, linewidths=0)
        axes.set(xlabel="predicted value")

    return [
        Panel(title="Predicted value", draw=against, height=3.2),
        Panel(title="Error: predicted - true", draw=residuals, height=3.2),
    ]


def shown_classes(confusion: Array) -> Array:
    """Places of the classes that a confusion matrix (C, C) shows: all, or SHOWN_CLASSES that are confused most often.

    Of many classes, the pairs with the most mistakes come in together, so that their mistakes are seen.
    """
    if len(confusion) <= SHOWN_CLASSES:
        return np.arange(len(confusion))
    chosen: dict[int, None] = {}
    for true, called, _ in most_confused(confusion, SHOWN_CLASSES**2):
        if len(chosen.keys() | {true, called}) <= SHOWN_CLASSES:
            chosen |= {true: None, called: None}
    others = (place for place in range(len(confusion)) if place not in chosen)
    return np.sort([*chosen, *islice(others, SHOWN_CLASSES - len(chosen))])


def confusion_title(classes: int) -> str:
    """Says so where not all classes are shown."""
    if classes <= SHOWN_CLASSES:
        return "Confusion matrix"
    return f"Confusion matrix: the {SHOWN_CLASSES} most confused of {classes} classes"


def confusion(matrix: Array, labels: Sequence[str]) -> Panel:
    """Counts, each cell shaded by its share of the row's examples."""
    chosen = shown_classes(matrix)
    counts = matrix[np.ix_(chosen, chosen)]
    share = counts / np.maximum(matrix[chosen].sum(1), 1)[:, None]
    names = [short(labels[place]) for place in chosen]
    margin = 0.45 + 0.075 * max(map(len, names))
    side = max(0.24 * len(names), 2.2)
    return Panel(
        title=confusion_title(len(matrix)),
        draw=lambda axes: _shade(axes, counts, share, names),
        width=side + margin + 0.4,
        height=side + margin + 0.4,
        left=margin,
        bottom=margin,
        grid=False,
        on_page=False,  # there it is a table
    )


def _shade(axes: "Axes", counts: Array, share: Array, names: list[str]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("shades", [PAPER, ACCENT])
    # The square root lifts a confusion of a few percent above the white of none.
    axes.imshow(np.sqrt(share), cmap=shades, vmin=0, vmax=1, aspect="auto")
    filled = np.argwhere(counts > 0)
    for row, column in filled if len(filled) <= MAX_COUNTS else []:
        color = PAPER if share[row, column] > 0.3 else INK
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=color, fontsize=7)
    axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="called", ylabel="true")
    axes.spines[:].set_visible(False)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def short(name: str) -> str:
    """A name that fits beside a matrix: its start and its end."""
    if len(name) <= NAME_LETTERS:
        return name
    return f"{name[: NAME_LETTERS - 6]}\u2026{name[-5:]}"  # names often differ only at their end
