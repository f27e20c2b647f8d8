"""What is billed for being there: stored bytes, keys, alarms, dashboards, interface endpoints, secrets.

moto keeps these, and tells nobody of changes. So they are looked at with each minute of the clock, before and after
the clock is moved, and when somebody reads the bill; between two looks things stay on the ledger as they were seen.
A service that nobody has used is not loaded for it.
"""

import json
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

from moto import backends
from moto.core import DEFAULT_ACCOUNT_ID

from localaws.cloud import GLOBAL, Cloud, arn, backend
from localaws.money import ledger
from localaws.money.ledger import Item, Tags, Usage
from localaws.signature import DEFAULT_REGION

LIVE_KEY_STATES = ("Enabled", "Disabled")  # a key that waits for its deletion costs nothing
HIGH_RESOLUTION_SECONDS = 60

Found = tuple[Item, int, Tags]
"""An item, how many of it there are now (or bytes), its tags."""


def take(cloud: Cloud) -> None:
    """Look at everything once."""
    book = ledger.of(cloud)
    with book.sampling:
        now = cloud.clock.now()
        found = {item: (Decimal(rate), tags) for look in _LOOKS for item, rate, tags in look() if rate}
        for item in set(book.sampled) - set(found):
            book.sampled.pop(item).stop(now)
        for item, (rate, tags) in found.items():
            line, known = book.line(item, tags), book.sampled.get(item)
            if known is None or known.rate != rate:
                if known is not None:
                    known.stop(now)
                book.sampled[item] = Usage(begin=now, rate=rate)
                line.usages.append(book.sampled[item])
        tagged = {item.resource: tags for item, (_, tags) in found.items()}
        for line in book.lines():  # what is counted by the piece has the tags of its bucket or log group
            line.tags = tagged.get(line.item.resource, line.tags)


def _regions(service: str, module: str) -> Iterator[tuple[str, Any]]:
    """(region, moto's backend) of those that exist."""
    if f"moto.{module}.models" in sys.modules:
        yield from list(backends.get_backend(service)[DEFAULT_ACCOUNT_ID].items())


def _buckets() -> Iterator[Found]:
    if "moto.s3.models" not in sys.modules:
        return
    s3 = backend("s3", GLOBAL)
    for bucket in list(s3.buckets.values()):
        versions = (version for _, listed in bucket.keys.lists() for version in listed)
        size = sum(getattr(version, "contentsize", 0) for version in versions)  # a delete marker has none
        where = f"arn:aws:s3:::{bucket.name}"
        region = bucket.region_name or DEFAULT_REGION
        yield Item(region=region, key="S3:Storage", resource=where), size, _tagged(s3.tagger, bucket.arn)


def _tagged(tagger: Any, resource: str) -> Tags:
    found: Tags = tagger.get_tag_dict_for_resource(resource)
    return found


def _repositories() -> Iterator[Found]:
    for region, ecr in _regions("ecr", "ecr"):
        for repository in list(ecr.repositories.values()):
            layers = dict(layer for image in list(repository.images) for layer in _layers(image.image_manifest))
            item = Item(region=region, key="ECR:Storage", resource=repository.arn)
            yield item, sum(layers.values()), _tagged(ecr.tagger, repository.arn)


@lru_cache(maxsize=1024)
def _layers(manifest: str) -> tuple[tuple[str, int], ...]:
    """(digest, bytes) of what an image is made of: the images of a repository share what they have in common."""
    document = json.loads(manifest)
    parts = [document.get("config", {}), *document.get("layers", [])]
    return tuple((part["digest"], part["size"]) for part in parts if "digest" in part and "size" in part)


def _log_groups() -> Iterator[Found]:
    for region, logs in _regions("logs", "logs"):
        for group in list(logs.groups.values()):
            size = sum(stream.stored_bytes for stream in list(group.streams.values()))
            where, tags = arn("logs", region, f"log-group:{group.name}"), _tagged(logs.tagger, group.arn)
            yield Item(region=region, key="Logs:Storage", resource=where), size, tags


def _keys() -> Iterator[Found]:
    for region, kms in _regions("kms", "kms"):
        for key in list(kms.keys.values()):
            if key.key_manager == "CUSTOMER" and key.key_state in LIVE_KEY_STATES:
                yield Item(region=region, key="KMS:Key", resource=key.arn), 1, _tagged(kms.tagger, key.id)


def _watching() -> Iterator[Found]:
    """Alarms count each metric that they look at; composite ones have another price, which nobody here asks for."""
    for region, watch in _regions("cloudwatch", "cloudwatch"):
        for alarm in list(watch.alarms.values()):
            if alarm.rule is None:
                stats = [query.metric_stat for query in alarm.metric_data_queries if query.metric_stat]
                periods = [stat.period for stat in stats] or [alarm.period]
                high = any(period and period < HIGH_RESOLUTION_SECONDS for period in periods)
                key = "CloudWatch:HighResolutionAlarm" if high else "CloudWatch:Alarm"
                item = Item(region=region, key=key, resource=alarm.alarm_arn)
                yield item, max(len(stats), 1), _tagged(watch.tagger, alarm.alarm_arn)
        for name in list(watch.dashboards):
            where = arn("cloudwatch", "", f"dashboard/{name}")
            yield Item(region=region, key="CloudWatch:Dashboard", resource=where), 1, {}


def _endpoints() -> Iterator[Found]:
    for region, ec2 in _regions("ec2", "ec2"):
        for endpoint in list(ec2.vpc_end_points.values()):
            if (endpoint.vpc_endpoint_type or "").lower() == "interface":
                where = arn("ec2", region, f"vpc-endpoint/{endpoint.id}")
                item = Item(region=region, key="EC2:InterfaceEndpoint", resource=where)
                yield item, max(len(endpoint.subnet_ids or ()), 1), dict(ec2.tags.get(endpoint.id, {}))


def _secrets() -> Iterator[Found]:
    for region, manager in _regions("secretsmanager", "secretsmanager"):
        for secret in list(manager.secrets.values()):
            if not secret.is_deleted():
                tags = {tag["Key"]: tag["Value"] for tag in secret.tags or []}
                yield Item(region=region, key="SecretsManager:Secret", resource=secret.arn), 1, tags


_LOOKS: tuple[Callable[[], Iterator[Found]], ...] = (
    _buckets,
    _repositories,
    _log_groups,
    _keys,
    _watching,
    _endpoints,
    _secrets,
)
