"""The report's parts that show data: the hardest test examples, and the pictures that a generator made."""

from collections.abc import Mapping

from training.quality.cases import Case
from training.quality.markup import Html, table, tag, void
from training.quality.pictures import Pictures, data_uri, grid, strips

MAX_LETTERS = 400  # of a text
MAX_COLUMNS = 10  # of a table row
TITLES = {"classification": "Hardest examples", "regression": "Largest errors", "generation": "Worst reconstructions"}


def hardest(task: str, cases: tuple[Case, ...]) -> Html:
    """Images in a grid; texts and table rows in a table."""
    if not cases:
        return Html("")
    kind = task.rpartition("-")[2]
    parts: list[str] = [tag("h2", TITLES[kind])]
    if kind == "classification":
        parts.append(tag("p", _count(cases), class_="muted"))
    if isinstance(cases[0].shown, str | Mapping):
        names = [] if isinstance(cases[0].shown, str) else list(cases[0].shown)[:MAX_COLUMNS]
        head = ["row", "true", "predicted", "score" if kind == "classification" else "error", *(names or ["text"])]
        rows = [
            [f"#{case.row}", case.truth, _prediction(case), f"{case.number:.4g}", *_cells(case, names)]
            for case in cases
        ]
        parts.append(table(head, rows, class_="left" if names else "left words"))
    else:
        parts.append(tag("div", *(_picture(kind, case) for case in cases), class_="cases"))
    return tag("section", *parts)


def pictures(made: Pictures) -> Html:
    """Originals over reconstructions, and samples."""
    columns = len(made.originals)
    both = void("img", src=data_uri(strips(made.originals, made.reconstructions)), alt="reconstructions", class_="wide")
    samples = void("img", src=data_uri(grid(made.samples, columns)), alt="samples", class_="wide")
    return tag(
        "section",
        tag("h2", "Reconstructions and samples"),
        tag("figure", both, tag("figcaption", "Test images, each above its reconstruction")),
        tag("figure", samples, tag("figcaption", "New images, decoded from random codes")),
    )


def _count(cases: tuple[Case, ...]) -> str:
    wrong = sum(case.wrong for case in cases)
    right = len(cases) - wrong
    mistakes = f"The {wrong} worst mistakes" if wrong > 1 else "One mistake" if wrong else "No mistake"
    return f"{mistakes}, then the {right} least certain right answers." if right else f"{mistakes}."


def _picture(kind: str, case: Case) -> Html:
    assert not isinstance(case.shown, str | Mapping)
    image = void("img", src=data_uri(case.shown), alt=f"test example {case.row}")
    if kind == "classification":
        called = tag("div", "called ", _prediction(case), f" {case.number:.2f}")
        words = [tag("div", "true ", tag("b", case.truth)), called]
    else:
        words = [tag("div", f"error {case.number:.4g}")]
    return tag("figure", image, *words, class_="wrong" if case.wrong else "right", title=f"row {case.row}")


def _prediction(case: Case) -> Html:
    return tag("b", case.prediction, class_="bad" if case.wrong else "right")


def _cells(case: Case, names: list[str]) -> list[str]:
    """The table row's values of the columns `names`, or the text."""
    if isinstance(case.shown, Mapping):
        return [case.shown[name] for name in names]
    text = str(case.shown)
    return [text if len(text) <= MAX_LETTERS else f"{text[:MAX_LETTERS]}\u2026"]
