"""Rules for training and tuning jobs: what they may cost, and what they must not destroy or give away."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.policies.kinds import kind_of, limit, limit_schema
from infra.policies.rule import Problems, Resource, listed, read, resource_rule, token

TRAINING_JOB = token("sagemaker", "TrainingJob")
TUNING_JOB = token("sagemaker", "HyperParameterTuningJob")
JOBS = (TRAINING_JOB, TUNING_JOB)
Definition = Mapping[str, Any]
SECONDS_PER_HOUR, SECONDS_PER_MINUTE = 3600, 60
DESTRUCTIVE = {
    "deleteModelPackagesOnDestroy": "it deletes every package of the model registry's group, not only this job's",
    "deleteVpcEnisOnDestroy": "it deletes network interfaces of others in the same subnets and groups",
}


def definitions(job: Resource) -> Iterator[Definition]:
    """The job itself, or the jobs that a tuning job starts."""
    if job.type == TRAINING_JOB:
        yield job.inputs
    else:
        yield from listed(job.get("trainingJobDefinition"))
        yield from listed(job.get("trainingJobDefinitions"))


@resource_rule(
    "training-runtime",
    "Jobs end: a maximum run time is set, and it is not above the ceiling of the stack's kind.",
    *JOBS,
    schema=limit_schema("runtime_hours", "the longest run allowed"),
)
def training_runtime(job: Resource) -> Problems:
    ceiling = limit(job, "runtime_hours")
    for definition in definitions(job):
        seconds = read(definition, "stoppingCondition", "maxRuntimeInSeconds")
        if not seconds:
            yield "no max_runtime_in_seconds: a job that hangs bills on; set slipway:training.max_runtime_minutes"
        elif seconds > ceiling * SECONDS_PER_HOUR:
            yield (
                f"the maximum run time is {seconds / SECONDS_PER_HOUR:g} h; allowed in {kind_of(job)}: {ceiling} h. "
                "Set slipway:training.max_runtime_minutes"
            )


@resource_rule("spot-needs-checkpoints", "A spot job writes checkpoints: it may be stopped at any time.", *JOBS)
def spot_needs_checkpoints(job: Resource) -> Problems:
    for definition in definitions(job):
        if definition.get("enableManagedSpotTraining") and not definition.get("checkpointConfig"):
            yield "spot without checkpoint_config: an interruption loses the run; set it, or slipway:training.spot off"


@resource_rule("spot-max-wait", "A spot job says how long it waits: at least as long as it may run.", *JOBS)
def spot_max_wait(job: Resource) -> Problems:
    for definition in definitions(job):
        runtime = read(definition, "stoppingCondition", "maxRuntimeInSeconds") or 0
        wait = read(definition, "stoppingCondition", "maxWaitTimeInSeconds") or 0
        if definition.get("enableManagedSpotTraining") and (not wait or wait < runtime):
            yield (
                f"max_wait_time_in_seconds is {wait:g}; allowed: the maximum run time, {runtime:g}, or more. "
                "Set slipway:training.max_wait_minutes"
            )


@resource_rule(
    "warm-pool-ceiling",
    "A warm pool ends within the time that the stack's kind allows: it bills while nothing runs.",
    *JOBS,
    schema=limit_schema("warm_pool_minutes", "the longest time that instances are kept"),
)
def warm_pool_ceiling(job: Resource) -> Problems:
    ceiling = limit(job, "warm_pool_minutes")
    for definition in definitions(job):
        minutes = (read(definition, "resourceConfig", "keepAlivePeriodInSeconds") or 0) / SECONDS_PER_MINUTE
        if minutes > ceiling:
            yield (
                f"instances are kept for {minutes:g} min; allowed in {kind_of(job)}: {ceiling} min. "
                "Set slipway:training.warm_pool_minutes"
            )


@resource_rule("no-destructive-training-options", "Removing a job removes only that job.", *JOBS)
def no_destructive_training_options(job: Resource) -> Problems:
    for name, effect in DESTRUCTIVE.items():
        if job.get(name):
            yield f"{name} is set: {effect}; leave it out"


RULES = (training_runtime, spot_needs_checkpoints, spot_max_wait, warm_pool_ceiling, no_destructive_training_options)
