"""TrainingRun: one training job, or a tuning job of many, and the wait for it.

A run's name holds the hash of everything its result depends on, so nothing is trained twice and a change makes a new
run. The resource returns as soon as SageMaker has accepted the job; the wait, and the registration of what came out,
happen in an `apply`. A run that fails or is refused by its gate fails the update there, before the endpoint is touched.
"""

from collections.abc import Awaitable
from dataclasses import replace

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.capacity import NoCapacity
from infra.ladder import Place, ladder, plan, warnings
from infra.training_job import (
    TrainingRunArgs,
    algorithm,
    artifact_uri,
    channels,
    content_hash,
    hyperparameters,
    limits,
    machines,
    output,
    surroundings,
)
from infra.tuning import tuning_job
from infra.waiting import ActionFailed, unless_preview

# A change of these makes no other run. SageMaker can change none of them on a job that exists, and would have to run it
# again; they apply from the next run on. (Of resource_config the warm pool's period alone can be changed, and is.)
FIXED_FROM_BIRTH = [
    "algorithm_specification",
    "checkpoint_config",
    "enable_inter_container_traffic_encryption",
    "enable_managed_spot_training",
    "enable_network_isolation",
    "environment",
    "hyper_parameters",
    "input_data_configs",
    "output_data_config",
    "resourceConfig.instanceCount",  # a path is taken as the engine spells it
    "resourceConfig.instanceType",
    "resourceConfig.volumeSizeInGb",
    "retry_strategy",
    "role_arn",
    "stopping_condition",
    "vpc_config",
]


class TrainingRun(pulumi.ComponentResource):
    """Outputs: run (the job's name), artifact (S3 URI of model.tar.gz, once it has passed), tuning_job (or None)."""

    run: Output[str]
    artifact: Output[str]
    tuning_job: Output[str] | None

    def __init__(self, name: str, args: TrainingRunArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:TrainingRun", name, None, opts)
        self.tuning_job = None
        if args.training.tuning:
            self.tuning_job = tuning_job(args, ResourceOptions(parent=self))
            known = Output.all(args.registry, args.image, self.tuning_job)
            best: Output[tuple[str, str]] = known.apply(lambda facts: _best(args, *facts))
            self.run, self.artifact = best.apply(lambda pair: pair[0]), best.apply(lambda pair: pair[1])
        else:
            args, place = _placed(args)
            # The incarnation of the bucket: destroy and up again must not meet a name that AWS still remembers.
            self.run = Output.concat(args.prefix, "-", content_hash(args), "-", args.incarnation)
            job = _job(args, self.run, self)
            # Of the name, not of the job: what depends on the job would be deleted with it, the serving model included.
            self.artifact = Output.all(args.bucket, args.registry, args.image, self.run).apply(
                lambda known: _trained(args, place, job, *known)
            )
        self.register_outputs({"run": self.run, "artifact": self.artifact})


def _placed(args: TrainingRunArgs) -> tuple[TrainingRunArgs, Place | None]:
    """The run on the rung of its capacity ladder that is in use; no place without a ladder, and AWS is not asked."""
    if not args.training.fallbacks:
        return args, None
    rungs, above = ladder(args.training, args.region)
    for text in warnings(above, args.training.max_usd_per_hour):
        pulumi.warn(text)

    def on(place: Place) -> TrainingRunArgs:
        return replace(args, training=place.rung.training, place=place.content)

    place = plan(rungs, lambda one: content_hash(on(one)), lambda known: args.actions.known_runs(args.prefix, known))
    return on(place), place


def _trained(
    args: TrainingRunArgs,
    place: Place | None,
    job: aws.sagemaker.TrainingJob,
    bucket: str,
    group: str,
    image: str,
    run: str,
) -> Awaitable[str] | str:
    async def wait() -> str:
        await job.id.future()  # the job has been accepted, or this raises what its creation raised
        try:
            artifact = await args.actions.trained_model(run, job)
        except NoCapacity as error:
            if place is None:
                raise
            raise ActionFailed(place.refusal(run, error.reason)) from error
        await args.actions.registered_model(group, run, image, args.approve)
        return artifact

    return unless_preview(artifact_uri(bucket, run), wait)


async def _best(args: TrainingRunArgs, group: str, image: str, tuning: str) -> tuple[str, str]:
    """(run, artifact) of the tuning job's best training job; in a preview of it as far as it is known."""
    run, artifact = await args.actions.tuned_model(tuning, wait=not pulumi.runtime.is_dry_run())
    if not pulumi.runtime.is_dry_run():
        await args.actions.registered_model(group, run, image, args.approve)
    return run, artifact


def _job(args: TrainingRunArgs, run: Output[str], parent: pulumi.Resource) -> aws.sagemaker.TrainingJob:
    training = args.training
    return aws.sagemaker.TrainingJob(
        # The content is in the resource's own name: a new run is made beside the old one, which goes at the end of an
        # update that succeeded. After a refused run the way back finds the old run as it was.
        f"{args.prefix}-run-{content_hash(args)}",
        training_job_name=run,
        role_arn=args.role,
        algorithm_specification=algorithm(args),
        hyper_parameters=hyperparameters(training),
        input_data_configs=channels(args),
        output_data_config=output(args),
        checkpoint_config={"s3_uri": Output.concat("s3://", args.bucket, "/checkpoints/", run)},
        resource_config=machines(args),
        stopping_condition=limits(training),
        retry_strategy={"maximum_retry_attempts": training.retries} if training.retries else None,
        tags={"slipway:run": run, **training.tags},
        opts=ResourceOptions(parent=parent, ignore_changes=FIXED_FROM_BIRTH),
        **surroundings(args),
    )
