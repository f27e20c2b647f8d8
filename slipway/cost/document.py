"""An estimate as one document of plain text values: what `--json` prints, and what the table and markdown are made of.

Every figure in it went through `show`, so the three agree to the last digit.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from slipway.cost.amounts import NOTHING, Span, plain, show, total
from slipway.cost.assumptions import ASSUMED
from slipway.cost.lines import CURRENCY, Estimate, Line, rate
from slipway.cost.table import NOUNS, SECTIONS, section

Document = dict[str, Any]
NO_PRICE = "no price"


def document(found: Estimate, changes: Mapping[tuple[str, str], Span] | None = None) -> Document:
    """The estimate, and what changes by it where that was asked."""
    made: Document = {
        "currency": CURRENCY,
        "region": found.region,
        "prices_as_of": found.as_of.isoformat(),
        "today": found.today.isoformat(),
        "hours": plain(found.usage.hours),
        "complete": not found.gaps,
        "gaps": list(found.gaps),
        "totals": _totals(found),
        "summary": list(_summary(found)),
        "lines": [_line(line, found) for line in found.lines],
        "free": [{"resource": one.resource, "type": one.type, "reason": one.reason} for one in found.free],
        "unknown": [{"resource": one.resource, "type": one.type, "reason": one.reason} for one in found.unknown],
        "assumptions": {name: _assumption(found, name) for name in ASSUMED},
    }
    if changes is not None:
        made["changes"] = [
            {"resource": name, "type": kind, "unit": f"{CURRENCY}/month", **figures(span)}
            for (kind, name), span in sorted(changes.items(), key=lambda change: -abs(change[1].worst))
        ]
    return made


def figures(span: Span) -> dict[str, str]:
    """Low, expected and worst as they are shown."""
    return {"low": show(span.low), "expected": show(span.expected), "worst": show(span.worst)}


def _totals(found: Estimate) -> list[dict[str, str]]:
    """Each run, what stands all month, and a month with its runs."""
    runs = found.usage.runs_a_month
    totals = [{"what": "each run", "unit": f"{CURRENCY}/run", **figures(found.run)}] if found.trains else []
    totals.append({"what": "each month, without runs", "unit": f"{CURRENCY}/month", **figures(found.month)})
    if found.trains:
        counted = plain(runs.low) if runs.certain else f"{plain(runs.low)}, {plain(runs.expected)}, {plain(runs.worst)}"
        what = f"each month with its runs ({counted})"
        totals.append({"what": what, "unit": f"{CURRENCY}/month", **figures(found.whole)})
    return totals


def _summary(found: Estimate) -> Iterator[dict[str, Any]]:
    """The lines under headings, the dearest first; those of several resources that pay for the same are one row."""
    rows: dict[tuple[str, ...], list[Line]] = {}
    for line in found.lines:
        several = (line.type, line.key) if line.type in NOUNS else (line.type, line.key, line.resource, line.what)
        rows.setdefault((section(line.type), line.period, *several), []).append(line)
    order = list(dict.fromkeys(SECTIONS.values()))
    sums = {key: total(line.usd or NOTHING for line in lines) for key, lines in rows.items()}

    def place(key: tuple[str, ...]) -> tuple[int, Decimal]:
        return order.index(key[0]) if key[0] in order else len(order), -sums[key].worst

    for key in sorted(rows, key=place):
        lines = rows[key]
        old = " (old price)" if any(line.price and line.price.is_old(found.today) for line in lines) else ""
        what = lines[0].what if len(lines) == 1 else f"{len(lines)} {NOUNS[lines[0].type]}"
        unpriced = {"low": NO_PRICE, "expected": NO_PRICE, "worst": NO_PRICE}
        yield {
            "section": key[0],
            "what": what + old,
            "unit": f"{CURRENCY}/{lines[0].period}",
            **(unpriced if lines[0].price is None else figures(sums[key])),
        }


def _line(line: Line, found: Estimate) -> dict[str, Any]:
    usd, price = line.usd, line.price
    nothing = {"low": NO_PRICE, "expected": NO_PRICE, "worst": NO_PRICE}
    return {
        "resource": line.resource,
        "type": line.type,
        "what": line.what,
        "unit": f"{CURRENCY}/{line.period}",
        **(nothing if usd is None else figures(usd)),
        "quantity": {part: plain(getattr(line.quantity, part)) for part in ("low", "expected", "worst")},
        "of": line.unit,
        "key": line.key,
        "price": rate(price) if price else NO_PRICE,
        "origin": price.origin(found.today) if price else line.missing,
        "derived": bool(price and price.derived),
        "old": bool(price and price.is_old(found.today)),
        "assumption": line.assumption,
        "lower": line.lower,
    }


def _assumption(found: Estimate, name: str) -> dict[str, Any]:
    value: Span | Decimal | None = getattr(found.usage, name)
    span = value if isinstance(value, Span) else Span.of(value) if isinstance(value, Decimal) else None
    parts = None if span is None else {part: plain(getattr(span, part)) for part in ("low", "expected", "worst")}
    return {"value": parts, "why": found.usage.why(name)}


def changes_of(before: Estimate, after: Estimate) -> dict[tuple[str, str], Span]:
    """What each resource costs more (or less) a month than it does now; those that differ only."""
    old, new = before.by_resource(), after.by_resource()
    differences = {key: new.get(key, NOTHING) - old.get(key, NOTHING) for key in sorted({**old, **new})}
    return {key: span for key, span in differences.items() if any(figure != 0 for figure in vars(span).values())}
