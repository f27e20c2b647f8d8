"""`slipway invoke`: ask the endpoint, with a file or with one of the held-out examples that the model carries."""

import io
import json
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from slipway.errors import USAGE, SlipwayError
from slipway.project import Stack

JSON = "application/json"
CONTENT_TYPES = {
    ".json": JSON,
    ".csv": "text/csv",
    ".npy": "application/x-npy",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".txt": "text/plain",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    body: bytes
    content_type: str
    variant: str
    seconds: float


def content_type_of(file: Path) -> str:
    """The content type of a file by its name. Raises SlipwayError for an unknown one."""
    if file.suffix.lower() not in CONTENT_TYPES:
        known = " ".join(sorted(CONTENT_TYPES))
        raise SlipwayError(f"cannot tell the content type of {file}; known: {known}; or give --content-type", USAGE)
    return CONTENT_TYPES[file.suffix.lower()]


def ask(runtime: Any, endpoint: str, body: bytes, content_type: str = JSON, accept: str = JSON) -> Answer:
    """One invocation through `runtime`, a sagemaker-runtime client.

    Raises SlipwayError with the model's own words when it refuses the request.
    """
    started = time.perf_counter()
    try:
        reply = runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType=content_type, Accept=accept)
    except ClientError as error:
        detail = error.response.get("OriginalMessage") or error.response["Error"]["Message"]
        status = error.response.get("OriginalStatusCode", "")
        raise SlipwayError(
            f"endpoint {endpoint} refused the request{f' ({status})' if status else ''}: {detail}"
        ) from error
    return Answer(
        body=reply["Body"].read(),
        content_type=reply.get("ContentType", ""),
        variant=reply.get("InvokedProductionVariant", ""),
        seconds=time.perf_counter() - started,
    )


def served_artifact(stack: Stack) -> str:
    """The S3 URI of the artifact that the stack's endpoint serves now: endpoint -> configuration -> model."""
    sagemaker = stack.client("sagemaker")
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=stack.prefix)
    except ClientError as error:
        if "Could not find" not in error.response["Error"]["Message"]:
            raise
        raise SlipwayError(
            f"stack {stack.name} has no endpoint ({stack.prefix}); deploy it: pulumi up --stack {stack.name}", USAGE
        ) from error
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    uri: str = model["PrimaryContainer"]["ModelDataUrl"]
    return uri


def read_manifest(stack: Stack, artifact: str) -> dict[str, Any]:
    """The manifest inside an artifact in S3. Raises SlipwayError when there is none."""
    where = urlsplit(artifact)
    body = stack.client("s3").get_object(Bucket=where.netloc, Key=where.path.lstrip("/"))["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        for member in tar:
            if member.name.removeprefix("./") == "manifest.json" and (file := tar.extractfile(member)):
                manifest: dict[str, Any] = json.load(file)
                return manifest
    raise SlipwayError(f"{artifact} has no manifest.json; it was not made by this project's `train`")
