"""The rules for the variants of an endpoint configuration, by mode: instances, serverless, asynchronous, shadow.

Sources: API reference (ProductionVariant, ServerlessConfig, ShadowProductionVariants) and the developer guide's pages
of exclusions for serverless inference and shadow tests. AWS does not publish the texts of all these refusals.
"""

from collections.abc import Mapping
from typing import Any

from localaws import s3
from localaws.cloud import Call
from localaws.errors import validation
from localaws.sagemaker.definitions import containers, is_multi_model
from localaws.sagemaker.state import find, store

SERVERLESS_STEP_MB = 1024
INSTANCE_FIELDS = (
    *("InstanceType", "InitialInstanceCount", "AcceleratorType", "VolumeSizeInGB", "InferenceAmiVersion"),
    *("ModelDataDownloadTimeoutInSeconds", "ContainerStartupHealthCheckTimeoutInSeconds", "ManagedInstanceScaling"),
    *("CoreDumpConfig", "RoutingConfig", "EnableSSMAccess", "CapacityReservationConfig"),
)


def check(call: Call) -> None:
    """Check CreateEndpointConfig. Raises AwsError."""
    request = call.request
    if "ExplainerConfig" in request:
        raise validation("ExplainerConfig is not emulated; leave it out.")
    variants = [*request["ProductionVariants"], *request.get("ShadowProductionVariants", [])]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) < len(names):
        raise validation(f"Variant names must be unique within an endpoint configuration; given: {', '.join(names)}.")
    for variant in variants:
        _check_variant(call, variant)
    serverless = any("ServerlessConfig" in variant for variant in variants)
    if serverless and len(variants) > 1:
        raise validation("Serverless endpoints support one production variant and no shadow variant.")
    _check_many_models(call)
    _check_shadow(request)
    _check_async(request)
    _check_capture(request, serverless=serverless)


def _check_variant(call: Call, variant: Mapping[str, Any]) -> None:
    name = variant["VariantName"]
    if "ModelName" not in variant:
        raise validation(f"Variant {name} needs a ModelName; inference components are not emulated.")
    model = find(store(call).models, call, variant["ModelName"], "model", "model")
    if "ServerlessConfig" in variant:
        _check_serverless(name, variant, model)
    elif "InstanceType" not in variant or "InitialInstanceCount" not in variant:
        raise validation(f"Variant {name} needs an InstanceType and an InitialInstanceCount, or a ServerlessConfig.")


def _check_serverless(name: str, variant: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    config = variant["ServerlessConfig"]
    given = [field for field in INSTANCE_FIELDS if field in variant]
    if given:
        raise validation(f"Variant {name} has a ServerlessConfig and cannot have {', '.join(given)}.")
    if config["MemorySizeInMB"] % SERVERLESS_STEP_MB:
        raise validation(
            f"Invalid MemorySizeInMB {config['MemorySizeInMB']} for variant {name}; "
            "allowed: 1024, 2048, 3072, 4096, 5120, 6144."
        )
    if config.get("ProvisionedConcurrency", 0) > config["MaxConcurrency"]:
        raise validation(
            f"ProvisionedConcurrency {config['ProvisionedConcurrency']} of variant {name} must be less than or equal "
            f"to its MaxConcurrency {config['MaxConcurrency']}."
        )
    if model.get("VpcConfig"):
        raise validation(f"Model {model['ModelName']} has a VpcConfig, which serverless endpoints do not support.")
    if model.get("EnableNetworkIsolation"):
        raise validation(
            f"Model {model['ModelName']} has network isolation, which serverless endpoints do not support."
        )
    if is_multi_model(containers(model)[0]):
        raise validation(f"Model {model['ModelName']} has Mode MultiModel, which serverless endpoints do not support.")
    if len(model.get("Containers", [])) > 1:
        raise validation("Serverless endpoints do not support inference pipelines of several containers.")


def _check_many_models(call: Call) -> None:
    """Neither call of these modes could name a model."""
    request, records = call.request, store(call).models
    variants = [*request["ProductionVariants"], *request.get("ShadowProductionVariants", [])]
    many = [name for variant in variants if is_multi_model(containers(records[name := variant["ModelName"]])[0])]
    if many and (modes := [mode for mode in ("AsyncInferenceConfig", "ShadowProductionVariants") if request.get(mode)]):
        raise validation(f"Model {many[0]} has Mode MultiModel, which {modes[0]} does not support.")
    if many and len(many) < len(variants):
        raise validation("The variants of an endpoint must all have Mode MultiModel, or none of them.")


def _check_shadow(request: Mapping[str, Any]) -> None:
    shadows = request.get("ShadowProductionVariants", [])
    if not shadows:
        return
    if len(shadows) != 1 or len(request["ProductionVariants"]) != 1:
        raise validation(
            "With ShadowProductionVariants you can specify only one variant for ProductionVariants and one variant for "
            "ShadowProductionVariants."
        )
    if "AsyncInferenceConfig" in request:
        raise validation("ShadowProductionVariants are not supported with AsyncInferenceConfig.")


def _check_async(request: Mapping[str, Any]) -> None:
    config = request.get("AsyncInferenceConfig")
    if config is None:
        return
    if any("ServerlessConfig" in variant for variant in request["ProductionVariants"]):
        raise validation("AsyncInferenceConfig is not supported with a serverless variant.")
    if len(request["ProductionVariants"]) > 1:
        raise validation("AsyncInferenceConfig supports a single production variant.")
    output = config["OutputConfig"]
    if "S3OutputPath" not in output:
        raise validation("AsyncInferenceConfig needs an S3OutputPath in its OutputConfig.")
    for field in ("S3OutputPath", "S3FailurePath"):
        if field in output:
            _check_address(field, output[field])


def _check_capture(request: Mapping[str, Any], *, serverless: bool) -> None:
    config = request.get("DataCaptureConfig")
    if config is None:
        return
    if serverless and config.get("EnableCapture"):
        raise validation("DataCaptureConfig is not supported with a serverless variant.")
    _check_address("DestinationS3Uri", config["DestinationS3Uri"])


def _check_address(field: str, address: str) -> None:
    try:
        s3.split(address)
    except ValueError as error:
        raise validation(f"Invalid {field}: {error}.") from error
