"""The report as people read it: problems first, then warnings, then what is in order."""

from collections.abc import Iterable, Iterator

from rich.markup import escape

from slipway.preflight.finding import Finding

MARKS = {"problem": "[red]✗[/]", "warning": "[yellow]![/]", "ok": "[green]✓[/]"}
WIDTH = 12


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """One line a finding, with rich's markup; what mends it is on the next."""
    ranked = sorted(findings, key=lambda one: list(MARKS).index(one.level))
    for one in ranked:
        needed = (
            f"; needed: {one.needed}" if one.needed and one.level != "ok" else f"; {one.needed}" if one.needed else ""
        )
        yield f"{MARKS[one.level]} {one.check:<{WIDTH}} {escape(one.found + needed)}"
        if one.mend:
            yield f"  {'':<{WIDTH}} [dim]{escape(one.mend)}[/]"
