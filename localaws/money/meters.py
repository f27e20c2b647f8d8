"""What SageMaker and CodeBuild put on the ledger: instances, jobs, warm pools, serverless seconds, payloads, builds.

An endpoint's instance pays from its start to its end, busy or not; a training job for BillableTimeInSeconds of each
instance, its warm pool for ResourceRetainedBillableTimeInSeconds; a transform job from its start to its end.
"""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from localaws.cloud import Cloud, arn
from localaws.money import ledger
from localaws.money.ledger import Item, Tags, Usage

DEFAULT_VOLUME_GB = 30  # of an endpoint's instance without VolumeSizeInGB: AWS names no figure
# Families whose storage is their own NVMe disk get no EBS volume (API reference, CreateEndpointConfig, KmsKeyId).
_LOCAL_DISK = re.compile(r"ml\.([a-z]+\d+[a-z]*d|g4dn|g[5-9]|gr\d|p[56]|p3dn|p4d|trn|dl)")
_NO_TAGS: Tags = {}


def has_local_disk(instance_type: str) -> bool:
    """Whether no ML volume is billed with the instance."""
    return _LOCAL_DISK.match(instance_type) is not None


def _endpoint(cloud: Cloud, region: str, endpoint: str) -> tuple[str, Tags]:
    """(ARN, tags); the tags' dict is the living one, which stays with the line when the endpoint goes."""
    from localaws.sagemaker.state import SageMaker  # which imports the endpoints, which import this

    where = endpoint_arn(region, endpoint)
    return where, cloud.store(region, SageMaker).tags.get(where, _NO_TAGS)


@lru_cache(maxsize=1024)
def endpoint_arn(region: str, endpoint: str) -> str:
    return arn("sagemaker", region, f"endpoint/{endpoint.lower()}")


class Hosting:
    """The bill of one fleet: of each instance from its start to its end, and of provisioned concurrency."""

    def __init__(
        self, cloud: Cloud, region: str, endpoint: str, variants: Mapping[str, Mapping[str, Any]], *, asynchronous: bool
    ) -> None:
        self._cloud, self._region, self._endpoint = cloud, region, endpoint
        self._variants = variants
        self._kind = "async" if asynchronous else ""
        self._slots: dict[str, Usage] = {}

    def start(self, variant: str) -> list[Usage]:
        """An instance of the variant begins to pay; of a serverless one none does."""
        config, book = self._variants[variant], ledger.of(self._cloud)
        if "ServerlessConfig" in config:
            return []
        now, (where, tags) = self._cloud.clock.now(), _endpoint(self._cloud, self._region, self._endpoint)
        instance_type: str = config["InstanceType"]
        hours = Item(region=self._region, key=f"Hosting:{instance_type}", resource=where, kind=self._kind, part=variant)
        started = [book.start(hours, Usage(begin=now), tags)]
        if not has_local_disk(instance_type):
            disk = Item(region=self._region, key="Volume:Hosting", resource=where, part=variant)
            size = Decimal(config.get("VolumeSizeInGB", DEFAULT_VOLUME_GB))
            started.append(book.start(disk, Usage(begin=now, rate=size), tags))
        return started

    def provision(self, counts: Mapping[str, int]) -> None:
        """So many slots of the serverless variants are provisioned from now on."""
        now, (where, tags) = self._cloud.clock.now(), _endpoint(self._cloud, self._region, self._endpoint)
        for name, config in self._variants.items():
            slots, old = Decimal(counts[name]), self._slots.get(name)
            if "ServerlessConfig" not in config or slots == (old.rate if old else 0):
                continue
            if old is not None:
                self._slots.pop(name).stop(now)
            if slots:
                key = f"ServerlessProvisioned:{config['ServerlessConfig']['MemorySizeInMB']}"
                item = Item(region=self._region, key=key, resource=where, part=name)
                self._slots[name] = ledger.of(self._cloud).start(item, Usage(begin=now, rate=slots), tags)

    def end(self) -> None:
        """No more provisioned concurrency; instances end by themselves."""
        for usage in self._slots.values():
            usage.stop(self._cloud.clock.now())


def serverless(
    cloud: Cloud, region: str, endpoint: str, variant: str, memory_mb: int, seconds: float, *, on_provisioned: bool
) -> None:
    """One request's processing time, in begun milliseconds."""
    where, tags = _endpoint(cloud, region, endpoint)
    family = "ServerlessProvisionedInference" if on_provisioned else "Serverless"
    item = Item(region=region, key=f"{family}:{memory_mb}", resource=where, part=variant)
    ledger.of(cloud).add(item, Decimal(math.ceil(seconds * 1000)) / 1000, cloud.clock.now(), tags)


