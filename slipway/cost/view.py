"""An estimate's document on a terminal, and as plain lines in a pipe."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from slipway.cost.document import Document
from slipway.cost.markdown import FIGURES, at_least, notes, signed

PIPE_COLUMNS = 160


def view(found: Document, *, explain: bool = False) -> RenderableType:
    """The lines by resource, then the totals."""
    parts: list[RenderableType] = [_lines(found)]
    if explain:
        parts += ["", *_explained(found)]
    if found.get("changes") is not None:
        parts += ["", _changes(found)]
    parts += ["", _totals(found), "", Text(notes(found), "dim")]
    return Group(*parts)


def show_on(console: Console, shown: RenderableType) -> None:
    """On a terminal to its width; in a pipe wide enough that no row is folded, without colours."""
    if console.is_terminal:
        console.print(shown)
    else:
        Console(file=console.file, width=PIPE_COLUMNS, no_color=True, highlight=False).print(shown)


def _table(title: str, columns: Iterable[str]) -> Table:
    made = Table(box=None, header_style="dim", pad_edge=False, expand=False)
    made.add_column(title, ratio=1, overflow="fold")
    for column in columns:
        figure = column in FIGURES
        made.add_column(column, justify="right" if figure else "left", no_wrap=True)
    return made


def _lines(found: Document) -> Table:
    made = _table(f"USD in {found['region']}", (*FIGURES, "a"))
    for section, rows in groupby(found["summary"], lambda one: one["section"]):
        made.add_row(Text(str(section), "bold cyan"))
        for one in rows:
            made.add_row(Text(f"  {one['what']}"), *_figures(one), Text(one["unit"].split("/")[1], "dim"))
    for one in found["unknown"]:
        made.add_row(Text(f"{one['resource']}: {one['reason']} ({one['type']})", "yellow"))
    return made


def _figures(one: Document) -> Iterator[Text]:
    small = one["worst"].startswith("0.0") or one["worst"] == "0.00"
    for part in FIGURES:
        style = "yellow" if not one[part][:1].isdigit() else "dim" if small else "bold" if part == "expected" else ""
        yield Text(one[part], style)


def _explained(found: Document) -> Iterator[RenderableType]:
    for one in found["lines"]:
        yield Text(f"{one['resource']}: {one['what']}", "bold")
        quantity = one["quantity"]
        amounts = " / ".join(quantity[part] for part in FIGURES)
        told = [f"{amounts} {one['of']} x {one['price']}", one["assumption"], f"price: {one['origin']}"]
        told += [f"lower it by {one['lower']}"] if one["lower"] else []
        yield Padding(Text("\n".join(told), "yellow" if one["old"] else "dim"), (0, 0, 0, 2))


def _changes(found: Document) -> Table:
    made = _table("against what is deployed now, USD/month", FIGURES)
    for one in found["changes"]:
        made.add_row(one["resource"], *(Text(signed(one[part])) for part in FIGURES))
    if not found["changes"]:
        made.add_row(Text("nothing changes", "dim"))
    return made


def _totals(found: Document) -> Table:
    made = _table("total", (*FIGURES, "unit"))
    for one in found["totals"]:
        figures = (Text(f"{at_least(found)}{one[part]}", "bold") for part in FIGURES)
        made.add_row(Text(one["what"], "bold"), *figures, one["unit"])
    return made
