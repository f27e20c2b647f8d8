"""docs/updates.md: what each change does, from updates.golden.json.

UPDATE_GOLDEN=1 pytest -n 0 tests/e2e/updates      observe anew and write both; read the diff before you commit it
"""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.e2e.checkout import ROOT
from tests.e2e.updates.cases import GROUPS

GOLDEN = Path(__file__).parent / "updates.golden.json"
PAGE = ROOT / "docs" / "updates.md"
HEAD = """# What an update does

What `pulumi up` does for each change, in the order in which the engine did it, while a client calls the endpoint some
twenty times a second. After each change a second `up` changes nothing, and of models, configurations and endpoints only
those in use are left. The page is written by the tests in `tests/e2e/updates`, which run the real engine on the
embedded AWS: it is not a record of AWS.

A change that fails leaves the endpoint answering as before; what was made for it goes with the next `up` that succeeds.

| change | what is changed | done by the engine | failed calls |
| --- | --- | --- | --- |
"""
LOCKED = """
Two `pulumi up` at once: the second one ends at once and names who holds the lock, since when, and what to do
(`slipway unlock` releases a lock whose owner is gone).
"""
Row = dict[str, Any]


def read() -> dict[str, Row]:
    found: dict[str, Row] = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    return found


def write(name: str, row: Row) -> None:
    """Keep one observed row, and the page of all."""
    rows = read() | {name: row}
    order = [change.name for changes in GROUPS.values() for change in changes]
    rows = {known: rows[known] for known in order if known in rows}
    GOLDEN.write_text(json.dumps(rows, indent=1) + "\n")
    PAGE.write_text(page())


def folded(operations: list[str]) -> list[str]:
    """Neighbours that are the same are counted."""
    counted = [(name, len(list(same))) for name, same in groupby(operations)]
    return [name if count == 1 else f"{name} ({count})" for name, count in counted]


def page() -> str:
    rows = read()
    lines = []
    for change in (change for changes in GROUPS.values() for change in changes):
        row = rows.get(change.name, {"operations": []})
        done = ", ".join(folded(row["operations"])) or "nothing"
        end = f"; then it fails: {change.fails} ..." if change.fails else ""
        failed = "those while there is no endpoint" if change.downtime else "0"
        lines.append(f"| {change.name} | {change.what} | {done}{end} | {failed} |")
    return HEAD + "\n".join(lines) + "\n" + LOCKED
