"""What CloudWatch Logs takes in: the bytes of each event and AWS's 26 of overhead, by log group."""

import json
from collections.abc import Iterable
from functools import lru_cache

from localaws.cloud import Cloud, arn
from localaws.money import ledger
from localaws.money.ledger import Item

EVENT_BYTES = 26  # API reference, PutLogEvents


@lru_cache(maxsize=1024)
def _item(region: str, group: str) -> Item:
    return Item(region=region, key="Logs:Ingest", resource=arn("logs", region, f"log-group:{group}"))


def count(cloud: Cloud, region: str, group: str, messages: Iterable[str]) -> None:
    """Count events that have been written to a log group."""
    size = sum(len(message.encode("utf-8", "replace")) + EVENT_BYTES for message in messages)
    ledger.of(cloud).add(_item(region, group), size, cloud.clock.now())


def count_request(cloud: Cloud, region: str, body: bytes) -> None:
    """Count the events of a PutLogEvents. What is not such a request is refused by whoever answers it."""
    try:
        request = json.loads(body)
        count(cloud, region, request["logGroupName"], [event["message"] for event in request["logEvents"]])
    except (ValueError, KeyError, TypeError, AttributeError):
        return
