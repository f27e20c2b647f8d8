"""What is refused before a transform job starts. AWS does not publish the texts of all these refusals."""

from collections.abc import Mapping
from typing import Any

from localaws import s3
from localaws.cloud import Call
from localaws.errors import validation
from localaws.iam.platform import AccessError, Actor
from localaws.sagemaker import channels
from localaws.sagemaker.definitions import containers, is_multi_model
from localaws.sagemaker.state import check_role, sagemaker_arn
from localaws.sagemaker.transform.processing import CSV, FORMATS, JSON_LINES, media_type, wanted

LIMIT_MB = 100
EMULATED_TYPES = ("S3Prefix", "ManifestFile")


def check(call: Call, model: Mapping[str, Any]) -> None:
    """Check CreateTransformJob. Raises AwsError."""
    request = call.request
    if "DataCaptureConfig" in request:
        raise validation("DataCaptureConfig of a transform job is not emulated; leave it out.")
    check_model(model)
    check_role(model["ExecutionRoleArn"], sagemaker_arn(call, "transform-job", request["TransformJobName"]))
    _check_sizes(request)
    if wanted(request):
        _check_processing(request)
    _check_addresses(call, model["ExecutionRoleArn"])


def check_model(model: Mapping[str, Any]) -> None:
    """One container with one archive: that is what a transform job can run."""
    name, found = model["ModelName"], containers(model)
    if len(found) > 1:
        raise validation(f"Model {name} has {len(found)} containers; transform jobs of pipelines are not emulated.")
    if is_multi_model(found[0]):
        raise validation(f"Model {name} has Mode MultiModel, which batch transform does not support.")
    if "ModelDataSource" in found[0]:
        raise validation(
            f"Model {name} has a ModelDataSource, which batch transform does not support; give it a ModelDataUrl."
        )


def _check_sizes(request: Mapping[str, Any]) -> None:
    size, parallel = request.get("MaxPayloadInMB", 0), request.get("MaxConcurrentTransforms", 0)
    if size > LIMIT_MB:
        raise validation(f"MaxPayloadInMB is {size}; it cannot be greater than {LIMIT_MB}.")
    if size * parallel > LIMIT_MB:
        raise validation(
            f"MaxConcurrentTransforms {parallel} * MaxPayloadInMB {size} is {size * parallel} MB; it cannot exceed "
            f"{LIMIT_MB} MB."
        )


def _check_processing(request: Mapping[str, Any]) -> None:
    """Filters and joins need records that can be read, and line by line where a file holds several."""
    given, output = request["TransformInput"], request["TransformOutput"]
    kind, accept = media_type(given.get("ContentType", "")), media_type(output.get("Accept", ""))
    for name, value in (("ContentType", kind), ("Accept", accept or kind)):
        if value not in FORMATS:
            raise validation(f"DataProcessing needs a {name} of {', '.join(FORMATS)}; it is {value or 'not given'!r}.")
    if accept and (kind == CSV) != (accept == CSV):
        raise validation(f"DataProcessing needs one format both ways; ContentType is {kind}, Accept is {accept}.")
    split, assemble = given.get("SplitType", "None"), output.get("AssembleWith", "None")
    if kind in (CSV, JSON_LINES) and (split, assemble) != ("Line", "Line"):
        raise validation(
            f"DataProcessing of {kind} needs SplitType Line and AssembleWith Line; they are {split} and {assemble}."
        )
    if split not in ("None", "Line"):
        raise validation(f"DataProcessing needs SplitType None or Line; it is {split}.")


def _check_addresses(call: Call, role: str) -> None:
    source, target = call.request["TransformInput"]["DataSource"]["S3DataSource"], call.request["TransformOutput"]
    uri, kind = source["S3Uri"], source["S3DataType"]
    if kind not in EMULATED_TYPES:
        raise validation(f"S3DataType {kind} is not emulated for transform jobs; use {', '.join(EMULATED_TYPES)}.")
    for address in (uri, target["S3OutputPath"]):
        _check_form(address)
    missing = channels.missing(uri, call.region, role)
    try:
        actor = Actor(cloud=call.cloud, role=role, region=call.region)
        if kind == "S3Prefix":
            actor.list(uri)
    except AccessError as error:
        raise validation(f"{missing} ({error})") from error
    if not (s3.keys(*s3.split(uri)) if kind == "S3Prefix" else s3.exists(uri)):
        raise validation(missing)
    if not s3.bucket_exists(s3.split(target["S3OutputPath"])[0]):
        raise validation(f"S3 bucket does not exist: {target['S3OutputPath']}. Please create it in {call.region}.")


def _check_form(address: str) -> None:
    try:
        s3.split(address)
    except ValueError as error:
        raise validation(f"Invalid S3 address: {error}.") from error
