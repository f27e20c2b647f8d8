"""Models and endpoint configurations: records, with AWS's checks of what they refer to."""

from collections.abc import Mapping
from typing import Any

from localaws import ecr, s3
from localaws.cloud import Call, Handler
from localaws.errors import validation
from localaws.iam.platform import Actor
from localaws.sagemaker import network, permissions, registry, variants
from localaws.sagemaker.definitions import containers, is_multi_model, model_data
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


def check_model_data(model: Mapping[str, Any]) -> None:
    for container in containers(model):
        for address, archive in model_data(container):
            if not (s3.exists(address) if archive else s3.keys(*s3.split(address))):
                raise validation(f"Could not find model data at {address}.")


def _check_mode(container: Mapping[str, Any]) -> None:
    if is_multi_model(container) and ("ModelDataUrl" not in container or "ModelDataSource" in container):
        raise validation(
            "A container of Mode MultiModel needs a ModelDataUrl, the S3 prefix of its models, and no ModelDataSource."
        )


def create_model(call: Call) -> Mapping[str, Any]:
    """one container per model runs, of a single model or of many; pipelines of several are stored only"""
    request, records = call.request, store(call)
    name = request["ModelName"]
    with records.lock:
        refuse_duplicate(records.models, call, name, "model", "model")
        if not containers(request):
            raise validation("A model needs a PrimaryContainer or Containers.")
        check_role(request.get("ExecutionRoleArn", ""), sagemaker_arn(call, "model", name))
        actor = Actor(cloud=call.cloud, role=request["ExecutionRoleArn"], region=call.region)
        permissions.check_network(actor, request)
        resolved = registry.resolved(call, containers(request))
        for container in resolved:
            if "Image" not in container:
                raise validation("Every container needs an Image or a ModelPackageName.")
            _check_mode(container)
            check_repository(container["Image"], request["ExecutionRoleArn"])
            permissions.check_model(actor, container["Image"], model_data(container))
            if ecr.resolve(call.cloud, container["Image"]) is None:
                raise validation(f"Requested image {container['Image']} not found.")
        check_model_data({"Containers": resolved})
        network.check(request, call.region)
        record = {
            "EnableNetworkIsolation": False,
            **{key: value for key, value in request.items() if key != "Tags"},
            "ResolvedContainers": resolved,
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
    """instances, serverless, asynchronous, shadow, data capture; no inference components, no explainer"""
    request, records = call.request, store(call)
    name = request["EndpointConfigName"]
    with records.lock:
        refuse_duplicate(records.configs, call, name, "endpoint-config", "endpoint configuration")
        variants.check(call)
        weighted = {
            part: [{"InitialVariantWeight": 1.0, **variant} for variant in request[part]]
            for part in ("ProductionVariants", "ShadowProductionVariants")
            if part in request
        }
        record = {
            **{key: value for key, value in request.items() if key != "Tags"},
            **weighted,
            "EndpointConfigArn": sagemaker_arn(call, "endpoint-config", name),
            "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
            "CreationTime": call.cloud.clock.now(),
        }
        records.configs[name] = record
        keep_tags(call, record["EndpointConfigArn"])
    return record


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
