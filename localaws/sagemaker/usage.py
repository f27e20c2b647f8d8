"""The instances that a region's jobs and endpoints hold, by use and type: what SageMaker's quotas are counted in.

A use is a quota's: Training, SpotTraining, Hosting, BatchTransform. An endpoint that is moving holds both fleets.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from localaws.sagemaker.fleet import Fleet
from localaws.sagemaker.job import TERMINAL
from localaws.sagemaker.state import SageMaker

Instances = Counter[tuple[str, str]]
"""(use, instance type) -> how many."""


def training(record: Mapping[str, Any]) -> Instances:
    """What a training job asks for."""
    resources = record["ResourceConfig"]
    use = "SpotTraining" if record.get("EnableManagedSpotTraining") else "Training"
    return Counter({(use, resources.get("InstanceType", "")): int(resources.get("InstanceCount", 1))})


def transform(record: Mapping[str, Any]) -> Instances:
    resources = record["TransformResources"]
    return Counter({("BatchTransform", resources["InstanceType"]): int(resources["InstanceCount"])})


def hosting(fleet: Fleet, counts: Mapping[str, int] | None = None) -> Instances:
    """What a fleet holds, or would hold with these counts of its variants; serverless ones hold no instances."""
    found: Instances = Counter()
    for name, count in (fleet.counts if counts is None else counts).items():
        if name not in fleet.serverless:
            found["Hosting", fleet.variants[name]["InstanceType"]] += count
    return found


def held(records: SageMaker) -> Instances:
    """Everything that is held now."""
    found: Instances = Counter()
    for job in list(records.jobs.values()):
        if job.record["TrainingJobStatus"] not in TERMINAL:
            found += training(job.record)
    for transforming in list(records.transforms.values()):
        if transforming.record["TransformJobStatus"] not in TERMINAL:
            found += transform(transforming.record)
    for deployment in list(records.endpoints.values()):
        for fleet in deployment.fleets:
            found += hosting(fleet)
    return found
