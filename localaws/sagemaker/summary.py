"""The parts of DescribeEndpoint that tell of fleets: variants, options, the deployment in progress."""

from collections.abc import Sequence
from typing import Any

from localaws.sagemaker.fleet import Fleet

RETAINED = ("AsyncInferenceConfig", "MetricsConfig")


def variants(fleet: Fleet) -> dict[str, Any]:
    """ProductionVariants, and ShadowProductionVariants where there are some."""
    return {
        "ProductionVariants": [_variant(fleet, name) for name in fleet.production],
        "ShadowProductionVariants": [_variant(fleet, name) for name in fleet.shadows] or None,
    }


def _variant(fleet: Fleet, name: str) -> dict[str, Any]:
    shown = {
        "VariantName": name,
        "DeployedImages": [{"SpecifiedImage": fleet.images[name], "ResolvedImage": fleet.images[name]}],
        "CurrentWeight": fleet.weights[name],
        "DesiredWeight": fleet.weights[name],
        "RoutingConfig": fleet.variants[name].get("RoutingConfig"),
    }
    if name in fleet.serverless:
        config = fleet.serverless[name]
        return {**shown, "CurrentServerlessConfig": config, "DesiredServerlessConfig": config}
    return {**shown, "CurrentInstanceCount": fleet.live(name), "DesiredInstanceCount": fleet.counts[name]}


def options(fleet: Fleet) -> dict[str, Any]:
    """What the configuration says beside its variants."""
    shown = {name: fleet.config[name] for name in RETAINED if name in fleet.config}
    capture = fleet.config.get("DataCaptureConfig")
    if capture:
        shown["DataCaptureConfig"] = {
            "EnableCapture": capture.get("EnableCapture", False),
            "CaptureStatus": "Started" if capture.get("EnableCapture") else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    return shown


def pending(fleet: Fleet, begun: float, stage: tuple[str, float]) -> dict[str, Any]:
    """PendingDeploymentSummary."""
    status = [{"Status": stage[0], "StartTime": stage[1]}]

    def shown(names: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {
                **_variant(fleet, name),
                "InstanceType": fleet.variants[name].get("InstanceType"),
                "VariantStatus": status,
            }
            for name in names
        ]

    return {
        "EndpointConfigName": fleet.config["EndpointConfigName"],
        "ProductionVariants": shown(fleet.production),
        "ShadowProductionVariants": shown(fleet.shadows) or None,
        "StartTime": begun,
    }
