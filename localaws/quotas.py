"""SageMaker's quotas: what the account may have, as Service Quotas shows it, and the refusal of what is above it.

Names, codes and defaults come from a file (`python -m localaws --quotas FILE`); without one no quota is known and
nothing is refused. The account is one that has asked for more: 20 instances of each type and 100 of all, so that a
rehearsal meets no quota by chance. A new account has 0 of most types; to be one for a while:

    curl -X POST $AWS_ENDPOINT_URL/_localaws/quotas -d '{"L-1928E07B": 0}'

A null instead of the number takes it back, and so does a reset. One account's values hold in all regions here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from localaws.cloud import GLOBAL, Cloud, Store
from localaws.errors import AwsError
from localaws.sagemaker import usage
from localaws.sagemaker.fleet import Fleet
from localaws.sagemaker.state import SageMaker

FORMAT = 1
RAISED = {"Instances": 20, "Endpoints": 50, "Requests": 200}
"""Applied values by unit, where AWS's default is less."""
RAISED_TOTAL = 100
TOTALS = {
    "Training": "Number of instances across all training jobs",
    "SpotTraining": "Number of instances across all spot training jobs",
    "Hosting": "Number of instances across active endpoints",
    "BatchTransform": "Number of instances across all transform jobs",
}
REFUSED = (
    "The account-level service limit '{name}' is {limit} {unit}, with current utilization of {used} {unit} and a "
    "request delta of {delta} {unit}. Please use AWS Service Quotas to request an increase for this quota. If AWS "
    "Service Quotas is not available, contact AWS support to request an increase for this quota."
)
DIFFERENCES = (
    (
        "quotas",
        "instances by type and in all, of training, spot training, endpoints and transform jobs; a blue/green move "
        "counts both fleets. The other quotas are shown and not enforced",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Quota:
    """`default` None: the file has none. `use` and `type` are set where it counts one type's instances."""

    code: str
    name: str
    unit: str
    default: int | None
    use: str = ""
    type: str = ""

    @property
    def raised(self) -> int:
        """The applied value as long as nobody sets another."""
        least = RAISED_TOTAL if self.name in TOTALS.values() else RAISED.get(self.unit, 0)
        return max(self.default or 0, least)


@dataclass(kw_only=True)
class Applied(Store):
    """Values that somebody has set, and the increases that somebody has asked for."""

    values: dict[str, float] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)


def known(cloud: Cloud) -> Mapping[str, Quota]:
    """Every quota by its code; none without a file."""
    return {} if cloud.quotas is None else read(cloud.quotas)


@cache
def read(file: Path) -> Mapping[str, Quota]:
    """Raises ValueError when the file has another format."""
    raw = json.loads(file.read_text())
    if raw.get("format") != FORMAT:
        raise ValueError(f"{file} has format {raw.get('format')!r}; this version reads format {FORMAT}")
    found = {code: Quota(code=code, **row) for code, row in raw["account"].items()}
    for instance_type, uses in raw["types"].items():
        for use, (code, default) in uses.items():
            name = raw["use_names"][use].format(type=instance_type)
            found[code] = Quota(code=code, name=name, unit="Instances", default=default, use=use, type=instance_type)
    return found


def value(cloud: Cloud, quota: Quota) -> float:
    """What the account has."""
    return cloud.store(GLOBAL, Applied).values.get(quota.code, quota.raised)


def describe(cloud: Cloud) -> dict[str, Any]:
    """GET /_localaws/quotas: what has been set."""
    return dict(cloud.store(GLOBAL, Applied).values)


def change(cloud: Cloud, body: bytes) -> dict[str, Any]:
    """POST /_localaws/quotas. Raises ValueError for a wrong body."""
    wanted, table, applied = json.loads(body or b"{}"), known(cloud), cloud.store(GLOBAL, Applied)
    if not isinstance(wanted, dict):
        raise ValueError(f"given: {wanted!r}; needed: an object of quota codes and values")
    for code, number in wanted.items():
        if code not in table:
            where = f"{len(table)} are known" if table else "none is known: start localaws with --quotas FILE"
            raise ValueError(f"quota {code!r} is not known; {where}")
        if number is not None and (isinstance(number, bool) or not isinstance(number, int | float) or number < 0):
            raise ValueError(f"{code} is {number!r}; give a number >= 0, or null for what it was")
    for code, number in wanted.items():
        if number is None:
            applied.values.pop(code, None)
        else:
            applied.values[code] = number
    return describe(cloud)


def check(cloud: Cloud, records: SageMaker, more: usage.Instances) -> None:
    """Refuse what would take the region above a quota. Call it with the lock held. Raises AwsError."""
    table = known(cloud)
    if not table or not +more:
        return
    held = usage.held(records)
    for (use, instance_type), delta in (+more).items():
        quota = next((one for one in table.values() if (one.use, one.type) == (use, instance_type)), None)
        if quota is not None:
            _refuse_above(cloud, quota, held[use, instance_type], delta)
    for use, name in TOTALS.items():
        delta = sum(count for (wanted, _), count in (+more).items() if wanted == use)
        quota = next((one for one in table.values() if one.name == name), None)
        if quota is not None and delta:
            _refuse_above(cloud, quota, sum(count for (by, _), count in held.items() if by == use), delta)


def check_scaling(cloud: Cloud, records: SageMaker, fleet: Fleet, counts: Mapping[str, int]) -> None:
    """The same for other counts of variants of a fleet that serves already."""
    wanted = usage.hosting(fleet, {**fleet.counts, **counts})
    check(cloud, records, wanted - usage.hosting(fleet))


def refusal(cloud: Cloud, records: SageMaker, fleet: Fleet, counts: Mapping[str, int]) -> str:
    """Why a fleet may not be scaled to these counts; empty when it may."""
    try:
        check_scaling(cloud, records, fleet, counts)
    except AwsError as error:
        return error.message
    return ""


def _refuse_above(cloud: Cloud, quota: Quota, used: int, delta: int) -> None:
    limit = value(cloud, quota)
    if used + delta > limit:
        facts = {"name": quota.name, "limit": f"{limit:g}", "unit": quota.unit, "used": used, "delta": delta}
        raise AwsError("ResourceLimitExceeded", REFUSED.format(**facts))
