"""What was spent, and what will have been: the spending of the last days goes on. AWS's own model is not published."""

from decimal import Decimal
from functools import cached_property

from localaws.cloud import Cloud
from localaws.money import bill, ledger
from localaws.money.bill import Charge
from localaws.money.filters import Test

LOOK_BACK_SECONDS = 7 * 24 * 3600
ZERO = Decimal(0)


class Bills:
    """Parts of the bill, each made once: many budgets ask for the same ones. For one look, not to be kept."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._made: dict[tuple[float, float], list[Charge]] = {}

    def spent(self, chosen: Test, begin: float, end: float) -> Decimal:
        """USD of the charges of a time that pass the test."""
        if (begin, end) not in self._made:
            self._made[begin, end] = list(bill.charges(self._cloud, begin, end))
        return sum((one.usd for one in self._made[begin, end] if one.usd is not None and chosen(one)), ZERO)

    def rate(self, chosen: Test, at: float) -> Decimal | None:
        """USD a second over the last week before a time, or since anything was used; None where nothing has been."""
        if self._first is None or self._first >= at:
            return None
        begin = max(self._first, at - LOOK_BACK_SECONDS)
        return self.spent(chosen, begin, at) / Decimal(at - begin)

    @cached_property
    def _first(self) -> float | None:
        return min((begin for begin, _ in ledger.of(self._cloud).spans()), default=None)
