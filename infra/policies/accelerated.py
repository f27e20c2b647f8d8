"""The GPU ceiling, over jobs and endpoint configurations alike."""

from collections.abc import Iterator

from infra.policies.accelerators import accelerators
from infra.policies.jobs import JOBS, TUNING_JOB, definitions
from infra.policies.kinds import kind_of, limit, limit_schema
from infra.policies.rule import Problems, Resource, listed, read, resource_rule, token

ENDPOINT_CONFIGURATION = token("sagemaker", "EndpointConfiguration")
VARIANTS = ("productionVariants", "shadowProductionVariants")


@resource_rule(
    "gpu-ceiling",
    "A job or an endpoint configuration takes no more GPUs than the stack's kind allows.",
    *JOBS,
    ENDPOINT_CONFIGURATION,
    schema=limit_schema("gpus", "GPUs or other accelerators that one job or configuration may take"),
)
def gpu_ceiling(one: Resource) -> Problems:
    ceiling, total = limit(one, "gpus"), 0
    key = "serving" if one.type == ENDPOINT_CONFIGURATION else "training"
    for instance_type, count in _instances(one):
        each = accelerators(instance_type)
        if each is None:
            yield f"how many GPUs {instance_type} has is not known; add it to infra/policies/accelerators.py"
        total += (each or 0) * count
    if total > ceiling:
        yield (
            f"it takes {total} GPUs; allowed in {kind_of(one)}: {ceiling}. "
            f"Set slipway:{key}.instance_type, or raise gpus of gpu-ceiling in the pack's configuration"
        )


def _instances(one: Resource) -> Iterator[tuple[str, int]]:
    """(instance type, how many of it at once)."""
    if one.type == ENDPOINT_CONFIGURATION:
        for variant in [variant for key in VARIANTS for variant in listed(one.get(key))]:
            if variant.get("instanceType"):  # serverless variants have none
                yield variant.get("instanceType"), int(variant.get("initialInstanceCount") or 1)
        return
    parallel = one.get("config", "resourceLimits", "maxParallelTrainingJobs") if one.type == TUNING_JOB else 1
    for definition in definitions(one):
        for key in ("resourceConfig", "hyperParameterTuningResourceConfig"):
            config = definition.get(key) or {}
            groups = [*listed(config.get("instanceGroups")), *listed(config.get("instanceConfigs"))]
            for group in [config, *groups]:
                if read(group, "instanceType"):
                    yield group.get("instanceType"), int((group.get("instanceCount") or 1) * (parallel or 1))


RULES = (gpu_ceiling,)
