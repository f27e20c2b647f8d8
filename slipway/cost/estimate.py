"""A plan becomes an estimate: each resource through the table."""

from datetime import date

from slipway.cost.asking import Asking, Past
from slipway.cost.lines import Estimate, Free, Line
from slipway.cost.planned import Planned
from slipway.cost.table import FREE, NO_LINE, PRICED
from slipway.cost.usage import Usage
from slipway.prices.book import Book


def estimate(plan: Planned, book: Book, usage: Usage, today: date, past: Past | None = None) -> Estimate:
    """What the plan costs in `usage.hours`, at the book's prices. Nothing of it depends on the machine's clock."""
    asking = Asking(plan=plan, book=book, usage=usage, past=past or Past())
    lines: list[Line] = []
    free, unknown = [], []
    for resource in plan.resources:
        facts = {"resource": resource.name, "type": resource.type}
        if estimator := PRICED.get(resource.type):
            found = list(estimator(resource, asking))
            lines += found
            if not found:
                free.append(Free(**facts, reason=NO_LINE))
        elif reason := FREE.get(resource.type):
            free.append(Free(**facts, reason=reason))
        else:
            unknown.append(Free(**facts, reason="no rule knows this type: its cost is not in the totals"))
    return Estimate(
        region=plan.region,
        as_of=book.as_of,
        today=today,
        usage=usage,
        lines=tuple(lines),
        free=tuple(free),
        unknown=tuple(unknown),
    )
