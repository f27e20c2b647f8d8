"""What a deployed stack answers of an export's options: image, model, size, bounds, the server's variables.

The image and the model are the ones in the stack's outputs; the size is that of its SageMaker instances.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from slipway.engine import Engine
from slipway.errors import USAGE, SlipwayError
from slipway.project import Stack, open_stack

SERVER_VARIABLES = "SLIPWAY_"
"""Only these are taken over: others may hold what the stack keeps encrypted."""
INSTANCE_PREFIX = "ml."


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """`options`: option -> text, of those that the stack knows. `notes`: what the user must know of them."""

    options: dict[str, str]
    environment: list[str] = field(default_factory=list)
    region: str = ""
    notes: list[str] = field(default_factory=list)


def deployed(name: str) -> Deployed:
    """Read the stack called `name`. Raises SlipwayError where it cannot be reached or serves nothing."""
    stack = open_stack(name)
    return read(stack, Engine(stack).outputs())


def read(stack: Stack, outputs: Mapping[str, Any]) -> Deployed:
    """The options that `outputs` and AWS give. Raises SlipwayError where nothing is served."""
    if not outputs.get("artifact") or not outputs.get("endpoint_config"):
        reason = "model is off, or no run is approved yet" if outputs else "it was never up"
        raise SlipwayError(f"stack {stack.name} has no model to serve ({reason})", USAGE)
    sagemaker = stack.client("sagemaker")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=outputs["endpoint_config"])
    variant = config["ProductionVariants"][0]
    taken, left = _environment(sagemaker.describe_model(ModelName=outputs["model"]))
    options = {
        "name": stack.prefix,
        "image": str(outputs["image"]),
        "model": str(outputs["artifact"]),
        **_size(stack, variant.get("InstanceType", "")),
        **_bounds(stack, outputs.get("endpoint") or "", variant["VariantName"]),
    }
    return Deployed(
        options=options,
        environment=taken,
        region=stack.region,
        notes=[*_notes(stack, config), *([_left_out(left)] if left else [])],
    )


def _environment(model: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """(NAME=VALUE of the server's own variables, names of the others)."""
    values = model["PrimaryContainer"].get("Environment", {})
    own = sorted(name for name in values if name.startswith(SERVER_VARIABLES))
    return [f"{name}={values[name]}" for name in own], sorted(set(values) - set(own))


def _left_out(names: list[str]) -> str:
    return f"variables of the stack that are not exported: {', '.join(names)}; give them with --env or --env-secret"


def _notes(stack: Stack, config: Mapping[str, Any]) -> list[str]:
    notes = []
    if stack.local:
        notes.append(f"stack {stack.name} is on the embedded AWS: no cluster can pull this image or fetch this model")
    if "AsyncInferenceConfig" in config:
        notes.append(f"stack {stack.name} answers asynchronously; in Kubernetes requests are answered as they come")
    return notes


def _size(stack: Stack, instance_type: str) -> dict[str, str]:
    """CPUs, memory and GPUs of a pod: those of the instance, less what a node needs for itself.

    A node of the same type would otherwise have no room for the pod. Empty where EC2 does not know the type.
    """
    if not instance_type.startswith(INSTANCE_PREFIX):
        return {}  # serverless
    wanted = instance_type.removeprefix(INSTANCE_PREFIX)
    try:
        types = stack.client("ec2").describe_instance_types(InstanceTypes=[wanted])["InstanceTypes"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("InvalidInstanceType", "UnauthorizedOperation", "AccessDenied"):
            raise
        return {}
    if not types:
        return {}
    cpus, mib = types[0]["VCpuInfo"]["DefaultVCpus"], types[0]["MemoryInfo"]["SizeInMiB"]
    gpus = types[0].get("GpuInfo", {}).get("Gpus", [])
    nvidia = sum(one["Count"] for one in gpus if one.get("Manufacturer", "").upper() == "NVIDIA")
    return {"cpu": str(max(1, cpus - 1)), "memory": f"{mib * 3 // 4}Mi", "gpu": str(nvidia)}


def _bounds(stack: Stack, endpoint: str, variant: str) -> dict[str, str]:
    """The fewest and the most instances, as pods; a stack that may scale to none keeps one."""
    if not endpoint:
        return {}
    targets = stack.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[f"endpoint/{endpoint}/variant/{variant}"]
    )
    if not targets["ScalableTargets"]:
        return {}
    target = targets["ScalableTargets"][0]
    fewest = max(1, target["MinCapacity"])
    return {"min": str(fewest), "max": str(max(fewest, target["MaxCapacity"]))}
