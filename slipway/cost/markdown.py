"""An estimate's document as markdown: a part of a pull request's comment, or a page of its own."""

import re
from collections.abc import Iterable

from slipway.cost.document import Document

SHOWN = 12
FIGURES = ("low", "expected", "worst")


def markdown(found: Document, *, explain: bool = False, whole: bool = True, level: str = "##") -> str:
    """Totals first, then the dearest lines (all of them where `whole`), then what is not in the totals."""
    parts = [f"{level} Cost in {found['region']}", _totals(found)]
    if found.get("changes") is not None:
        parts += ["**Against what is deployed now**", _changes(found["changes"], whole)]
    head: tuple[str, ...] = ("for", "what", *FIGURES, "unit")
    rows = found["summary"] if whole else _dearest(found["summary"])
    shown = table(head, [(one["section"], one["what"], *_figures(one), one["unit"]) for one in rows])
    more = len(found["summary"]) - len(rows)
    parts.append(shown + (f"\n\n... and {more} smaller line(s): `slipway cost`" if more else ""))
    if explain:
        head = ("resource", "what", "assumption", "what would lower it", "price from")
        told = [
            (one["resource"], one["what"], one["assumption"], one["lower"], one["origin"]) for one in found["lines"]
        ]
        parts += ["**Why**", table(head, told)]
    parts.append(safe(notes(found)))
    return "\n\n".join(parts) + "\n"


def notes(found: Document) -> str:
    """What a reader must know of the figures."""
    old = sum(one["old"] for one in found["lines"])
    derived = sum(one["derived"] for one in found["lines"])
    told = [f"AWS's public list prices as of {found['prices_as_of']}, without tax and free tier."]
    told += [f"{derived} of {len(found['lines'])} lines use a price derived from others."] if derived else []
    told += [f"{old} use a price older than 180 days: slipway prices refresh."] if old else []
    told += [f"Not in the totals: {'; '.join(found['gaps'])}."] if found["gaps"] else []
    return " ".join(told)


def at_least(found: Document) -> str:
    """Before a total that misses something."""
    return "" if found["complete"] else "at least "


def _totals(found: Document) -> str:
    rows = [
        (one["what"], *(f"{at_least(found)}{one[part]}" for part in FIGURES), one["unit"]) for one in found["totals"]
    ]
    return table(("total", *FIGURES, "unit"), rows)


def _changes(changes: list[Document], whole: bool) -> str:
    if not changes:
        return "Nothing changes."
    shown = changes if whole else changes[:SHOWN]
    rows = [(one["resource"], *(signed(one[part]) for part in FIGURES), one["unit"]) for one in shown]
    more = len(changes) - len(shown)
    return table(("resource", *FIGURES, "unit"), rows) + (f"\n\n... and {more} smaller change(s)." if more else "")


def signed(figure: str) -> str:
    """A difference with its sign."""
    return figure if figure.startswith("-") or figure.strip("0.") == "" else f"+{figure}"


def _figures(one: Document) -> Iterable[str]:
    return (one[part] for part in FIGURES)


def _dearest(lines: list[Document]) -> list[Document]:
    def worst(line: Document) -> float:  # for the order only
        return float(line["worst"]) if line["worst"][:1].isdigit() else float("inf")

    chosen = sorted(lines, key=worst, reverse=True)[:SHOWN]
    return [line for line in lines if line in chosen]


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of markdown; what would break out of a cell is replaced."""
    titles = list(head)
    lines = [titles, ["---:" if title in FIGURES else "---" for title in titles], *rows]
    return "\n".join("| " + " | ".join(safe(cell) for cell in row) + " |" for row in lines)


def safe(text: str) -> str:
    """Text that markdown takes as it is: names come from programs, and nobody is mentioned."""
    return re.sub(r"([\\`*_{}\[\]<>#|~@])", r"\\\1", " ".join(text.split())).replace("\\@", "@\u200b")
