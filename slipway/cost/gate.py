"""`--max`: a limit on a month, and the words of its refusal (exit code 3).

It is held against the worst case unless told otherwise: that is what the settings allow, so it is what can be billed
without anybody changing anything. The expected case is the other choice, for a limit that means a plan and no promise.
"""

from decimal import Decimal
from typing import Literal

from slipway.cost.amounts import show
from slipway.cost.lines import CURRENCY, Estimate, Line

Case = Literal["worst", "expected"]
NAMED = 3


def refusal(found: Estimate, limit: Decimal, case: Case) -> str:
    """Why this estimate is refused; empty when it is within the limit and known whole."""
    amount: Decimal = getattr(found.whole, case)
    if found.gaps:
        return (
            f"the cost is not known whole, so nobody can say that it is within {show(limit)} {CURRENCY}/month: "
            + "; ".join(found.gaps)
        )
    if amount <= limit:
        return ""
    return (
        f"{_case(case)} {show(amount)} {CURRENCY}/month, more than the allowed {show(limit)} (--max). Most of it: "
        + "; ".join(_named(line, found, case) for line in _dearest(found, case))
    )


def _case(case: Case) -> str:
    return "the worst case is" if case == "worst" else "the expected cost is"


def _monthly(line: Line, found: Estimate, case: Case) -> Decimal:
    usd = line.usd
    times = getattr(found.usage.runs_a_month, case) if line.period == "run" else 1
    return getattr(usd, case) * times if usd else Decimal(0)


def _dearest(found: Estimate, case: Case) -> list[Line]:
    return sorted(found.lines, key=lambda line: _monthly(line, found, case), reverse=True)[:NAMED]


def _named(line: Line, found: Estimate, case: Case) -> str:
    lower = f", lower it by {line.lower}" if line.lower else ""
    return f"{line.resource}, {line.what}: {show(_monthly(line, found, case))}{lower}"
