"""TrainingRun: one training job per content, waited for.

The name is made of what the run depends on, so the same inputs are the same run: nothing retrains for nothing, and an
`up` that was interrupted while training finds its run again.
"""

import hashlib
import json
from collections.abc import Awaitable
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.actions import Actions, unless_preview
from infra.settings import Training

CHANNEL = "train"
NUMBER = r"([0-9.eE+-]+)"
METRICS = {
    "train:loss": rf"\bloss={NUMBER}",
    "train:accuracy": rf"\btrain_accuracy={NUMBER}",
    "train:examples_per_second": rf"\bexamples_per_second={NUMBER}",
    "test:accuracy": rf"\btest_accuracy={NUMBER}",
    "test:loss": rf"\btest_loss={NUMBER}",
}


@dataclass(frozen=True, kw_only=True)
class TrainingRunArgs:
    prefix: str
    training: Training
    image: Output[str]
    code_sha256: str
    data_uri: Output[str]
    data_sha256: str
    bucket: Output[str]
    incarnation: Output[str]
    role: Output[str]
    actions: Actions


class TrainingRun(pulumi.ComponentResource):
    """Outputs: run (the job's name), artifact (S3 URI of model.tar.gz, once the run has completed)."""

    run: Output[str]
    artifact: Output[str]

    def __init__(self, name: str, args: TrainingRunArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:TrainingRun", name, None, opts)
        # The incarnation of the bucket: destroy and up again must not meet a name that AWS still remembers.
        self.run = Output.concat(args.prefix, "-", content_hash(args), "-", args.incarnation)
        # Old before new: after a refused run, going back to the settings before it means the old run's name again, and
        # SageMaker would still hold it. (The new job resumes from that run's checkpoints, so nothing trains twice.)
        opts = ResourceOptions(parent=self, delete_before_replace=True)
        job = _job(f"{args.prefix}-run", self.run, args, opts)

        def wait(known: list[str]) -> Awaitable[str] | str:
            bucket, run = known
            return unless_preview(artifact_uri(bucket, run), lambda: _trained(args.actions, job, run))

        # Made of the name, not of the job: what depends on the job would be deleted with it before each replacement,
        # the model that serves included.
        self.artifact = Output.all(args.bucket, self.run).apply(wait)
        self.register_outputs({"run": self.run, "artifact": self.artifact})


async def _trained(actions: Actions, job: aws.sagemaker.TrainingJob, run: str) -> str:
    await job.id.future()  # the job has been accepted, or this raises what its creation raised
    return await actions.trained_model(run, job)


def content_hash(args: TrainingRunArgs) -> str:
    """12 hex of everything a run's result depends on."""
    content = {
        "code": args.code_sha256,
        "data": args.data_sha256,
        "hyperparameters": hyperparameters(args.training),
        "instances": [args.training.instance_type, args.training.instance_count],
        "attempt": args.training.attempt,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def hyperparameters(training: Training) -> dict[str, str]:
    """What the job gets: the stack's, and the gate."""
    return {"min_accuracy": str(training.min_accuracy)} | training.hyperparameters


def artifact_uri(bucket: str, run: str) -> str:
    """Where SageMaker puts a run's artifact: <S3OutputPath>/<job>/output/model.tar.gz."""
    return f"s3://{bucket}/runs/{run}/output/model.tar.gz"


def _job(name: str, run: Output[str], args: TrainingRunArgs, opts: ResourceOptions) -> aws.sagemaker.TrainingJob:
    training = args.training
    return aws.sagemaker.TrainingJob(
        name,
        training_job_name=run,
        role_arn=args.role,
        algorithm_specification={
            "training_image": args.image,
            "training_input_mode": "File",
            "metric_definitions": [{"name": key, "regex": regex} for key, regex in METRICS.items()],
        },
        hyper_parameters=hyperparameters(training),
        input_data_configs=[
            {
                "channel_name": CHANNEL,
                "data_source": {
                    "s3_data_source": {
                        "s3_data_type": "S3Prefix",
                        "s3_uri": args.data_uri,
                        "s3_data_distribution_type": "FullyReplicated",
                    }
                },
            }
        ],
        output_data_config={"s3_output_path": Output.concat("s3://", args.bucket, "/runs")},
        checkpoint_config={"s3_uri": Output.concat("s3://", args.bucket, "/checkpoints/", run)},
        resource_config={
            "instance_type": training.instance_type,
            "instance_count": training.instance_count,
            "volume_size_in_gb": training.volume_gb,
        },
        stopping_condition={"max_runtime_in_seconds": training.max_runtime_minutes * 60},
        tags={"slipway:run": run},
        opts=opts,
    )
