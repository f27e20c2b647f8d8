"""The report's parts about the quality of a model: each function turns measured values into markup."""

from collections.abc import Sequence

import numpy as np

from inference.artifact import GateVerdict
from training.quality.calibration import Calibration
from training.quality.canvas import Picture
from training.quality.charts import confusion_title, short, shown_classes
from training.quality.classification import ClassTable
from training.quality.gate import NOT_WORSE, refusal
from training.quality.limits import option_of
from training.quality.markup import Html, table, tag
from training.quality.paired import PairedTest
from training.quality.record import OF_ANY_SIZE, Quality

MEANINGS = {
    "accuracy": ("Accuracy", "share of the test examples called right"),
    "loss": ("Log loss", "mean of -log(score of the true class), in nats"),
    "precision": ("Precision", "of the calls of a class, the share that was right; mean of the classes"),
    "recall": ("Recall", "of the examples of a class, the share that was found; mean of the classes"),
    "f1": ("F1", "harmonic mean of precision and recall; mean of the classes"),
    "auc": ("ROC AUC", "chance that an example of a class scores higher for it than another; mean of the classes"),
    "calibration_error": ("Calibration error", "mean distance of score and share right, expected calibration error"),
    "rmse": ("RMSE", "root of the mean squared error, in units of the target"),
    "mae": ("MAE", "mean absolute error, in units of the target"),
    "r2": ("R2", "share of the variance explained"),
    "median_error": ("Median error", "half of the errors are smaller, in units of the target"),
    "reconstruction": ("Reconstruction", "mean squared error of pixels scaled to 0..1"),
}
LISTED_CLASSES = 30
UPRIGHT_LETTERS = 3  # longer names stand upright over their columns


def tiles(quality: Quality) -> Html:
    """Every metric as a number with its interval."""
    cards = []
    for name, metric in quality.measured.items():
        interval = "interval unknown"
        if metric.low is not None and metric.high is not None:
            interval = f"{_brief(name, metric.low)} to {_brief(name, metric.high)}"
        number = tag("b", _brief(name, metric.value))
        cards.append(tag("div", MEANINGS[name][0], number, tag("span", interval, class_="interval"), class_="tile"))
    return tag("div", *cards, class_="tiles")


def gate(verdict: GateVerdict, baseline: PairedTest | None) -> Html:
    """Each check with its outcome, and what the paired test counted."""
    parts: list[str] = [tag("h2", "Quality gate")]
    rows: list[list[str]] = []
    for check in verdict.checks:
        outcome = tag("span", "passed", class_="good") if check.passed else tag("span", "refused", class_="bad")
        rule = f"{check.rule} {check.limit:g}"
        rows.append([check.metric, f"{check.value:.6g}", rule, option_of(check.metric, check.rule), outcome])
        if check.rule == NOT_WORSE:
            rows[-1][2] = f"{check.rule} ({check.limit:.6g})"
    if rows:
        parts.append(table(["metric", "value", "rule", "hyperparameter", "outcome"], rows, class_="left"))
    else:
        parts.append(tag("p", "No limit was set (see min_accuracy and its like), so every model passes."))
    if not verdict.passed:
        parts.append(tag("p", f"Refused: {refusal(verdict, baseline)}.", class_="bad"))
    if baseline is not None:
        parts.append(tag("p", _baseline(baseline)))
    return tag("section", *parts)


def charts(title: str, pictures: Sequence[Picture]) -> Html:
    """Charts beside each other, or nothing where there are none."""
    figures = [_figure(picture) for picture in pictures]
    return tag("section", tag("h2", title), tag("div", *figures, class_="charts")) if figures else Html("")


def calibrated(bins: Calibration, picture: Picture) -> Html:
    """The reliability diagram, and what chance alone would show."""
    words = (
        "On the dashed line a score means what it says: of all calls with a score of 0.9, 90% are right. Above it the "
        f"model is too modest, below it too sure. On this test part a perfectly calibrated model would show a "
        f"calibration error of up to {bins.by_chance:.4f} by chance."
    )
    return tag("section", tag("h2", "Calibration"), tag("p", words, class_="muted"), _figure(picture))


