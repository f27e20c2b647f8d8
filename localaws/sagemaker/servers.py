"""What the instances of an endpoint configuration's variants run."""

from collections.abc import Mapping
from typing import Any

from localaws.sagemaker.definitions import containers
from localaws.sagemaker.instance import LOG_GROUP, Server

STARTUP_SECONDS = 480  # AWS's limit for the ping check, unless the variant says otherwise
SERVERLESS_STARTUP_SECONDS = 180


def of_variants(
    region: str, endpoint: str, variants: Mapping[str, Mapping[str, Any]], models: Mapping[str, Mapping[str, Any]]
) -> dict[str, Server]:
    """By the variant's name; `models` are the records by their own names."""
    return {name: _of(region, endpoint, variant, models[variant["ModelName"]]) for name, variant in variants.items()}


def _of(region: str, endpoint: str, variant: Mapping[str, Any], model: Mapping[str, Any]) -> Server:
    usual = SERVERLESS_STARTUP_SECONDS if "ServerlessConfig" in variant else STARTUP_SECONDS
    return Server(
        region=region,
        owner=endpoint,
        variant=variant["VariantName"],
        container=dict(containers(model)[0]),
        role=model["ExecutionRoleArn"],
        startup_seconds=variant.get("ContainerStartupHealthCheckTimeoutInSeconds", usual),
        log_group=f"{LOG_GROUP}/{endpoint}",
    )
