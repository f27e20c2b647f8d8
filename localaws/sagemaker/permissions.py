"""What SageMaker needs of an execution role, and what it says when the role may not: at the call and at the start."""

from collections.abc import Iterable, Mapping
from typing import Any

from localaws import s3
from localaws.errors import validation
from localaws.iam.platform import AccessError, Actor
from localaws.sagemaker import channels

NO_PULL = (
    "Access denied to registry: {image}. Please check if your ECR repository and image exist and role {role} has "
    "proper pull permissions for SageMaker: ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, "
    "ecr:GetDownloadUrlForLayer ({error})"
)
NO_MODEL_DATA = (
    'Could not access model data at {uri}. Please ensure that the role "{role}" exists and that its trust relationship '
    'policy allows the action "sts:AssumeRole" for the service principal "sagemaker.amazonaws.com". Also ensure that '
    'the role has "s3:GetObject" permissions and that the object is located in {region}. ({error})'
)


def check_training(actor: Actor, request: Mapping[str, Any]) -> None:
    """CreateTrainingJob's own checks: image, listing of the channels, network. Raises ValidationException."""
    check_pull(actor, request["AlgorithmSpecification"]["TrainingImage"])
    for channel in request.get("InputDataConfig", []):
        source = channel["DataSource"]["S3DataSource"]
        if source["S3DataType"] == "S3Prefix":
            try:
                actor.list(source["S3Uri"])
            except AccessError as error:
                missing = channels.missing(source["S3Uri"], actor.region, actor.role)
                raise validation(f"{missing} ({error})") from error
    check_network(actor, request)


def check_pull(actor: Actor, image: str) -> None:
    try:
        actor.pull(image)
    except AccessError as error:
        raise validation(NO_PULL.format(image=image, role=actor.role, error=error)) from error


def check_network(actor: Actor, request: Mapping[str, Any]) -> None:
    """A job or a model in a VPC makes its network interfaces as the role."""
    try:
        if "VpcConfig" in request:
            actor.join(request["VpcConfig"])
    except AccessError as error:
        raise validation(f"The role {actor.role} lacks a permission for VpcConfig: {error}") from error


def check_model(actor: Actor, image: str, data: Iterable[tuple[str, bool]]) -> None:
    """CreateModel looks at the image and at the model's data (address, whether it is an archive) as the role."""
    check_pull(actor, image)
    for uri, archive in data:
        try:
            read_model_data(actor, uri, archive=archive)
        except AccessError as error:
            text = NO_MODEL_DATA.format(uri=uri, role=actor.role, region=actor.region, error=error)
            raise validation(text) from error


def bring_up(actor: Actor, image: str, data: Iterable[tuple[str, bool]]) -> None:
    """An instance of an endpoint fetches its model and its image. Raises AccessError."""
    for uri, archive in data:
        read_model_data(actor, uri, archive=archive)
    actor.pull(image)


def read_model_data(actor: Actor, uri: str, *, archive: bool) -> None:
    """An instance downloads its model: one archive, or everything below a prefix. Raises AccessError."""
    bucket, key = s3.split(uri)
    if not archive:
        actor.list(uri)
    actor.read([(bucket, name) for name in ([key] if archive else s3.keys(bucket, key))])


def read_inputs(actor: Actor, record: Mapping[str, Any]) -> None:
    """A training job downloads its channels and its checkpoints. Raises AccessError."""
    for channel in record.get("InputDataConfig", []):
        source = channel["DataSource"]["S3DataSource"]
        uri = source["S3Uri"]
        if source["S3DataType"] == "S3Prefix":
            actor.list(uri)
        else:
            actor.read([s3.split(uri)])
        folder = channels.mode(record, channel) == "FastFile"
        actor.read([(bucket, key) for bucket, key, _ in channels.objects(source, folder=folder)])
    if "CheckpointConfig" in record:
        _keep_checkpoints(actor, record["CheckpointConfig"]["S3Uri"].rstrip("/") + "/")


def read_transform_input(actor: Actor, source: Mapping[str, Any]) -> None:
    """A transform job lists and reads its input objects. Raises AccessError, and ValueError for a wrong manifest."""
    uri = source["S3Uri"]
    if source["S3DataType"] == "S3Prefix":
        actor.list(uri)
    else:
        actor.read([s3.split(uri)])
    actor.read([(bucket, key) for bucket, key, _ in channels.objects(source)])


def _keep_checkpoints(actor: Actor, uri: str) -> None:
    """Read what an earlier attempt left, write and delete files of whatever name during the job."""
    bucket, prefix = s3.split(uri)
    actor.list(uri)
    actor.read([(bucket, key) for key in s3.keys(bucket, prefix)])
    actor.write(f"{uri}checkpoint")
    actor.require("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{prefix}checkpoint")


def write_outputs(actor: Actor, record: Mapping[str, Any], *names: str) -> None:
    """A training job writes its archives. Raises AccessError."""
    output = record["OutputDataConfig"]
    for name in names:
        uri = s3.join(output["S3OutputPath"], record["TrainingJobName"], "output", name)
        actor.write(uri, output.get("KmsKeyId", ""))