def payload(cloud: Cloud, region: str, endpoint: str, received_bytes: int, sent_bytes: int) -> None:
    """The bytes of a request's body and of its answer's."""
    where, tags = _endpoint(cloud, region, endpoint)
    book, now = ledger.of(cloud), cloud.clock.now()
    into, out = _payload_items(region, where)
    book.add(into, received_bytes, now, tags)
    book.add(out, sent_bytes, now, tags)


@lru_cache(maxsize=1024)
def _payload_items(region: str, where: str) -> tuple[Item, Item]:
    return (
        Item(region=region, key="Data:In", resource=where),
        Item(region=region, key="Data:Out", resource=where),
    )


def training(
    cloud: Cloud,
    region: str,
    record: Mapping[str, Any],
    instance_seconds: Callable[[float], float],
    billable_seconds: Callable[[float], int],
) -> list[Usage]:
    """The bill of a training job begins. The functions tell of a time what the job has come to by then."""
    where, tags = _training_job(cloud, region, record)
    book, now, resources = ledger.of(cloud), cloud.clock.now(), record["ResourceConfig"]
    kind, count, volume = resources["InstanceType"], resources.get("InstanceCount", 1), _volume(resources)
    spot = "spot" if record["EnableManagedSpotTraining"] else ""
    item = Item(region=region, key=f"Training:{kind}", resource=where, kind=spot)
    started = [book.start(item, Usage(begin=now, total=_times(billable_seconds, count)), tags)]
    if volume:
        disk = Item(region=region, key="Volume:Training", resource=where)
        started.append(book.start(disk, Usage(begin=now, total=_times(instance_seconds, count * volume)), tags))
    return started


def warm_pool(
    cloud: Cloud,
    region: str,
    record: Mapping[str, Any],
    until: Callable[[float], float],
) -> None:
    """The bill of a finished job's instances begins; `until` tells of a time how long they were kept by then."""
    begin: float = record["TrainingEndTime"]
    where, tags = _training_job(cloud, region, record)
    book, resources = ledger.of(cloud), record["ResourceConfig"]
    count, volume = resources.get("InstanceCount", 1), _volume(resources)
    item = Item(region=region, key=f"Training:{resources['InstanceType']}", resource=where, kind="warm pool")
    total = _times(lambda at: round(until(at) - begin), count)
    book.start(item, Usage(begin=begin, total=total, until=until), tags)
    if volume:
        disk = Item(region=region, key="Volume:Training", resource=where, kind="warm pool")
        book.start(disk, Usage(begin=begin, rate=Decimal(count * volume), until=until), tags)


def _training_job(cloud: Cloud, region: str, record: Mapping[str, Any]) -> tuple[str, Tags]:
    from localaws.sagemaker.state import SageMaker  # see _endpoint

    where: str = record["TrainingJobArn"]
    return where, cloud.store(region, SageMaker).tags.get(where, _NO_TAGS)


def _volume(resources: Mapping[str, Any]) -> int:
    """GB of the EBS volume of one of a job's instances, 0 where it has none."""
    return 0 if has_local_disk(resources["InstanceType"]) else int(resources.get("VolumeSizeInGB", 0))


def _times(seconds: Callable[[float], float], factor: int) -> Callable[[float], Decimal]:
    return lambda at: round(Decimal(seconds(at)), 6) * factor


def transform(cloud: Cloud, region: str, record: Mapping[str, Any]) -> Usage:
    """The bill of a transform job begins: each of its instances, until the usage is stopped."""
    from localaws.sagemaker.state import SageMaker  # see _endpoint

    where, resources = record["TransformJobArn"], record["TransformResources"]
    item = Item(region=region, key=f"BatchTransform:{resources['InstanceType']}", resource=where)
    usage = Usage(begin=record["TransformStartTime"], rate=Decimal(resources["InstanceCount"]))
    return ledger.of(cloud).start(item, usage, cloud.store(region, SageMaker).tags.get(where, _NO_TAGS))


def build(cloud: Cloud, region: str, record: Mapping[str, Any], tags: Tags) -> Usage:
    """The bill of a build begins, on its project: begun minutes count whole."""
    begin = record["startTime"]
    size = record["environment"]["computeType"].removeprefix("BUILD_").lower().replace("_", ".")
    item = Item(
        region=region, key=f"CodeBuild:{size}", resource=arn("codebuild", region, f"project/{record['projectName']}")
    )
    usage = Usage(begin=begin, total=lambda at: Decimal(max(1, math.ceil(round(at - begin, 6) / 60))))
    return ledger.of(cloud).start(item, usage, tags)
