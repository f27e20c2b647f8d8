"""A bill's document on a terminal and as markdown."""

from collections.abc import Iterable
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from slipway.bill.compare import Document
from slipway.cost.markdown import safe
from slipway.cost.markdown import table as markdown_table

KINDS = ("what", "charged", "estimated", "difference", "unit")
RUNS = ("run", "status", "instances", "seconds", "billable_seconds", "spot_saved", "usd", "unit")
ESTIMATES = ("made", "low", "expected", "worst", "error", "unit")
RESOURCES = ("resource", "usd")
WORDS = ("what", "run", "status", "instances", "made", "resource", "unit")


SMALL = Decimal("0.005")
"""USD: rows below it are in the totals and in JSON, not in the tables."""


def tables(found: Document) -> list[tuple[str, tuple[str, ...], list[Document]]]:
    """(title, columns, rows) of each part that has any."""
    listed = found["resources"] if isinstance(found["resources"], list) else []
    parts: list[tuple[str, tuple[str, ...], list[Document]]] = [
        (f"charged {found['since']} to {found['until']}", KINDS, _large(found["kinds"], "charged", "estimated")),
        ("runs", RUNS, found["runs"]),
        ("estimates made before", ESTIMATES, found["estimates"]),
        ("resources, the last 14 days", RESOURCES, _large(listed, "usd")),
    ]
    return [part for part in parts if part[2]]


def _large(rows: list[Document], *columns: str) -> list[Document]:
    return [row for row in rows if any(Decimal(row[column]) >= SMALL for column in columns)]


def sentences(found: Document) -> list[str]:
    """What the tables come to."""
    served = found["predictions"]
    each = served["usd"] if served["usd"] == "no requests" else f"{served['usd']} {served['unit']}"
    told = [
        f"Charged {found['charged']} USD; with the real durations the estimate is {found['estimated']} USD "
        f"({found['difference']}), in {found['hours']} hours.",
        f"Predictions: {served['requests']} requests, {each}.",
    ]
    if not found["estimates"]:
        told.append(
            f"No estimate of what is deployed was kept: slipway cost --stack {found['stack']} before the next up."
        )
    told += [found["resources"]] if isinstance(found["resources"], str) else []
    return [*told, found["notes"]]


def view(found: Document) -> RenderableType:
    """For a terminal."""
    parts: list[RenderableType] = []
    for title, columns, rows in tables(found):
        parts += [_table(title, columns, rows), ""]
    first, *rest = sentences(found)
    return Group(*parts, Text(first, "bold"), *(Text(one, "dim") for one in rest))


def markdown(found: Document) -> str:
    """For a pull request or a page."""
    parts = [f"## Bill of stack {safe(found['stack'])}", *map(safe, sentences(found))]
    for title, columns, rows in tables(found):
        cells = [[str(row[column]) for column in columns] for row in rows]
        parts += [f"### {safe(title)}", markdown_table(_titles(columns), cells)]
    return "\n\n".join(parts) + "\n"


def _table(title: str, columns: tuple[str, ...], rows: Iterable[Document]) -> Table:
    made = Table(
        box=None, header_style="dim", pad_edge=False, title=title, title_justify="left", title_style="bold cyan"
    )
    for column, name in zip(columns, _titles(columns), strict=True):
        made.add_column(name, justify="left" if column in WORDS else "right", overflow="fold")
    for row in rows:
        made.add_row(*(Text(str(row[column])) for column in columns))
    return made


def _titles(columns: Iterable[str]) -> list[str]:
    return [column.replace("_", " ") for column in columns]
