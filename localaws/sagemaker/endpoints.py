"""The endpoints' API; what happens behind it is deployment.py and fleet.py."""

from collections.abc import Mapping
from typing import Any

from localaws.autoscaling import deregister_endpoint
from localaws.cloud import Call, Handler
from localaws.errors import validation
from localaws.sagemaker.deployment import Deployment
from localaws.sagemaker.fleet import Fleet
from localaws.sagemaker.listing import listing
from localaws.sagemaker.models import check_model_data
from localaws.sagemaker.state import find, keep_tags, refuse_duplicate, sagemaker_arn, store

IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


def _deployment(call: Call, name: str) -> Deployment:
    found: Deployment = find(store(call).endpoints, call, name, "endpoint", "endpoint")
    return found


def _fleet(call: Call, name: str, keep: Fleet | None = None) -> Fleet:
    """A fleet for the configuration in the request; `keep` gives counts and weights of variants of the same name."""
    records = store(call)
    wanted = call.request["EndpointConfigName"]
    config = find(records.configs, call, wanted, "endpoint-config", "endpoint configuration")
    models = {}
    for variant in config["ProductionVariants"]:
        model = find(records.models, call, variant["ModelName"], "model", "model")
        check_model_data(model)
        models[variant["ModelName"]] = model
    variants = config["ProductionVariants"]
    counts = {variant["VariantName"]: variant["InitialInstanceCount"] for variant in variants}
    weights = {variant["VariantName"]: variant["InitialVariantWeight"] for variant in variants}
    dropped = {item["VariantPropertyType"] for item in call.request.get("ExcludeRetainedVariantProperties", [])}
    if keep and "DesiredInstanceCount" not in dropped:
        counts |= {variant: keep.counts[variant] for variant in counts if variant in keep.counts}
    if keep and "DesiredWeight" not in dropped:
        weights |= {variant: keep.weights[variant] for variant in weights if variant in keep.weights}
    return Fleet(call.cloud, call.region, name, config, models, counts, weights)


def create_endpoint(call: Call) -> Mapping[str, Any]:
    """one server process per instance, on the port of SAGEMAKER_BIND_TO_PORT"""
    name, records, now = call.request["EndpointName"], store(call), call.cloud.clock.now()
    with records.lock:
        refuse_duplicate(records.endpoints, call, name, "endpoint", "endpoint")
        fleet = _fleet(call, name)
        record = {
            "EndpointName": name,
            "EndpointArn": sagemaker_arn(call, "endpoint", name),
            "EndpointConfigName": call.request["EndpointConfigName"],
            "LastDeploymentConfig": call.request.get("DeploymentConfig"),
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        deployment = records.endpoints[name] = Deployment(call.cloud, record)
        keep_tags(call, record["EndpointArn"])
        deployment.create(fleet)
    return record


def describe_endpoint(call: Call) -> Mapping[str, Any]:
    return _deployment(call, call.request["EndpointName"]).describe()


def list_endpoints(call: Call) -> Mapping[str, Any]:
    records = [deployment.record for deployment in list(store(call).endpoints.values())]
    shown, token = listing(call.request, records, "EndpointName", "EndpointStatus")
    return {"Endpoints": shown, "NextToken": token}


def _changeable(call: Call) -> Deployment:
    """The endpoint, unless it is in the middle of something. Call it with the lock held."""
    deployment = _deployment(call, call.request["EndpointName"])
    if deployment.record["EndpointStatus"] in IN_PROGRESS:
        raise validation(f'Cannot update in-progress endpoint "{deployment.record["EndpointArn"]}".')
    return deployment


def update_endpoint(call: Call) -> Mapping[str, Any]:
    """blue/green, all at once; other deployment policies are stored only"""
    with store(call).lock:
        deployment = _changeable(call)
        if deployment.fleet is None:
            where = deployment.record["EndpointArn"]
            raise validation(f'Cannot update failed endpoint "{where}"; delete it and create it again.')
        keep = deployment.fleet if call.request.get("RetainAllVariantProperties") else None
        fleet = _fleet(call, call.request["EndpointName"], keep)
        deployment.record["LastDeploymentConfig"] = call.request.get("DeploymentConfig")
        deployment.update(fleet)
    return deployment.record


def update_endpoint_weights_and_capacities(call: Call) -> Mapping[str, Any]:
    with store(call).lock:
        deployment = _changeable(call)
        if deployment.fleet is None:
            raise validation(f'Endpoint "{deployment.record["EndpointArn"]}" is not in service.')
        desired = {item["VariantName"]: item for item in call.request["DesiredWeightsAndCapacities"]}
        unknown = set(desired) - set(deployment.fleet.counts)
        if unknown:
            raise validation(
                f"Variant {', '.join(sorted(unknown))} is not part of the endpoint; "
                f"its variants: {', '.join(deployment.fleet.counts)}."
            )
        deployment.scale(
            {name: item["DesiredInstanceCount"] for name, item in desired.items() if "DesiredInstanceCount" in item},
            {name: item["DesiredWeight"] for name, item in desired.items() if "DesiredWeight" in item},
        )
    return deployment.record


def delete_endpoint(call: Call) -> None:
    """also deregisters the endpoint's scalable targets, as AWS does"""
    records = store(call)
    with records.lock:
        deployment = _changeable(call)
        name, resource = deployment.record["EndpointName"], deployment.record["EndpointArn"]

        def forget() -> None:
            with records.lock:
                records.endpoints.pop(name, None)
                records.tags.pop(resource, None)

        deregister_endpoint(call.region, name)
        deployment.delete(forget)


OPERATIONS: dict[str, Handler] = {
    "CreateEndpoint": create_endpoint,
    "DeleteEndpoint": delete_endpoint,
    "DescribeEndpoint": describe_endpoint,
    "ListEndpoints": list_endpoints,
    "UpdateEndpoint": update_endpoint,
    "UpdateEndpointWeightsAndCapacities": update_endpoint_weights_and_capacities,
}
