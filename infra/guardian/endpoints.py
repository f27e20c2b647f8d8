"""The stack's endpoint as SageMaker shows it, and what an hour of it is counted for."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

MISSING = "Could not find"
CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack")
"""SageMaker deletes no endpoint in these."""
SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    name: str
    arn: str
    status: str
    config: str
    created: float
    changed: float
    """Epoch seconds."""
    reason: str = ""
    deployment: dict[str, Any] | None = None
    counts: dict[str, int] = field(default_factory=dict)
    """Instances by variant, shadows too; none for serverless ones."""
    provisioned: dict[str, int] = field(default_factory=dict)
    """Provisioned concurrency by serverless variant."""

    @property
    def bills(self) -> bool:
        """Whether it costs something while nobody asks it anything."""
        return any(self.counts.values()) or any(self.provisioned.values())


def find_endpoint(sagemaker: Any, name: str) -> Endpoint | None:
    try:
        found = sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if MISSING in error.response["Error"]["Message"]:
            return None
        raise
    variants = [*found.get("ProductionVariants", []), *found.get("ShadowProductionVariants", [])]
    return Endpoint(
        name=name,
        arn=found["EndpointArn"],
        status=found["EndpointStatus"],
        config=found.get("EndpointConfigName", ""),
        created=_epoch(found["CreationTime"]),
        changed=_epoch(found["LastModifiedTime"]),
        reason=found.get("FailureReason", ""),
        deployment=found.get("LastDeploymentConfig"),
        counts={one["VariantName"]: _instances(one) for one in variants if "CurrentServerlessConfig" not in one},
        provisioned={
            one["VariantName"]: one["CurrentServerlessConfig"].get("ProvisionedConcurrency", 0)
            for one in variants
            if "CurrentServerlessConfig" in one
        },
    )


def billed_by_the_hour(sagemaker: Any, endpoint: Endpoint) -> dict[str, int]:
    """How many of what an hour of the endpoint is billed for, by the price book's key."""
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint.config)
    found: dict[str, int] = {}
    for variant in [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]:
        name, serverless = variant["VariantName"], variant.get("ServerlessConfig")
        if serverless:
            key = f"ServerlessProvisioned:{serverless['MemorySizeInMB']}"
            count = endpoint.provisioned.get(name, serverless.get("ProvisionedConcurrency", 0))
        else:
            key = f"Hosting:{variant['InstanceType']}"
            # A variant that starts shows no count yet, and bills.
            count = endpoint.counts.get(name, variant.get("InitialInstanceCount", 0))
        if count:
            found[key] = found.get(key, 0) + int(count)
    return found


def _instances(variant: dict[str, Any]) -> int:
    return int(max(variant.get("CurrentInstanceCount", 0), variant.get("DesiredInstanceCount", 0)))


def _epoch(when: datetime) -> float:
    return when.timestamp()
