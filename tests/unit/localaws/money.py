"""What the tests of money share: a localaws with a price book and a stepped clock, and a look at its meter."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.unit.localaws.aws import Aws, running

HOUR = 3600
DAY = 24 * HOUR
MONTH = 730 * HOUR
BOOK = {
    "format": 1,
    "currency": "USD",
    "prices": {
        "us-east-1": {
            "Training:ml.m5.large": {"usd": "0.115", "unit": "hour"},
            "Training:ml.p4d.24xlarge": {"usd": "25.2512883", "unit": "hour"},
            "Hosting:ml.m5.large": {"usd": "0.115", "unit": "hour"},
            "Hosting:ml.g4dn.xlarge": {"usd": "0.7364", "unit": "hour"},
            "BatchTransform:ml.m5.large": {"usd": "0.115", "unit": "hour"},
            "Volume:Hosting": {"usd": "0.14", "unit": "GB-month"},
            "Volume:Training": {"usd": "0.14", "unit": "GB-month"},
            "Serverless:2048": {"usd": "0.00004", "unit": "second"},
            "ServerlessProvisioned:2048": {"usd": "0.00001", "unit": "second"},
            "ServerlessProvisionedInference:2048": {"usd": "0.0000233", "unit": "second"},
            "Data:In": {"usd": "0.016", "unit": "GB"},
            "Data:Out": {"usd": "0.016", "unit": "GB"},
            "S3:Storage": {"usd": "0.023", "unit": "GB-month"},
            "S3:Put": {"usd": "0.000005", "unit": "request"},
            "Logs:Ingest": {"usd": "0.5", "unit": "GB"},
            "Logs:Storage": {"usd": "0.03", "unit": "GB-month"},
            "CloudWatch:Alarm": {"usd": "0.1", "unit": "metric-month"},
            "KMS:Key": {"usd": "1", "unit": "key-month"},
            "CodeBuild:general1.small": {"usd": "0.005", "unit": "minute"},
        },
        "eu-west-1": {"Training:ml.m5.large": {"usd": "0.128", "unit": "hour"}},
    },
}


@contextmanager
def priced(folder: Path) -> Iterator[Aws]:
    """A localaws of its own with these prices, its clock stepped."""
    book = folder / "book.json"
    book.write_text(json.dumps(BOOK))
    with running("--prices", str(book)) as (url, _):
        aws = Aws(url)
        step(aws)
        yield aws


def step(aws: Aws, seconds: float = 0) -> float:
    """Move the stepped clock; returns its time."""
    now: float = aws.post("/_localaws/clock", {"mode": "stepped", "advance_seconds": seconds})["now"]
    return now


def lines(aws: Aws, resource: str = "", **wanted: str) -> list[dict[str, Any]]:
    """The meter's lines of a resource (a part of its ARN) with these members."""
    found = aws.get("/_localaws/meter")["lines"]
    return [
        line
        for line in found
        if resource in line["resource"] and all(line[name] == value for name, value in wanted.items())
    ]


def quantity(aws: Aws, resource: str, key: str, **wanted: str) -> Decimal:
    return sum((Decimal(line["quantity"]) for line in lines(aws, resource, key=key, **wanted)), Decimal(0))


def usd(found: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(line["usd"]) for line in found), Decimal(0))
