"""What AWS checks before it takes a training job; tuning jobs check their training job definition by the same rules."""

from collections.abc import Mapping
from typing import Any

from localaws import s3
from localaws.cloud import arn
from localaws.errors import validation
from localaws.sagemaker import channels, network, spot
from localaws.sagemaker.state import check_repository, check_role

MAX_RUNTIME_SECONDS = 86_400  # AWS's default
CHECKPOINTS = "/opt/ml/checkpoints"


def check(request: Mapping[str, Any], region: str) -> None:
    """Refuse a job whose role, image, data or addresses do not exist, or whose parts contradict each other."""
    _check_algorithm(request)
    name = request.get("TrainingJobName", "*").lower()  # a tuning job's definition has none yet
    check_role(request["RoleArn"], arn("sagemaker", region, f"training-job/{name}"))
    check_repository(request["AlgorithmSpecification"]["TrainingImage"], request["RoleArn"])
    runtime = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", MAX_RUNTIME_SECONDS)
    spot.check(request, runtime)
    network.check(request, region)
    _check_addresses(request, region)
    channels.check(request, region)


def _check_algorithm(request: Mapping[str, Any]) -> None:
    spec = request["AlgorithmSpecification"]
    if ("TrainingImage" in spec) == ("AlgorithmName" in spec):
        raise validation("Exactly one of TrainingImage and AlgorithmName must be given in AlgorithmSpecification.")
    if "AlgorithmName" in spec:
        raise validation("AlgorithmName is not emulated; give a TrainingImage.")
    if request["ResourceConfig"].get("InstanceGroups"):
        raise validation("InstanceGroups are not emulated; give InstanceType and InstanceCount.")


def _check_addresses(request: Mapping[str, Any], region: str) -> None:
    local = request.get("CheckpointConfig", {}).get("LocalPath", CHECKPOINTS)
    if not local.startswith("/opt/ml/"):
        raise validation(f"CheckpointConfig.LocalPath is {local!r}; localaws emulates paths below /opt/ml/ only.")
    addresses = [request["OutputDataConfig"]["S3OutputPath"]]
    addresses += [request["CheckpointConfig"]["S3Uri"]] if "CheckpointConfig" in request else []
    for address in addresses:
        if not s3.bucket_exists(s3.split(address)[0]):
            raise validation(f"S3 bucket does not exist: {address}. Please create it in region {region}.")
