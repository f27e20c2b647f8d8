"""Names, codes and defaults of SageMaker's quotas: quotas.json, with where and when they were read.

A code never changes; a default may have, and what an account has is its applied value, which only AWS tells. Types that
came later than the file have quotas too; their codes are found by name, with `aws service-quotas list-service-quotas`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FORMAT = 1
FILE = Path(__file__).with_name("quotas.json")
SERVICE = "sagemaker"


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One quota; `default` None where no source had it."""

    code: str
    name: str
    unit: str
    default: int | None


@dataclass(frozen=True, kw_only=True)
class QuotaBook:
    account: Mapping[str, Quota]
    """By name."""
    types: Mapping[tuple[str, str], Quota]
    """By use and instance type."""
    names: Mapping[str, str]
    """Use -> the name, with {type} in it."""


@cache
def load() -> QuotaBook:
    """Raises ValueError when the file has another format."""
    raw: Mapping[str, Any] = json.loads(FILE.read_text())
    if raw.get("format") != FORMAT:
        raise ValueError(f"{FILE.name} has format {raw.get('format')!r}; this version reads format {FORMAT}")
    names = raw["use_names"]
    types = {
        (use, kind): Quota(code=code, name=names[use].format(type=kind), unit="Instances", default=default)
        for kind, uses in raw["types"].items()
        for use, (code, default) in uses.items()
    }
    account = {row["name"]: Quota(code=code, **row) for code, row in raw["account"].items()}
    return QuotaBook(account=account, types=types, names=names)
