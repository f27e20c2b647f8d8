"""SageMaker's records in one region, and the checks that several of its operations share."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localaws import ecr, roles
from localaws.cloud import ACCOUNT, Call, Store, arn
from localaws.errors import AwsError, validation

if TYPE_CHECKING:
    from localaws.sagemaker.deployment import Deployment
    from localaws.sagemaker.job import TrainingRun
    from localaws.sagemaker.transform.run import TransformRun
    from localaws.sagemaker.tuning_run import TuningRun
    from localaws.sagemaker.warm_pool import WarmPool

PULL_ACTIONS = "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer"


@dataclass(kw_only=True)
class TrainingJob:
    record: dict[str, Any]  # what DescribeTrainingJob shows
    run: "TrainingRun"
    pool: "WarmPool"


@dataclass(kw_only=True)
class TransformJob:
    record: dict[str, Any]  # what DescribeTransformJob shows
    run: "TransformRun"


@dataclass(kw_only=True)
class ModelPackageGroup:
    record: dict[str, Any]  # what DescribeModelPackageGroup shows
    last_version: int = 0  # a deleted version's number is not given again


@dataclass(kw_only=True)
class SageMaker(Store):
    """Everything by name, except `packages` and `tags`."""

    jobs: dict[str, TrainingJob] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    endpoints: dict[str, "Deployment"] = field(default_factory=dict)
    transforms: dict[str, TransformJob] = field(default_factory=dict)
    tunings: dict[str, "TuningRun"] = field(default_factory=dict)
    package_groups: dict[str, ModelPackageGroup] = field(default_factory=dict)
    packages: dict[str, dict[str, Any]] = field(default_factory=dict)  # by ARN
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def close(self) -> None:
        with self.lock:
            tunings = list(self.tunings.values())
        for tuning in tunings:
            tuning.abandon()  # starts no more jobs
        with self.lock:
            jobs: list[TrainingJob | TransformJob] = [*self.jobs.values(), *self.transforms.values()]
            endpoints = list(self.endpoints.values())
        for job in jobs:
            job.run.abandon()
        for endpoint in endpoints:
            endpoint.abandon()


def store(call: Call) -> SageMaker:
    return call.cloud.store(call.region, SageMaker)


def sagemaker_arn(call: Call, kind: str, name: str) -> str:
    return arn("sagemaker", call.region, f"{kind}/{name.lower()}")


def keep_tags(call: Call, resource: str) -> None:
    given = {tag["Key"]: tag["Value"] for tag in call.request.get("Tags", [])}
    store(call).tags[resource] = given


def check_role(role: str, source_arn: str = "") -> None:
    """AWS tries to assume the role at once, for the resource to be made, and refuses the call when it cannot."""
    if not roles.assumable(role, "sagemaker.amazonaws.com", source_arn):
        raise validation(
            f"Could not assume role {role}. Please ensure that the role exists and allows principal "
            "'sagemaker.amazonaws.com' to assume the role."
        )


def check_repository(image: str, role: str) -> None:
    """An image of this account needs its repository; a missing tag is found out later, when it is pulled."""
    reference = ecr.own(image)
    if reference is not None and ecr.repository(reference) is None:
        raise validation(
            f"Cannot find repository: {reference.repository} in registry ID: {ACCOUNT}. Please check if your ECR "
            f"repository and image exist and role {role} has proper pull permissions for SageMaker: {PULL_ACTIONS}"
        )


def find(records: Mapping[str, Any], call: Call, name: str, kind: str, words: str) -> Any:
    """A record by name, or the error from which clients conclude that it does not exist."""
    if name not in records:
        raise validation(f'Could not find {words} "{sagemaker_arn(call, kind, name)}".')
    return records[name]


def refuse_duplicate(records: Mapping[str, Any], call: Call, name: str, kind: str, words: str) -> None:
    """The text on which the SDKs decide to reuse what exists."""
    if name in records:
        raise validation(f'Cannot create already existing {words} "{sagemaker_arn(call, kind, name)}".')


def in_use(message: str) -> AwsError:
    return AwsError("ResourceInUse", message)
