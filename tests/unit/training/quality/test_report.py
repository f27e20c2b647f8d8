"""The report: what is in it, that it needs nothing else, and that nothing in it can run."""

import pickle
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.training.quality.scores import classifier, labels
from training.options import GateOptions
from training.quality import (
    Pictures,
    ReportData,
    evaluate,
    hardest_cases,
    judge,
    paired_test,
    to_pixels,
    warm,
    write_report,
)
from training.quality.charts import SHOWN_CLASSES, confusion, shown_classes

EVIL = "<script>alert('$x_1$')</script>"
HISTORY = [
    {"step": 10 * epoch, "epoch": epoch, "loss": 1 / epoch, "learning_rate": 0.01, "validation_accuracy": 0.9}
    for epoch in range(1, 6)
]
VOID = {"meta", "img"}


class Reader(HTMLParser):
    """Collects the text, the elements and the addresses, and checks that every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def read(folder: Path) -> Reader:
    return Reader((folder / "report.html").read_text(encoding="utf-8"))


def classification(names: tuple[str, ...], show: Any, task: str = "image-classification", **changes: Any) -> ReportData:
    scores, targets = classifier(80, len(names), 1.5, 0)
    quality = evaluate(task, scores, targets, names)
    baseline = paired_test(quality, quality)
    arguments: dict[str, Any] = {
        "title": "run-1",
        "quality": quality,
        "verdict": judge(quality, GateOptions(min_accuracy=0.999), baseline),
        "baseline": baseline,
        "history": HISTORY,
        "cases": hardest_cases(task, scores, targets, names, show),
        "settings": {"model": "cnn"},
        "facts": {"training examples": 320},
        "seconds": {"train": 1.5},
    }
    return ReportData(**arguments | changes)


def image(row: int) -> np.ndarray:
    return to_pixels(np.full((8, 8), row % 17), 0, 16)


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG\r\n")


def test_a_report_of_images_shows_everything(tmp_path: Path) -> None:
    data = classification(("cat", "dog", "owl"), image)
    written = write_report(tmp_path / "new", pickle.loads(pickle.dumps(data)))
    assert [path.name for path in written] == ["report.html", "curves.png", "confusion.png", "calibration.png"]
    assert all(is_png(path) for path in written[1:])
    page = read(tmp_path / "new")
    accuracy = data.quality.measured["accuracy"]
    for text in (
        "run-1", "gate refused", f"{accuracy.value:.4f}", f"{accuracy.low:.4f} to {accuracy.high:.4f}", "min_accuracy",
        "cat", "owl", "Confusion matrix", "Hardest examples", "training examples", "320", "Learning rate", "Loss",
        "not worse than served", "exact McNemar test", "is below the limit 0.999",
    ):  # fmt: skip
        assert text in page.text, text
    assert page.elements.count("svg") == 4 and page.elements.count("img") == 24
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)


def test_nothing_is_loaded_and_nothing_runs(tmp_path: Path) -> None:
    data = classification((EVIL, f'"{EVIL}', "c"), lambda row: f"{EVIL} {row}", task="text-classification")
    data = pickle.loads(pickle.dumps(data))
    changed = ReportData(
        **{name: getattr(data, name) for name in ("quality", "verdict", "cases", "history")},
        title=EVIL,
        settings={EVIL: EVIL},
        facts={EVIL: EVIL},
        seconds={EVIL: 1.0},
    )
    write_report(tmp_path, changed)
    page = read(tmp_path)
    raw = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "script" not in page.elements and "<script" not in raw
    assert page.text.count(EVIL) >= 10
    assert "default-src 'none'" in raw.replace("&#x27;", "'")
    assert set(re.findall(r"https?://[^\s\"'<]+", raw)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_table_rows_are_shown_by_column(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    targets = random.normal(size=40)
    outputs = (targets + random.normal(size=40))[:, None]
    quality = evaluate("tabular-regression", outputs, targets, ())
    worst = int(np.abs(outputs[:, 0] - targets).argmax())
    cases = hardest_cases("tabular-regression", outputs, targets, (), lambda row: {"age": f"age-{row}", "sex": "f"})
    assert cases[0].row == worst and len(cases) == 24
    verdict = judge(quality, GateOptions(), None)
    written = write_report(tmp_path, ReportData(title="t", quality=quality, verdict=verdict, cases=cases))
    assert [path.name for path in written] == ["report.html", "fit.png"]
    page = read(tmp_path)
    assert f"age-{worst}" in page.text and "Largest errors" in page.text and "No limit was set" in page.text


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
def test_generated_pictures(tmp_path: Path, shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    originals = random.integers(0, 256, (6, *shape), dtype=np.uint8)
    errors = random.random(30).astype(np.float32)
    quality = evaluate("image-generation", errors, np.zeros(30), ())
    cases = hardest_cases("image-generation", errors, np.zeros(30), (), lambda row: originals[row % 6], limit=3)
    assert [case.row for case in cases] == list(np.argsort(-errors)[:3])
    pictures = Pictures(originals=originals, reconstructions=originals[::-1], samples=originals)
    data = ReportData(
        title="vae", quality=quality, verdict=judge(quality, GateOptions(), None), cases=cases, pictures=pictures
    )
    written = write_report(tmp_path, data)
    assert [path.name for path in written] == ["report.html", "reconstructions.png", "samples.png"]
    assert all(is_png(path) for path in written[1:])
    assert "New images" in read(tmp_path).text


def test_the_worst_mistakes_come_first_then_the_least_certain_answers() -> None:
    scores = np.array([[0.9, 0.1], [0.3, 0.7], [0.45, 0.55], [0.6, 0.4], [0.01, 0.99]], np.float32)
    targets = np.array([0, 0, 0, 0, 0])
    cases = hardest_cases("image-classification", scores, targets, ("a", "b"), image, limit=4)
    assert [(case.row, case.wrong) for case in cases] == [(4, True), (1, True), (2, True), (3, False)]
    assert (cases[0].truth, cases[0].prediction, cases[0].number) == ("a", "b", pytest.approx(0.99))


def test_of_many_classes_the_most_confused_are_shown(tmp_path: Path) -> None:
    scores, targets = classifier(600, 200, 3.0, 0)
    quality = evaluate("image-classification", scores, targets, labels(200))
    table = quality.classes
    assert table is not None
    chosen = shown_classes(table.confusion)
    assert len(np.unique(chosen)) == SHOWN_CLASSES
    wrong = table.confusion - np.diag(np.diagonal(table.confusion))
    assert set(np.unravel_index(wrong.argmax(), wrong.shape)) <= set(chosen)
    assert confusion(table.confusion, labels(200)).height < 12  # inches
    data = ReportData(title="many", quality=quality, verdict=judge(quality, GateOptions(), None))
    write_report(tmp_path, data)
    page = read(tmp_path)
    assert "the 30 most confused of 200 classes" in page.text and "The other 170 classes" in page.text


def test_one_example_and_long_curves(tmp_path: Path) -> None:
    quality = evaluate("image-classification", np.array([[0.3, 0.7]], np.float32), np.array([0]), ("a", "b"))
    history = [{"step": step, "loss": 1.0, "learning_rate": 0.1} for step in range(5000)]
    verdict = judge(quality, GateOptions(), None)
    write_report(tmp_path, ReportData(title="one", quality=quality, verdict=verdict, history=history))
    assert "interval unknown" in read(tmp_path).text
    assert (tmp_path / "report.html").stat().st_size < 200_000


def test_matplotlib_is_left_as_it_was(tmp_path: Path) -> None:
    import matplotlib

    before, pyplot = dict(matplotlib.rcParams), "matplotlib.pyplot" in sys.modules
    warm()
    write_report(tmp_path, classification(("a", "b"), image))
    assert dict(matplotlib.rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == pyplot
