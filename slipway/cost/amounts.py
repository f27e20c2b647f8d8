"""Amounts of money and of things: low, expected and worst, as Decimals; and the one way in which they are shown.

Sums are made of exact amounts and rounded when shown, never before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

CENT = Decimal("0.01")
SMALLEST = Decimal("0.0001")
ZERO = Decimal(0)
Number = Decimal | int | str


@dataclass(frozen=True, kw_only=True)
class Span:
    """The least, the likely and the most of something: low <= expected <= worst."""

    low: Decimal
    expected: Decimal
    worst: Decimal

    @classmethod
    def of(cls, low: Number, expected: Number | None = None, worst: Number | None = None) -> "Span":
        """From one number (certain), or three."""
        likely = low if expected is None else expected
        return cls(low=Decimal(low), expected=Decimal(likely), worst=Decimal(likely if worst is None else worst))

    def __add__(self, other: "Span") -> "Span":
        return Span(low=self.low + other.low, expected=self.expected + other.expected, worst=self.worst + other.worst)

    def __sub__(self, other: "Span") -> "Span":
        """Each figure less the same figure of the other: a difference need not be ordered."""
        return Span(low=self.low - other.low, expected=self.expected - other.expected, worst=self.worst - other.worst)

    def __mul__(self, other: "Span | Number") -> "Span":
        by = other if isinstance(other, Span) else Span.of(other)
        return Span(low=self.low * by.low, expected=self.expected * by.expected, worst=self.worst * by.worst)

    def __truediv__(self, divisor: Number) -> "Span":
        by = Decimal(divisor)
        return Span(low=self.low / by, expected=self.expected / by, worst=self.worst / by)

    def clamp(self, least: Number, most: Number) -> "Span":
        """Each figure within these bounds."""
        return Span(
            low=_within(self.low, least, most),
            expected=_within(self.expected, least, most),
            worst=_within(self.worst, least, most),
        )

    @property
    def certain(self) -> bool:
        """Whether the three are the same."""
        return self.low == self.expected == self.worst


NOTHING = Span.of(0)


def _within(value: Decimal, least: Number, most: Number) -> Decimal:
    return min(max(value, Decimal(least)), Decimal(most))


def total(spans: Iterable[Span]) -> Span:
    """Their sum; nothing for none."""
    return sum(spans, NOTHING)


def show(amount: Decimal) -> str:
    """USD as everybody reads them here: to the cent; below a cent, the two digits that say something."""
    with localcontext(Context(rounding=ROUND_HALF_UP)):
        if SMALLEST <= abs(amount) < CENT:
            digits = Context(prec=2, rounding=ROUND_HALF_UP).create_decimal(amount).quantize(SMALLEST)
            return f"{digits.normalize():f}"
        return f"{amount.quantize(CENT):f}"


def plain(quantity: Decimal) -> str:
    """A quantity to six digits, without exponent and without zeros at its end."""
    rounded = Context(prec=6, rounding=ROUND_HALF_UP).create_decimal(quantity).normalize()
    return f"{rounded:f}"
