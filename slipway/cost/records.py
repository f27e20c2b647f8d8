"""Estimates that were made, kept beside the stack's state, so that `slipway bill` can say how good they were.

Each `slipway cost` of a real plan writes one into the backend, below `.pulumi/costs/<project>/<stack>/`, where whoever
may deploy the stack may write. An estimate counts once what it was made for is deployed: its fingerprint (what bills,
in which quantities) is then that of the stack.
"""

import hashlib
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from slipway.cost.amounts import Span
from slipway.cost.estimate import estimate
from slipway.cost.lines import Estimate
from slipway.cost.planned import Planned
from slipway.cost.usage import Usage
from slipway.prices.book import Book
from slipway.project import Stack
from slipway.state.files import Files

KEPT = 50
NAME = "%Y%m%dT%H%M%S%fZ"
CLOCK_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Record:
    """One estimate: when it was made, of what, and USD a month by the book's key."""

    at: datetime
    fingerprint: str
    month: Span
    runs_a_month: Span
    run: Span
    by_key: Mapping[str, Span]


def fingerprint(plan: Planned, book: Book) -> str:
    """Of all that bills in a plan, whatever is assumed about its use."""
    found = estimate(plan, book, Usage(), book.as_of)
    parts = sorted((line.type, line.resource, line.what, line.key, repr(line.quantity)) for line in found.lines)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def keep(files: Files, stack: Stack, found: Estimate, mark: str, now: datetime) -> None:
    """Write the estimate down; the oldest beyond KEPT go."""
    facts = {
        "at": now.isoformat(),
        "fingerprint": mark,
        "month": _texts(found.month),
        "run": _texts(found.run),
        "runs_a_month": _texts(found.usage.runs_a_month),
        "by_key": {key: _texts(span) for key, span in found.by_key().items()},
    }
    files.write(f"{_folder(stack)}/{now.astimezone(UTC).strftime(NAME)}.json", json.dumps(facts).encode())
    for name in sorted(files.names(_folder(stack)))[:-KEPT]:
        files.delete(name)


def records(files: Files, stack: Stack) -> list[Record]:
    """Those of the stack, oldest first."""
    return [_record(content) for name in sorted(files.names(_folder(stack))) if (content := files.read(name))]


def cloud_now(stack: Stack) -> datetime:
    """The time in the stack's cloud: the embedded AWS has a clock of its own, which tests and rehearsals move."""
    url = stack.environment.get("AWS_ENDPOINT_URL")
    if not (stack.local and url):
        return datetime.now(UTC)
    with urllib.request.urlopen(f"{url}/_localaws/clock", timeout=CLOCK_SECONDS) as answer:
        return datetime.fromtimestamp(json.load(answer)["now"], UTC)


def _record(content: bytes) -> Record:
    facts = json.loads(content)
    return Record(
        at=datetime.fromisoformat(facts["at"]),
        fingerprint=facts["fingerprint"],
        month=_span(facts["month"]),
        run=_span(facts["run"]),
        runs_a_month=_span(facts["runs_a_month"]),
        by_key={key: _span(texts) for key, texts in facts["by_key"].items()},
    )


def _texts(span: Span) -> list[str]:
    return [str(span.low), str(span.expected), str(span.worst)]


def _span(texts: list[str]) -> Span:
    return Span(low=Decimal(texts[0]), expected=Decimal(texts[1]), worst=Decimal(texts[2]))


def _folder(stack: Stack) -> str:
    return f".pulumi/costs/{stack.project}/{stack.name}"
