"""The report of a run: `report.html`, one file that needs nothing else, and its plots as PNG files.

    warm()                            # early, in a helper process: importing matplotlib takes a second
    write_report(folder, data)        # 0.3 s for the digits

Files: report.html, curves.png, and by task confusion.png and calibration.png, fit.png (predicted against true, errors),
or reconstructions.png and samples.png.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inference.artifact import GateVerdict
from training.quality import charts, examples, sections
from training.quality.canvas import Panel, Picture, beside, render, style
from training.quality.cases import Case
from training.quality.evaluation import evaluate
from training.quality.markup import Html, table, tag, void
from training.quality.paired import PairedTest
from training.quality.pictures import Pictures, enlarge, grid, png, strips
from training.quality.record import Quality
from training.quality.stylesheet import STYLESHEET

# Nothing may be loaded and nothing may run, whatever a label or a text of the data set says.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
MAX_CLASSES_BESIDE = 12  # a larger confusion matrix takes the page's whole width


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything a report shows: numbers, arrays of numpy and strings, so it can be sent to another process."""

    title: str
    """The run's name, or the model's."""

    quality: Quality
    verdict: GateVerdict
    baseline: PairedTest | None = None
    history: Sequence[Mapping[str, float]] = ()
    """{step, epoch, loss, learning_rate, validation_<metric>} as they were logged; keys may be missing."""

    cases: tuple[Case, ...] = ()
    pictures: Pictures | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Hyperparameter -> value."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    """What is known of the data: rows of each part, sha256, shape, ..."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """Phase -> seconds."""


def write_report(folder: Path, data: ReportData) -> list[Path]:
    """Write the files into `folder`, which is made where it is missing; returns their paths, report.html first.

    The digits (10 classes, 20 epochs, 24 examples) take 0.3 s of one core after `warm`: five small charts, each built
    once for both its forms, with margins and title given rather than searched for, and few ticks. Nearly all of it
    is matplotlib's drawing of text.
    """
    files = _files(data)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def warm() -> None:
    """Import matplotlib, find its fonts and draw one small report, so that the real one takes 0.3 s and not 2 s."""
    scores = np.array([[0.8, 0.2], [0.3, 0.7]], np.float32)
    quality = evaluate("image-classification", scores, np.array([0, 1]), ("a", "b"))
    history = [{"step": step, "loss": 1.0, "validation_loss": 1.0, "learning_rate": 0.1} for step in (0, 1)]
    verdict = GateVerdict(passed=True, checks=())
    # Nothing is written: the helper may be killed at any moment, and would leave it behind.
    _files(ReportData(title="", quality=quality, verdict=verdict, history=history))


def _files(data: ReportData) -> dict[str, bytes]:
    """Name -> content of every file of the report."""
    pictures = _draw(data)
    plots = {name: png(beside(shown)) for name, shown in pictures.items() if shown}
    return {"report.html": page(data, pictures).encode(), **plots, **_made(data)}


def page(data: ReportData, pictures: Mapping[str, Sequence[Picture]]) -> str:
    """The HTML document, with the charts of `_draw`."""
    quality, verdict = data.quality, data.verdict
    outcome = tag("span", "gate passed", class_="badge good")
    if not verdict.passed:
        outcome = tag("span", "gate refused", class_="badge bad")
    parts = [
        tag("header", tag("div", tag("h1", data.title), tag("span", quality.task, class_="muted")), outcome),
        sections.tiles(quality),
        sections.notes(quality),
        sections.gate(verdict, data.baseline),
        sections.charts("Training", pictures["curves.png"]),
        *_of_task(data, pictures),
        examples.hardest(quality.task, data.cases),
        _settings(data),
    ]
    head = [
        void("meta", charset="utf-8"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", data.title),
        tag("style", Html(STYLESHEET)),
    ]
    return "<!doctype html>\n" + tag("html", tag("head", *head), tag("body", tag("main", *parts)), lang="en")


def _of_task(data: ReportData, pictures: Mapping[str, Sequence[Picture]]) -> list[Html]:
    quality = data.quality
    parts = []
    if quality.classes is not None and quality.calibration is not None:
        confusion = sections.matrix(quality.classes.confusion, quality.labels)
        calibrated = sections.calibrated(quality.calibration, pictures["calibration.png"][0])
        pair = [confusion, calibrated]
        parts += [sections.classes(quality.classes, quality.labels)]
        parts += [tag("div", *pair, class_="columns")] if len(quality.labels) <= MAX_CLASSES_BESIDE else pair
    if quality.fit is not None:
        parts += [sections.charts("Predictions", pictures["fit.png"])]
    if data.pictures is not None:
        parts += [examples.pictures(data.pictures)]
    return parts


def _settings(data: ReportData) -> Html:
    seconds = {name: f"{value:.2f}" for name, value in data.seconds.items()}
    columns = []
    for title, found in (("Hyperparameters", data.settings), ("Data", data.facts), ("Seconds", seconds)):
        if found:
            rows = [[name, str(value)] for name, value in found.items()]
            columns.append(tag("div", tag("h3", title), table([], rows, class_="pairs")))
    return tag("section", tag("h2", "Run"), tag("div", *columns, class_="columns")) if columns else Html("")


def _draw(data: ReportData) -> dict[str, list[Picture]]:
    """File name -> its charts from left to right."""
    quality = data.quality
    panels: dict[str, list[Panel]] = {"curves.png": charts.curves(data.history)}
    if quality.classes is not None:
        panels["confusion.png"] = [charts.confusion(quality.classes.confusion, quality.labels)]
    if quality.calibration is not None:
        panels["calibration.png"] = [charts.reliability(quality.calibration)]
    if quality.fit is not None:
        panels["fit.png"] = charts.predicted(quality.fit)
    with style(), warnings.catch_warnings():
        # A label in a script that the plots' font lacks gets boxes there; the page shows it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        return {name: [render(panel) for panel in shown] for name, shown in panels.items()}


def _made(data: ReportData) -> dict[str, bytes]:
    made = data.pictures
    if made is None:
        return {}
    both = strips(enlarge(made.originals), enlarge(made.reconstructions))
    return {
        "reconstructions.png": png(both),
        "samples.png": png(grid(enlarge(made.samples), len(made.originals))),
    }
