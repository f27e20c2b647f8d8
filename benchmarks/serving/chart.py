"""The chart of the README: requests a second at 64 connections, as a share of what the raw model does by itself."""

from pathlib import Path
from typing import Any

TITLES = {"m1": "small CNN", "m2": "ResNet-9", "m3": "LSTM"}
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # the line does not strike a number through
OURS, OTHERS, INK = ("#1f5fa8", "#6fa3d8"), ("#9a9a9a", "#c4c4c4", "#dddddd"), "#333333"


def draw(document: dict[str, Any], path: Path) -> None:
    """Write the figures of report.document as SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "slipway"  # the same figures give the same file
    import matplotlib.pyplot as plt

    models = document["models"]
    figure, axes = plt.subplots(1, len(models), figsize=(9.5, 2.3), squeeze=False)
    for axis, (name, found) in zip(axes[0], models.items(), strict=True):
        _bars(axis, TITLES[name], found)
    figure.suptitle("Requests per second at 64 connections, and their share of the raw model", fontsize=9, color=INK)
    figure.text(0.99, 0.01, document["machine"], ha="right", fontsize=5.5, color="#777777")
    figure.tight_layout(rect=(0, 0.04, 1, 0.97))
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _bars(axis: Any, title: str, found: dict[str, Any]) -> None:
    names = list(found["servers"])[::-1]
    rates = [found["servers"][name] for name in names]
    ours, others = iter(OURS), iter(OTHERS)
    colours = {name: next(ours if name.startswith("ours") else others) for name in found["servers"]}
    axis.barh(names, rates, color=[colours[name] for name in names], height=0.7)
    axis.axvline(found["ceiling"], color="#b03030", linewidth=1)
    axis.set_title(f"{title} (line: raw model, {found['ceiling']:,}/s)", fontsize=7, color=INK)
    for place, rate in enumerate(rates):
        text = f" {rate:,} ({rate / found['ceiling']:.2f})"
        axis.text(rate, place, text, va="center", fontsize=6, color=INK, zorder=3, bbox=BEHIND)
    axis.set_xlim(0, max(*rates, found["ceiling"]) * 1.35)
    axis.tick_params(labelsize=6.5, length=0)
    axis.set_xticks([])
    for side in ("top", "right", "bottom"):
        axis.spines[side].set_visible(False)
