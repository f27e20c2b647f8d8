"""`--max` and `--max-of`: the limit of a month's cost, as several verbs take it."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

import typer


def limit(text: str) -> Decimal:
    """USD a month. Raises typer.BadParameter."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found < 0:
        raise typer.BadParameter(f"{text!r} is no amount; give USD a month, for example 200")
    return found


Max = Annotated[
    Decimal | None, typer.Option("--max", parser=limit, metavar="USD", help="refuse more a month: exit code 3")
]
MaxOf = Annotated[Literal["worst", "expected"], typer.Option("--max-of", help="the case that --max limits")]