def classes(found: ClassTable, labels: tuple[str, ...]) -> Html:
    """A row for each class; of many the weakest, the others folded away."""
    head = ["class", "examples", "precision", "recall", "recall, 95% interval", "F1", "ROC AUC"]
    low, high = found.recall_interval()
    columns = [found.precision, found.recall, found.f1, found.auc]
    rows: list[list[str]] = []
    for row, label in enumerate(labels):
        precision, recall, f1, auc = (_share(column[row]) for column in columns)
        interval = "-" if np.isnan(low[row]) else f"{low[row]:.3f} to {high[row]:.3f}"
        rows.append([label, str(found.support[row]), precision, recall, interval, f1, auc])
    if len(rows) <= LISTED_CLASSES:
        return tag("section", tag("h2", "Classes"), table(head, rows))
    order = np.argsort(np.where(found.support > 0, found.f1, 2.0), kind="stable")
    weakest, others = ([rows[row] for row in part] for part in (order[:LISTED_CLASSES], order[LISTED_CLASSES:]))
    folded = tag("details", tag("summary", f"The other {len(others)} classes"), table(head, others))
    title = f"Classes: the {LISTED_CLASSES} with the lowest F1 of {len(labels)}"
    return tag("section", tag("h2", title), table(head, weakest), folded)


def matrix(confusion: np.ndarray, labels: tuple[str, ...]) -> Html:
    """Counts, shaded by their share of the row; int64 (C, C)."""
    chosen = shown_classes(confusion)
    share = confusion / np.maximum(confusion.sum(1), 1)[:, None]
    names = [short(labels[place]) for place in chosen]
    head = tag("tr", tag("th", "true \\ called"), *(tag("th", tag("span", name), scope="col") for name in names))
    body = []
    for row, name in zip(chosen, names, strict=True):
        cells = [_cell(int(confusion[row, column]), float(share[row, column])) for column in chosen]
        body.append(tag("tr", tag("th", name, scope="row"), *cells))
    look = "matrix upright" if max(map(len, names)) > UPRIGHT_LETTERS else "matrix"
    whole = tag("table", tag("thead", head), tag("tbody", *body), class_=look)
    words = "A row holds the examples of a class, a column what they were called; shades are shares of the row."
    return tag(
        "section",
        tag("h2", confusion_title(len(labels))),
        tag("p", words, class_="muted"),
        tag("div", whole, class_="scroll fit"),
    )


def notes(quality: Quality) -> Html:
    """What to know about the numbers."""
    words = f"{quality.examples:,} test examples. Under each number is its 95% interval: where it may lie for new data."
    meanings = [MEANINGS[name] for name in quality.measured]
    pairs = [element for title, meaning in meanings for element in (tag("dt", title), tag("dd", meaning))]
    explained = tag("details", tag("summary", "What the numbers mean"), tag("dl", *pairs))
    return tag("div", tag("p", " ".join([words, *quality.notes]), class_="muted"), explained)


def _figure(picture: Picture) -> Html:
    return tag("figure", Html(picture.svg), role="img", aria_label=picture.title)


def _cell(count: int, share: float) -> Html:
    if not count:
        return tag("td")
    return tag("td", str(count), style=f"background: rgba(var(--shade), {0.1 + 0.55 * share**0.5:.2f})")


def _brief(name: str, value: float) -> str:
    return f"{value:.4g}" if name in OF_ANY_SIZE else f"{value:.4f}"


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _baseline(test: PairedTest) -> str:
    interval = ""
    if test.difference.low is not None and test.difference.high is not None:
        interval = f" (95% interval {test.difference.low:+.4g} to {test.difference.high:+.4g})"
    return (
        f"Against the served model, on the same {test.n:,} examples: better on {test.ours_better:,}, worse on "
        f"{test.theirs_better:,}; {test.metric} better by {test.difference.value:+.4g}{interval}; "
        f"{test.method}, one-sided p = {test.p_value:.3g}."
    )
