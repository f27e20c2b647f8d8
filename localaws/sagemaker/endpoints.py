"""The endpoints' API; what happens behind it is deployment.py and fleet.py."""

from collections.abc import Mapping
from typing import Any

from localaws import autoscaling, quotas
from localaws.cloud import Call, Handler
from localaws.errors import validation
from localaws.iam.platform import Actor
from localaws.sagemaker import usage
from localaws.sagemaker.deployment import Deployment
from localaws.sagemaker.fleet import Fleet
from localaws.sagemaker.guardrails import ROLLING, Plan, check_variants, plan
from localaws.sagemaker.listing import listing
from localaws.sagemaker.models import check_model_data
from localaws.sagemaker.state import find, keep_tags, refuse_duplicate, sagemaker_arn, store

IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


def _deployment(call: Call, name: str) -> Deployment:
    found: Deployment = find(store(call).endpoints, call, name, "endpoint", "endpoint")
    return found


def _fleet(call: Call, name: str, keep: Fleet | None = None) -> Fleet:
    """A fleet for the configuration in the request; `keep` gives what RetainAllVariantProperties keeps."""
    records = store(call)
    wanted = call.request["EndpointConfigName"]
    config = find(records.configs, call, wanted, "endpoint-config", "endpoint configuration")
    dropped = {item["VariantPropertyType"] for item in call.request.get("ExcludeRetainedVariantProperties", [])}
    if keep and "DataCaptureConfig" not in dropped and "DataCaptureConfig" in keep.config:
        config = {**config, "DataCaptureConfig": keep.config["DataCaptureConfig"]}
    models = {}
    variants = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]
    for variant in variants:
        model = find(records.models, call, variant["ModelName"], "model", "model")
        check_model_data(model)
        models[variant["ModelName"]] = model
    counts = {variant["VariantName"]: _initial_count(variant) for variant in variants}
    weights = {variant["VariantName"]: variant["InitialVariantWeight"] for variant in variants}
    if keep and "DesiredInstanceCount" not in dropped:
        counts |= {variant: keep.counts[variant] for variant in counts if variant in keep.counts}
    if keep and "DesiredWeight" not in dropped:
        weights |= {variant: keep.weights[variant] for variant in weights if variant in keep.weights}
    return Fleet(call.cloud, call.region, name, config, models, counts, weights)


def _initial_count(variant: Mapping[str, Any]) -> int:
    serverless = variant.get("ServerlessConfig")
    return int(serverless.get("ProvisionedConcurrency", 0) if serverless else variant["InitialInstanceCount"])


def _plan(call: Call, fleet: Fleet, config: Mapping[str, Any] | None) -> Plan:
    instances = min((fleet.counts[name] for name in fleet.production), default=1)
    return plan(Actor(cloud=call.cloud, role=fleet.role, region=call.region), config, max(instances, 1))


