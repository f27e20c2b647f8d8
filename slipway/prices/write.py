"""The book's file: sorted, one row a line, so that a refresh can be read as a diff; replaced whole or not at all."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROW = ("usd", "unit", "as_of", "source", "derived")


def text(raw: Mapping[str, Any]) -> str:
    """The document as the file has it. Sources that no row names are left out."""
    used = {row["source"] for rows in raw["prices"].values() for row in rows.values()}
    head = {name: raw[name] for name in ("format", "currency", "as_of", "kind")}
    head["sources"] = {name: raw["sources"][name] for name in sorted(used, key=_number)}
    lines = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}") + ',\n "prices": {\n'
    return lines + ",\n".join(_region(name, rows) for name, rows in sorted(raw["prices"].items())) + "\n }\n}\n"


def save(file: Path, raw: Mapping[str, Any]) -> None:
    """Write beside the file, then put it in its place: a failure leaves the old one. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=file.resolve().parent, prefix=f".{file.name}.")
    scratch = Path(name)
    try:
        with os.fdopen(handle, "w") as open_:
            open_.write(text(raw))
        scratch.chmod(file.stat().st_mode & 0o777 if file.exists() else 0o644)
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


def _region(name: str, rows: Mapping[str, Mapping[str, str]]) -> str:
    shown = (f"   {json.dumps(key)}: {_row(row)}" for key, row in sorted(rows.items()))
    return f"  {json.dumps(name)}: {{\n" + ",\n".join(shown) + "\n  }"


def _row(row: Mapping[str, str]) -> str:
    return json.dumps({name: row[name] for name in ROW if name in row}, ensure_ascii=False)


def _number(name: str) -> tuple[int, str]:
    return (int(name) if name.isdecimal() else 1 << 30, name)
