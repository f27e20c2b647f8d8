"""Models and endpoint configurations: records, with AWS's checks of what they refer to."""

from collections.abc import Iterator, Mapping
from typing import Any

from localaws import ecr, s3
from localaws.cloud import Call, Handler
from localaws.errors import validation
from localaws.sagemaker.listing import listing
from localaws.sagemaker.state import (
    check_repository,
    check_role,
    find,
    keep_tags,
    refuse_duplicate,
    sagemaker_arn,
    store,
)

NOT_EMULATED = ("AsyncInferenceConfig", "DataCaptureConfig", "ExplainerConfig", "ShadowProductionVariants")


def containers(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    primary = [model["PrimaryContainer"]] if "PrimaryContainer" in model else []
    return [*primary, *model.get("Containers", [])]


def model_data(container: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """(address, whether it is an archive) of a container's model, if it has one."""
    if "ModelDataUrl" in container:
        yield container["ModelDataUrl"], True
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source:
        yield source["S3Uri"], source["CompressionType"] == "Gzip"


def check_model_data(model: Mapping[str, Any]) -> None:
    for container in containers(model):
        for address, archive in model_data(container):
            if not (s3.exists(address) if archive else s3.keys(*s3.split(address))):
                raise validation(f"Could not find model data at {address}.")


def create_model(call: Call) -> Mapping[str, Any]:
    """one container per model runs; pipelines of several are stored only"""
    request, records = call.request, store(call)
    name = request["ModelName"]
    with records.lock:
        refuse_duplicate(records.models, call, name, "model", "model")
        if not containers(request):
            raise validation("A model needs a PrimaryContainer or Containers.")
        check_role(request.get("ExecutionRoleArn", ""))
        for container in containers(request):
            if "Image" not in container:
                raise validation("Every container needs an Image; model packages are not emulated.")
            check_repository(container["Image"], request["ExecutionRoleArn"])
            if ecr.resolve(call.cloud, container["Image"]) is None:
                raise validation(f"Requested image {container['Image']} not found.")
        check_model_data(request)
        record = {
            "EnableNetworkIsolation": False,
            **{key: value for key, value in request.items() if key != "Tags"},
            "ModelArn": sagemaker_arn(call, "model", name),
            "CreationTime": call.cloud.clock.now(),
        }
        if "PrimaryContainer" in record:
            record["PrimaryContainer"] = {"Mode": "SingleModel", **record["PrimaryContainer"]}
        records.models[name] = record
        keep_tags(call, record["ModelArn"])
    return record


def describe_model(call: Call) -> Mapping[str, Any]:
    found: Mapping[str, Any] = find(store(call).models, call, call.request["ModelName"], "model", "model")
    return found


def list_models(call: Call) -> Mapping[str, Any]:
    shown, token = listing(call.request, list(store(call).models.values()), "ModelName")
    return {"Models": shown, "NextToken": token}


def delete_model(call: Call) -> None:
    """allowed while an endpoint runs it, as in AWS"""
    record, records = describe_model(call), store(call)
    records.models.pop(record["ModelName"], None)
    records.tags.pop(record["ModelArn"], None)


def create_endpoint_config(call: Call) -> Mapping[str, Any]:
    """instance-based production variants; serverless, async, capture and shadows are refused"""
    request, records = call.request, store(call)
    name = request["EndpointConfigName"]
    with records.lock:
        refuse_duplicate(records.configs, call, name, "endpoint-config", "endpoint configuration")
        _check_variants(call)
        variants = [{"InitialVariantWeight": 1.0, **variant} for variant in request["ProductionVariants"]]
        record = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "ProductionVariants": variants,
            "EndpointConfigArn": sagemaker_arn(call, "endpoint-config", name),
            "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
            "CreationTime": call.cloud.clock.now(),
        }
        records.configs[name] = record
        keep_tags(call, record["EndpointConfigArn"])
    return record


def _check_variants(call: Call) -> None:
    for part in NOT_EMULATED:
        given = call.request.get(part)
        if given and (part != "DataCaptureConfig" or given.get("EnableCapture")):
            raise validation(f"{part} is not emulated; leave it out.")
    variants = call.request["ProductionVariants"]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) < len(names):
        raise validation(f"Variant names must be unique within an endpoint configuration; given: {', '.join(names)}.")
    for variant in variants:
        if "ServerlessConfig" in variant or "ModelName" not in variant:
            raise validation(f"Variant {variant['VariantName']}: only instances with a ModelName are emulated.")
        if "InstanceType" not in variant or "InitialInstanceCount" not in variant:
            raise validation(f"Variant {variant['VariantName']} needs an InstanceType and an InitialInstanceCount.")
        find(store(call).models, call, variant["ModelName"], "model", "model")


def describe_endpoint_config(call: Call) -> Mapping[str, Any]:
    name = call.request["EndpointConfigName"]
    found: Mapping[str, Any] = find(store(call).configs, call, name, "endpoint-config", "endpoint configuration")
    return found


def list_endpoint_configs(call: Call) -> Mapping[str, Any]:
    shown, token = listing(call.request, list(store(call).configs.values()), "EndpointConfigName")
    return {"EndpointConfigs": shown, "NextToken": token}


def delete_endpoint_config(call: Call) -> None:
    """allowed while an endpoint uses it, as in AWS"""
    record, records = describe_endpoint_config(call), store(call)
    records.configs.pop(record["EndpointConfigName"], None)
    records.tags.pop(record["EndpointConfigArn"], None)


OPERATIONS: dict[str, Handler] = {
    "CreateEndpointConfig": create_endpoint_config,
    "CreateModel": create_model,
    "DeleteEndpointConfig": delete_endpoint_config,
    "DeleteModel": delete_model,
    "DescribeEndpointConfig": describe_endpoint_config,
    "DescribeModel": describe_model,
    "ListEndpointConfigs": list_endpoint_configs,
    "ListModels": list_models,
}
