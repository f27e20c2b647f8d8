"""What a single run and each training job of a tuning job have in common: image, data, machines, limits."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi import Input, Output

from infra.actions import Actions
from infra.metrics import METRICS
from infra.training_section import Training

CHANNEL, CODE_CHANNEL, BASELINE_CHANNEL = "train", "code", "baseline"
DISTRIBUTIONS = {"replicated": "FullyReplicated", "sharded": "ShardedByS3Key"}
Inputs = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrainingRunArgs:
    prefix: str
    training: Training
    region: str = ""
    place: Mapping[str, Any] = field(default_factory=dict)
    """What sets this run apart from those of the same content on other rungs of the ladder."""
    image: Output[str]
    image_content: str
    """What the image is made of: the bundle's hash, or the URI of an image of the user's own."""
    data_uri: Output[str]
    data_sha256: str
    code_uri: Output[str] | None = None
    code_sha256: str | None = None
    """Models or scripts of the user's own, and the hash of their content."""
    baseline: Output[str] | None = None
    """S3 URI of the artifact that the run must not be worse than; an empty one for none, None for no such test. It is
    no part of the run's content: a newly approved version must not train anything again."""
    bucket: Output[str]
    incarnation: Output[str]
    role: Output[str]
    actions: Actions
    registry: Output[str]
    """The model package group that a passed run is registered in."""
    approve: bool
    """Whether a passed run counts as approved without a person's word."""
    kms_key_arn: Output[str] | None = None
    subnet_ids: Output[list[str]] | None = None
    security_group_ids: Output[list[str]] | None = None
    isolation: bool = False
    wrap: Callable[[str], Any] = str
    """Makes a secret of an environment value when the configuration holds it as one."""


def content_hash(args: TrainingRunArgs) -> str:
    """12 hex of everything a run's result depends on; what it costs, where and how long it may run is not in it."""
    training = args.training
    content: dict[str, Any] = {
        "image": args.image_content,
        "data": args.data_sha256,
        "hyperparameters": hyperparameters(training),
        "environment": training.environment,
        "instances": [training.instance_type, training.instance_count],
        "attempt": training.attempt,
        "tuning": training.tuning.model_dump() if training.tuning else None,
    }
    # Absent rather than empty: the runs of before these settings keep their names.
    content |= {"code": args.code_sha256} if args.code_sha256 else {}
    content |= {"distribution": training.distribution} if training.distribution != "replicated" else {}
    content |= args.place
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def hyperparameters(training: Training) -> dict[str, str]:
    """What the job gets: the stack's, and the gate where `train` measures an accuracy; a script would not know it."""
    gate = {"min_accuracy": str(training.min_accuracy)} if training.is_classification else {}
    return gate | training.hyperparameters


def algorithm(args: TrainingRunArgs) -> dict[str, Any]:
    metrics: Mapping[str, str] = METRICS | args.training.metrics
    return {
        "training_image": args.image,
        "training_input_mode": args.training.input_mode,
        "metric_definitions": [{"name": name, "regex": regex} for name, regex in metrics.items()],
    }


def machines(args: TrainingRunArgs) -> dict[str, Any]:
    training = args.training
    config: dict[str, Any] = {
        "instance_type": training.instance_type,
        "instance_count": training.instance_count,
        "volume_size_in_gb": training.volume_gb,
    }
    return config | (
        {"keep_alive_period_in_seconds": training.warm_pool_minutes * 60} if training.warm_pool_minutes else {}
    )


def limits(training: Training) -> dict[str, int]:
    """The StoppingCondition."""
    wait = training.max_wait_seconds
    runtime = {"max_runtime_in_seconds": training.max_runtime_minutes * 60}
    return runtime | ({"max_wait_time_in_seconds": wait} if wait is not None else {})


def channels(args: TrainingRunArgs) -> Input[list[Any]]:
    """The data; the user's code and the baseline where there are any."""
    found = [_channel(CHANNEL, args.data_uri, DISTRIBUTIONS[args.training.distribution])]
    if args.code_uri is not None:
        found.append(_channel(CODE_CHANNEL, args.code_uri) | {"input_mode": "File"})
    if args.baseline is None:
        return found

    def with_baseline(known: Any) -> list[Any]:
        data, uri = known
        return [*data, _channel(BASELINE_CHANNEL, uri) | {"input_mode": "File"}] if uri else list(data)

    return Output.all(found, args.baseline).apply(with_baseline)


def _channel(name: str, uri: Input[str], distribution: str = DISTRIBUTIONS["replicated"]) -> Inputs:
    source = {"s3_data_type": "S3Prefix", "s3_uri": uri, "s3_data_distribution_type": distribution}
    return {"channel_name": name, "data_source": {"s3_data_source": source}}


def output(args: TrainingRunArgs) -> dict[str, Any]:
    config: dict[str, Any] = {"s3_output_path": Output.concat("s3://", args.bucket, "/runs")}
    return config | ({"kms_key_id": args.kms_key_arn} if args.kms_key_arn is not None else {})


def surroundings(args: TrainingRunArgs) -> dict[str, Any]:
    """Network, isolation and environment; what is off is left out."""
    found: dict[str, Any] = {}
    if args.subnet_ids is not None:
        found["vpc_config"] = {"subnets": args.subnet_ids, "security_group_ids": args.security_group_ids}
        # Between instances of one job, which the group lets talk to each other.
        found["enable_inter_container_traffic_encryption"] = args.training.instance_count > 1
    if args.isolation:
        found["enable_network_isolation"] = True
    if args.training.environment:
        found["environment"] = {name: args.wrap(value) for name, value in args.training.environment.items()}
    if args.training.spot:
        found["enable_managed_spot_training"] = True
    return found


def artifact_uri(bucket: str, run: str) -> str:
    """Where SageMaker puts a run's artifact: <S3OutputPath>/<job>/output/model.tar.gz."""
    return f"s3://{bucket}/runs/{run}/output/model.tar.gz"
