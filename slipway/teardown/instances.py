"""What runs on instances: endpoints by the instances they have now, jobs by those they were given."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from slipway.cost.instances import DEFAULT_HOSTING_VOLUME_GB, has_local_disk
from slipway.prices.book import HOURS_PER_MONTH, SECONDS_PER_HOUR
from slipway.project import Stack
from slipway.searches import RUNNING
from slipway.teardown.rates import rate

SECONDS_PER_MONTH = HOURS_PER_MONTH * SECONDS_PER_HOUR
Priced = tuple[Decimal, str]


def endpoint(stack: Stack, name: str) -> Priced:
    """Every instance of every variant, busy or not, shadow variants too; serverless ones cost nothing at rest."""
    sagemaker = stack.client("sagemaker")
    found = sagemaker.describe_endpoint(EndpointName=name)
    if found["EndpointStatus"] in ("Failed", "Deleting"):
        return Decimal(0), f"{found['EndpointStatus']}: no instance runs"
    config = sagemaker.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])
    sides = ("ProductionVariants", "ShadowProductionVariants")
    now = {one["VariantName"]: one for side in sides for one in found.get(side, [])}
    parts = [_variant(stack, one, now.get(one["VariantName"], {})) for side in sides for one in config.get(side, [])]
    return sum((usd for usd, _ in parts), Decimal(0)), ", ".join(words for _, words in parts)


def _variant(stack: Stack, config: Mapping[str, Any], now: Mapping[str, Any]) -> Priced:
    if serverless := config.get("ServerlessConfig"):
        kept = serverless.get("ProvisionedConcurrency", 0)
        if not kept:
            return Decimal(0), "serverless: bills by the request"
        found = rate(stack, f"ServerlessProvisioned:{serverless['MemorySizeInMB']}")
        return found.usd * kept * SECONDS_PER_MONTH, f"{kept} x {serverless['MemorySizeInMB']} MB kept ready"
    count = int(now.get("CurrentInstanceCount", config["InitialInstanceCount"]))
    kind = config["InstanceType"]
    hour = rate(stack, f"Hosting:{kind}").usd
    volume = 0 if has_local_disk(kind) else config.get("VolumeSizeInGB", DEFAULT_HOSTING_VOLUME_GB)
    disk = rate(stack, "Volume:Hosting").usd * volume * count if volume else Decimal(0)
    return hour * count * HOURS_PER_MONTH + disk, f"{count} x {kind} at USD {hour} an hour each"


def training_job(stack: Stack, name: str) -> Priced:
    """Its instances while it runs, or while they are kept warm for the next job."""
    job = stack.client("sagemaker").describe_training_job(TrainingJobName=name)
    warm = (job.get("WarmPoolStatus") or {}).get("Status") == "Available"
    if job["TrainingJobStatus"] not in RUNNING and not warm:
        return Decimal(0), f"{job['TrainingJobStatus']}: an ended job bills nothing"
    groups = job["ResourceConfig"].get("InstanceGroups") or [job["ResourceConfig"]]
    parts = [_instances(stack, "Training", one) for one in groups]
    usd, words = sum((usd for usd, _ in parts), Decimal(0)), ", ".join(words for _, words in parts)
    return usd, f"{words}, {'kept warm' if warm else 'running'}"


def transform_job(stack: Stack, name: str) -> Priced:
    job = stack.client("sagemaker").describe_transform_job(TransformJobName=name)
    return _instances(stack, "BatchTransform", job["TransformResources"])


def processing_job(stack: Stack, name: str) -> Priced:
    job = stack.client("sagemaker").describe_processing_job(ProcessingJobName=name)
    return _instances(stack, "Processing", job["ProcessingResources"]["ClusterConfig"])


def _instances(stack: Stack, component: str, asked: Mapping[str, Any]) -> Priced:
    kind, count = asked["InstanceType"], int(asked["InstanceCount"])
    hour = rate(stack, f"{component}:{kind}").usd
    return hour * count * HOURS_PER_MONTH, f"{count} x {kind} at USD {hour} an hour each"