def create_endpoint(call: Call) -> Mapping[str, Any]:
    """one server process per instance, on the port of SAGEMAKER_BIND_TO_PORT; serverless ones start on demand"""
    name, records, now = call.request["EndpointName"], store(call), call.cloud.clock.now()
    with records.lock:
        refuse_duplicate(records.endpoints, call, name, "endpoint", "endpoint")
        fleet = _fleet(call, name)
        _plan(call, fleet, call.request.get("DeploymentConfig"))
        quotas.check(call.cloud, records, usage.hosting(fleet))
        record = {
            "EndpointName": name,
            "EndpointArn": sagemaker_arn(call, "endpoint", name),
            "EndpointConfigName": call.request["EndpointConfigName"],
            "LastDeploymentConfig": call.request.get("DeploymentConfig"),
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        deployment = records.endpoints[name] = Deployment(call.cloud, call.region, record)
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
    """all at once, canary, linear or rolling, with roll-back by alarms"""
    with store(call).lock:
        deployment = _changeable(call)
        old = deployment.fleet
        if old is None:
            where = deployment.record["EndpointArn"]
            raise validation(f'Cannot update failed endpoint "{where}"; delete it and create it again.')
        new = _fleet(
            call, call.request["EndpointName"], old if call.request.get("RetainAllVariantProperties") else None
        )
        _check_change(call, old, new)
        given = call.request.get("DeploymentConfig")
        if given is None and call.request.get("RetainDeploymentConfig"):
            given = deployment.record["LastDeploymentConfig"]
        chosen = _plan(call, new, given)
        check_variants(chosen, old.production, new.production, serverless=bool(old.serverless or new.serverless))
        if chosen.strategy != ROLLING:  # which replaces a few instances at a time
            quotas.check(call.cloud, store(call), usage.hosting(new))
        deployment.record["LastDeploymentConfig"] = given
        gone = sorted(set(old.counts) - set(new.counts))

        def forget_targets() -> None:
            for variant in gone:
                autoscaling.deregister_variant(call.region, call.request["EndpointName"], variant)

        deployment.update(new, chosen, forget_targets)
    return deployment.record


def _check_change(call: Call, old: Fleet, new: Fleet) -> None:
    """What UpdateEndpoint cannot change: instances into serverless, the instance type of a scaled variant."""
    name = call.request["EndpointName"]
    for variant in new.production:
        if variant in new.serverless and not old.serverless:
            raise validation(
                f"Cannot update endpoint {name}: variant {variant} is serverless, and an instance-based endpoint "
                "cannot be converted to a serverless one. Create another endpoint."
            )
    changed = [
        variant
        for variant in set(old.production) & set(new.production)
        if old.variants[variant].get("InstanceType") != new.variants[variant].get("InstanceType")
    ]
    scaled = sorted(variant for variant in changed if autoscaling.is_target(call.region, name, variant))
    if scaled:
        raise validation(
            f"The variant(s) {scaled} must be deregistered as a scalable target with AWS Auto Scaling before they can "
            "have their instance type updated."
        )


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
        _check_kinds(deployment.fleet, desired)
        counts = {
            name: item["DesiredInstanceCount"] for name, item in desired.items() if "DesiredInstanceCount" in item
        }
        quotas.check_scaling(call.cloud, store(call), deployment.fleet, counts)
        for name, item in desired.items():
            if "ServerlessUpdateConfig" in item:
                deployment.fleet.serverless[name] |= item["ServerlessUpdateConfig"]
                counts[name] = deployment.fleet.serverless[name].get("ProvisionedConcurrency", 0)
        deployment.scale(
            counts,
            {name: item["DesiredWeight"] for name, item in desired.items() if "DesiredWeight" in item},
        )
    return deployment.record


def _check_kinds(fleet: Fleet, desired: Mapping[str, Mapping[str, Any]]) -> None:
    for name, item in desired.items():
        if name in fleet.serverless and "DesiredInstanceCount" in item:
            raise validation(
                f"Variant {name} is serverless; it takes ServerlessUpdateConfig, not DesiredInstanceCount."
            )
        if name not in fleet.serverless and "ServerlessUpdateConfig" in item:
            raise validation(
                f"Variant {name} has instances; it takes DesiredInstanceCount, not ServerlessUpdateConfig."
            )
        if item.get("DesiredInstanceCount") == 0 and not fleet.asynchronous:
            raise validation(f"Variant {name}: DesiredInstanceCount must be at least 1 for a real-time endpoint.")


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

        autoscaling.deregister_endpoint(call.region, name)
        deployment.delete(forget)


OPERATIONS: dict[str, Handler] = {
    "CreateEndpoint": create_endpoint,
    "DeleteEndpoint": delete_endpoint,
    "DescribeEndpoint": describe_endpoint,
    "ListEndpoints": list_endpoints,
    "UpdateEndpoint": update_endpoint,
    "UpdateEndpointWeightsAndCapacities": update_endpoint_weights_and_capacities,
}
