"""What an endpoint reports each minute without being asked: use of its instances, zero traffic, its async backlog.

CPU, memory and disk are those of the real server processes (/proc) and of the disk that holds their models. CPU is in
percent of one core, as in AWS, where four cores can reach 400; memory of a serverless variant in percent of its own.
"""

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localaws.cloud import Cloud, Store
from localaws.sagemaker.invocations import NAMESPACE, PERIOD_SECONDS, put
from localaws.sagemaker.memory import MB_BYTES
from localaws.sagemaker.state import SageMaker

if TYPE_CHECKING:
    from localaws.sagemaker.deployment import Deployment
    from localaws.sagemaker.fleet import Fleet

HOST_NAMESPACE = "/aws/sagemaker/Endpoints"
CATCH_UP_MINUTES = 24 * 60
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MEMORY_BYTES = os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Of one process: processor seconds since its start and bytes in memory."""

    cpu_seconds: float
    memory_bytes: int


def usage(pid: int) -> Usage | None:
    """None where /proc has no such process (it ended, or this is no Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    ticks = int(fields[11]) + int(fields[12])  # utime and stime, fields 14 and 15 of the whole line
    return Usage(cpu_seconds=ticks / _TICKS_PER_SECOND, memory_bytes=int(fields[21]) * _PAGE_BYTES)


class Vitals(Store):
    """`published` is the last minute that has been written, by name and time of creation of the endpoint.

    `before` is the last look at a process, by pid: when, and the processor seconds it had spent.
    """

    def __init__(self) -> None:
        self.published: dict[tuple[str, float], int] = {}
        self.before: dict[int, tuple[float, float]] = {}


def publish(cloud: Cloud) -> None:
    """Write every minute that has passed, of every endpoint in service. A jump repeats what was last measured."""
    this = int(cloud.clock.now() // PERIOD_SECONDS)
    for region, records in cloud.stores(SageMaker).items():
        vitals = cloud.store(region, Vitals)
        with records.lock:
            deployments = list(records.endpoints.values())
            for deployment in deployments:
                key = _key(deployment)
                last = vitals.published.get(key, int(key[1] // PERIOD_SECONDS))
                vitals.published[key] = max(this, last)
                minutes = range(max(last, this - CATCH_UP_MINUTES), this)
                if minutes and deployment.fleet is not None:
                    deployment.fleet.reap()
                    if deployment.queue is not None:
                        deployment.queue.look()
                    _write(region, vitals, deployment, minutes)
            alive = {_key(deployment) for deployment in deployments}
            vitals.published = {key: minute for key, minute in vitals.published.items() if key in alive}


def _key(deployment: "Deployment") -> tuple[str, float]:
    return deployment.record["EndpointName"], deployment.record["CreationTime"]


def _write(region: str, vitals: Vitals, deployment: "Deployment", minutes: range) -> None:
    endpoint = deployment.record["EndpointName"]
    for fleet in deployment.traffic.fleets:
        for name in fleet.counts:
            values = dict(_measure(vitals, fleet, name))
            loaded = Counter(float(item.models.loaded) for item in fleet.instances(name) if item.models is not None)
            config = fleet.config["EndpointConfigName"]
            for minute in minutes:
                dimensions = {"EndpointName": endpoint, "VariantName": name}
                for metric, value in values.items():
                    put(region, HOST_NAMESPACE, metric, "Percent", Counter({value: 1}), dimensions, minute * 60)
                if loaded:
                    put(region, HOST_NAMESPACE, "LoadedModelCount", "None", loaded, dimensions, minute * 60)
                if not fleet.asynchronous:
                    _write_zeros(region, {**dimensions, "EndpointConfigName": config}, minute * 60)
    if deployment.queue is not None:
        for minute in minutes:
            _write_backlog(region, deployment, minute * 60)


def _write_zeros(region: str, dimensions: Mapping[str, str], at: int) -> None:
    """A variant without traffic reports zero, by which scaling comes down. A sum does not change by it."""
    plain = {name: dimensions[name] for name in ("EndpointName", "VariantName")}
    for which in (plain, dimensions):
        put(region, NAMESPACE, "Invocations", "Count", Counter({0.0: 1}), which, at)
        put(region, NAMESPACE, "InvocationsPerInstance", "None", Counter({0.0: 1}), which, at)


def _write_backlog(region: str, deployment: "Deployment", at: int) -> None:
    queue, fleet = deployment.queue, deployment.fleet
    assert queue is not None and fleet is not None
    instances = sum(fleet.live(name) for name in fleet.counts)
    backlog = float(queue.size)
    named = {"EndpointName": deployment.record["EndpointName"]}
    put(region, NAMESPACE, "ApproximateBacklogSize", "Count", Counter({backlog: 1}), named, at)
    put(
        region,
        NAMESPACE,
        "ApproximateBacklogSizePerInstance",
        "Count",
        Counter({backlog / max(instances, 1): 1}),
        named,
        at,
    )
    starved = float(bool(backlog) and not instances)
    put(region, NAMESPACE, "HasBacklogWithoutCapacity", "Count", Counter({starved: 1}), named, at)


def _measure(vitals: Vitals, fleet: "Fleet", variant: str) -> Iterator[tuple[str, float]]:
    """(metric, percent), averaged over the variant's instances."""
    cpu, memory, disk = [], [], []
    limit_mb = fleet.serverless.get(variant, {}).get("MemorySizeInMB")
    whole = limit_mb * MB_BYTES if limit_mb else _MEMORY_BYTES
    for item in fleet.instances(variant):
        found = usage(item.process.pid) if item.process is not None else None
        if found is None or item.folder is None or item.process is None:
            continue
        now = time.monotonic()
        since, spent = vitals.before.get(item.process.pid, (now, found.cpu_seconds))
        vitals.before[item.process.pid] = (now, found.cpu_seconds)
        cpu.append(100 * (found.cpu_seconds - spent) / (now - since) if now > since else 0.0)
        memory.append(100 * found.memory_bytes / whole)
        space = shutil.disk_usage(item.folder) if item.folder.exists() else None
        if space is not None:
            disk.append(100 * space.used / space.total)
    for name, values in (("CPUUtilization", cpu), ("MemoryUtilization", memory), ("DiskUtilization", disk)):
        if values:
            yield name, sum(values) / len(values)
