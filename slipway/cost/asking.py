"""What an estimator is given: the plan, the price book, the assumptions, and past runs where they are known."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median

from slipway.cost.amounts import Span, plain
from slipway.cost.lines import Line, Period
from slipway.cost.planned import Planned, Resource
from slipway.cost.usage import Usage
from slipway.prices.book import HOURS_PER_MONTH, SECONDS_PER_HOUR, Book, PriceMissing

GIB = 2**30
SECONDS_PER_MONTH = HOURS_PER_MONTH * SECONDS_PER_HOUR


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """A completed run: seconds of one instance, and those of them that were billed."""

    name: str
    instance_type: str
    instances: int
    seconds: int
    billable_seconds: int
    spot: bool


@dataclass(frozen=True, kw_only=True)
class Past:
    """The stack's completed runs; `why` says why there are none where there are none."""

    runs: tuple[PastRun, ...] = ()
    why: str = ""

    def like(self, instance_type: str, instances: int) -> list[PastRun]:
        """Those on the same instances."""
        return [run for run in self.runs if (run.instance_type, run.instances) == (instance_type, instances)]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """One question: what does this plan cost?"""

    plan: Planned
    book: Book
    usage: Usage
    past: Past = field(default_factory=Past)

    def line(
        self,
        resource: Resource,
        what: str,
        key: str,
        quantity: Span,
        assumption: str,
        lower: str,
        period: Period = "month",
    ) -> Line:
        """`quantity` of what `key` counts, for a resource; without a price it says so."""
        price, missing, unit = None, "", ""
        try:
            price = self.book.price(self.plan.region, key)
            unit = price.unit
        except PriceMissing as error:
            missing = str(error)
        return Line(
            resource=resource.name,
            type=resource.type,
            what=what,
            period=period,
            key=key,
            unit=unit,
            quantity=quantity,
            price=price,
            missing=missing,
            assumption=assumption,
            lower=lower,
        )

    def assumed(self, name: str) -> str:
        """An assumption and its reason, in words."""
        span: Span | None = getattr(self.usage, name)
        return f"{words(span)} {name.replace('_', ' ')} ({self.usage.why(name)})" if span else self.usage.why(name)


Estimator = Callable[[Resource, Asking], Iterable[Line]]


def words(span: Span) -> str:
    """ "4", or "1 to 20, expected 4"."""
    if span.certain:
        return plain(span.expected)
    return f"{plain(span.low)} to {plain(span.worst)}, expected {plain(span.expected)}"


def middle(values: Iterable[int]) -> Decimal:
    """The median of at least one number."""
    return Decimal(str(median(values)))
