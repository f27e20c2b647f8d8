"""Everything that a bill is made of, asked for a stack."""

from datetime import UTC, date, datetime, time, timedelta

from slipway.bill.compare import Bill
from slipway.bill.explorer import by_resource, charges
from slipway.bill.measured import measure
from slipway.cost.estimate import estimate
from slipway.cost.planning import exported
from slipway.cost.records import Record, cloud_now, fingerprint, records
from slipway.errors import USAGE, SlipwayError
from slipway.prices.book import load
from slipway.project import Stack
from slipway.runs import find_runs
from slipway.state.files import state_files


def read_bill(stack: Stack, since: date | None) -> Bill:
    """The stack's bill since a day; without one, since the first of this month. Raises SlipwayError with the reason."""
    now = cloud_now(stack)
    begin = since or now.date().replace(day=1)
    if begin > now.date():
        raise SlipwayError(f"--since {begin} is in the future; today is {now.date()}", USAGE)
    until = now.date() + timedelta(days=1)  # the Cost Explorer does not include the last day
    book, plan = load(), exported(stack).after
    charged = charges(stack, begin, until)
    measured = measure(stack, plan, find_runs(stack), datetime.combine(begin, time(), UTC), now)
    found = by_resource(stack, until)
    return Bill(
        stack=stack.name,
        region=stack.region,
        since=begin,
        until=until,
        charges=tuple(charged),
        measured=measured,
        estimate=estimate(plan, book, measured.usage(), now.date()),
        records=tuple(_of_this(stack, fingerprint(plan, book))),
        resources=found if isinstance(found, str) else tuple(found),
        book=book,
    )


def _of_this(stack: Stack, mark: str) -> list[Record]:
    """The estimates that were made of what is deployed now."""
    try:
        return [record for record in records(state_files(stack), stack) if record.fingerprint == mark]
    except SlipwayError:
        return []  # a backend without files keeps none
