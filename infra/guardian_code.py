"""The guardian's archive: the files of `infra.guardian` and the region's prices; it depends on their content only."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pulumi

from slipway.prices import book

CODE = Path(__file__).with_name("guardian")
HOURLY = ("Training", "Hosting", "BatchTransform")
BY_SECOND = "ServerlessProvisioned"


def archive(region: str) -> pulumi.AssetArchive:
    """The function's code."""
    code: dict[str, Any] = {f"guardian/{file.name}": pulumi.FileAsset(str(file)) for file in sorted(CODE.glob("*.py"))}
    return pulumi.AssetArchive(code | {"guardian/rates.json": pulumi.StringAsset(json.dumps(rates(region), indent=1))})


def rates(region: str) -> dict[str, str]:
    """USD an hour of everything in the region that bills by the hour: a job may be of a type no setting names."""
    found = {}
    for key, price in sorted(book.load().prices.get(region, {}).items()):
        component = key.partition(":")[0]
        if component in HOURLY:
            found[key] = str(price.usd)
        elif component == BY_SECOND:
            found[key] = str(price.usd * book.SECONDS_PER_HOUR)
    return found


def unpriced(region: str, used: Iterable[str]) -> Iterator[str]:
    """What the stack is about to use without the guardian's knowing what it costs."""
    known = rates(region)
    for key in sorted(set(used) - set(known)):
        yield (
            f"no price of {key} in {region} is known: the guardian cannot count it and says so in its reports; AWS's "
            f"budget counts it hours later. Read it from AWS: {book.REFRESH} --region {region}"
        )
