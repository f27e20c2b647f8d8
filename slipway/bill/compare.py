"""Charged beside estimated: by what is counted, by run, by a thousand predictions, and each estimate's error."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from slipway.bill.explorer import Charge
from slipway.bill.measured import Measured
from slipway.cost.amounts import plain, show
from slipway.cost.lines import CURRENCY, Estimate, ratio
from slipway.cost.records import Record
from slipway.prices.book import HOURS_PER_MONTH, SECONDS_PER_HOUR, Book, PriceMissing
from slipway.runs import Run

SERVING = ("Hosting", "Volume:Hosting", "Serverless", "ServerlessProvisioned", "ServerlessProvisionedInference", "Data")
THOUSAND = 1000
MOST_PERCENT = 999
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Bill:
    """All that is known of a stack's cost in a period. `resources` are charges, or why there are none."""

    stack: str
    region: str
    since: date
    until: date
    charges: tuple[Charge, ...]
    measured: Measured
    estimate: Estimate
    records: tuple[Record, ...]
    resources: tuple[Charge, ...] | str
    book: Book

    @property
    def total(self) -> Decimal:
        return sum((charge.usd for charge in self.charges), Decimal(0))


def document(bill: Bill) -> Document:
    """The bill as plain text values; every format is made of these."""
    return {
        "stack": bill.stack,
        "region": bill.region,
        "currency": CURRENCY,
        "since": bill.since.isoformat(),
        "until": bill.until.isoformat(),
        "hours": plain(bill.measured.hours),
        "charged": show(bill.total),
        "estimated": show(bill.estimate.whole.expected),
        "difference": percent(bill.estimate.whole.expected, bill.total),
        "kinds": _kinds(bill),
        "runs": [_run(run, bill) for run in bill.measured.runs],
        "predictions": _predictions(bill),
        "estimates": [_recorded(record, bill) for record in bill.records],
        "resources": bill.resources if isinstance(bill.resources, str) else _resources(bill.resources),
        "notes": "Cost Explorer lags by up to a day: the last day is not complete.",
    }


def percent(estimated: Decimal, charged: Decimal) -> str:
    """How far an estimate was off, in percent of what was charged."""
    if not charged:
        return "nothing charged"
    share = 100 * ratio(estimated - charged, charged)
    return f"{share:+.1f}%" if share < MOST_PERCENT else f"over +{MOST_PERCENT}%"


def _kinds(bill: Bill) -> list[Document]:
    charged: dict[str, Decimal] = {}
    for charge in bill.charges:
        name = charge.key or f"{charge.service} {charge.usage_type}"
        charged[name] = charged.get(name, Decimal(0)) + charge.usd
    estimated = {key: span.expected for key, span in bill.estimate.by_key().items()}
    names = sorted({**charged, **estimated}, key=lambda name: (-charged.get(name, Decimal(0)), name))
    return [_kind(name, charged.get(name, Decimal(0)), estimated.get(name, Decimal(0))) for name in names]


def _kind(name: str, charged: Decimal, estimated: Decimal) -> Document:
    return {
        "what": name,
        "charged": show(charged),
        "estimated": show(estimated),
        "difference": percent(estimated, charged),
        "unit": CURRENCY,
    }


def _run(run: Run, bill: Bill) -> Document:
    """Billable seconds x instances x rate: AWS's own rule for a job's cost."""
    kind = run.instance.rsplit(" ", 1)[-1]
    billable, seconds = Decimal(str(run.billable_seconds or 0)), Decimal(str(run.seconds or 0))
    try:
        price = bill.book.instance(bill.region, "Training", kind)
        usd = show(billable * run.instances * price.usd / SECONDS_PER_HOUR)
    except PriceMissing:
        usd = "no price"
    saved = f"{100 * ratio(seconds - billable, seconds):.0f}%" if run.spot and seconds else ""
    facts = {"run": run.name, "status": run.status, "instances": run.instance, "seconds": plain(seconds)}
    return {**facts, "billable_seconds": plain(billable), "spot_saved": saved, "usd": usd, "unit": f"{CURRENCY}/run"}


def _predictions(bill: Bill) -> Document:
    count = bill.measured.predictions
    serving = sum((charge.usd for charge in bill.charges if _serves(charge.key)), Decimal(0))
    each = show(serving / count * THOUSAND) if count else "no requests"
    return {"requests": plain(count), "charged": show(serving), "usd": each, "unit": f"{CURRENCY}/1000 predictions"}


def _serves(key: str) -> bool:
    return key in SERVING or key.split(":")[0] in SERVING


def _recorded(record: Record, bill: Bill) -> Document:
    """An estimate that was made before, for the hours and runs that there were."""
    share, runs = bill.measured.hours / HOURS_PER_MONTH, len(bill.measured.runs)
    spans = record.month * share + record.run * runs
    return {
        "made": record.at.isoformat(timespec="seconds"),
        "low": show(spans.low),
        "expected": show(spans.expected),
        "worst": show(spans.worst),
        "error": percent(spans.expected, bill.total),
        "within": spans.low <= bill.total <= spans.worst,
        "unit": CURRENCY,
    }


def _resources(charges: Iterable[Charge]) -> list[Document]:
    usd: dict[str, Decimal] = {}
    for charge in charges:
        usd[charge.resource] = usd.get(charge.resource, Decimal(0)) + charge.usd
    return [{"resource": name, "usd": show(amount)} for name, amount in _dearest(usd)]


def _dearest(usd: Mapping[str, Decimal]) -> list[tuple[str, Decimal]]:
    return sorted(usd.items(), key=lambda entry: (-entry[1], entry[0]))
