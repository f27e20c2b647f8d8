"""Whether what the plan reads is there: the data set, the user's code, the image, and artifacts named by URI."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from slipway.preflight.finding import Finding, UnknownError, asking, unknown
from slipway.preflight.plan import Plan
from slipway.project import Stack

ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
GONE = ("NoSuchBucket", "NoSuchKey", "404", "RepositoryNotFoundException", "ImageNotFoundException")


def check(stack: Stack, plan: Plan) -> list[Finding]:
    """One finding a thing."""
    return [
        *_source("data", stack, plan.config.get("data", "digits")),
        *_source("code", stack, plan.section("training").get("code") or ""),
        *_image(stack, str(plan.config.get("image", "build"))),
        *_artifacts(stack, plan),
    ]


def _source(check_: str, stack: Stack, place: Any) -> Iterator[Finding]:
    """A bundled data set, a folder or an S3 prefix."""
    place = str(place)
    if place.startswith("s3://"):
        yield _told(check_, lambda: _prefix(check_, stack, place))
    elif place.startswith((".", "/", "~")):
        yield _folder(check_, stack.root / Path(place).expanduser(), place)
    elif place:
        yield Finding(check=check_, level="ok", found=f"{place} comes with Slipway")


def _told(check_: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except UnknownError as error:
        return unknown(check_, error)


def _folder(check_: str, folder: Path, place: str) -> Finding:
    if not folder.is_dir():
        return Finding(
            check=check_,
            level="problem",
            found=f"{place} is no folder of this machine",
            mend=f"mkdir -p {place}, and fill it",
        )
    files = [path for path in folder.rglob("*") if path.is_file()]
    if not files:
        return Finding(check=check_, level="problem", found=f"{place} holds no file", mend=f"put the files in {place}")
    size = sum(path.stat().st_size for path in files)
    return Finding(check=check_, level="ok", found=f"{place} holds {len(files)} files, {size / 1e6:.1f} MB")


def _prefix(check_: str, stack: Stack, uri: str) -> Finding:
    parts = urlsplit(uri)
    bucket, prefix = parts.netloc, parts.path.lstrip("/")
    missing = Finding(
        check=check_,
        level="problem",
        found=f"{uri} has no object",
        mend=f"aws s3 cp --recursive FOLDER {uri.rstrip('/')}/ (or correct slipway:{check_})",
    )
    try:
        with asking(uri, f"s3:ListBucket on {bucket}"):
            found = stack.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except UnknownError as error:
        if _is_gone(error):
            return Finding(
                check=check_, level="problem", found=f"bucket {bucket} of {uri} does not exist", mend=missing.mend
            )
        raise
    if not found.get("KeyCount"):
        return missing
    key = found["Contents"][0]["Key"]
    with asking(f"s3://{bucket}/{key}", f"s3:GetObject on {bucket}"):
        stack.client("s3").head_object(Bucket=bucket, Key=key)
    return Finding(check=check_, level="ok", found=f"{uri} has objects, the first one ({key}) can be read")


def _is_gone(error: UnknownError) -> bool:
    cause = getattr(error.__cause__, "response", {})
    return cause.get("Error", {}).get("Code") in GONE


def _image(stack: Stack, image: str) -> Iterator[Finding]:
    if image == "build":
        yield Finding(check="image", level="ok", found="built by CodeBuild from this checkout")
    elif match := ECR.fullmatch(image):
        yield _told("image", lambda: _in_ecr(stack, image, match))
    else:
        found = f"cannot tell: {image} is no image in ECR, and SageMaker takes others from a private registry only"
        yield Finding(check="image", level="warning", found=found)


def _in_ecr(stack: Stack, image: str, parts: "re.Match[str]") -> Finding:
    if parts["region"] != stack.region:
        found = f"{image} is in {parts['region']}, the stack in {stack.region}; SageMaker pulls from its own region"
        mend = f"push it to ECR in {stack.region}, or replicate the repository"
        return Finding(check="image", level="problem", found=found, mend=mend)
    wanted = {"imageDigest": parts["digest"]} if parts["digest"] else {"imageTag": parts["tag"] or "latest"}
    try:
        with asking(image, "ecr:DescribeImages"):
            stack.client("ecr").describe_images(
                registryId=parts["account"], repositoryName=parts["repository"], imageIds=[wanted]
            )
    except UnknownError as error:
        if _is_gone(error):
            mend = f"docker push {image} (or correct slipway:image)"
            return Finding(check="image", level="problem", found=f"{image} does not exist", mend=mend)
        raise
    return Finding(check="image", level="ok", found=f"{image} is there")


def _artifacts(stack: Stack, plan: Plan) -> Iterator[Finding]:
    shadow = plan.section("serving").get("shadow") or {}
    named = {
        "model": plan.config.get("model"),
        "training.baseline": plan.section("training").get("baseline"),
        "serving.shadow.model": shadow.get("model"),
    }
    for key, uri in named.items():
        if str(uri).startswith("s3://"):
            yield _told("artifact", lambda key=key, uri=str(uri): _artifact(stack, key, uri))  # type: ignore[misc]


def _artifact(stack: Stack, key: str, uri: str) -> Finding:
    parts = urlsplit(uri)
    try:
        with asking(uri, f"s3:GetObject on {parts.netloc}"):
            size = stack.client("s3").head_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))["ContentLength"]
    except UnknownError as error:
        if _is_gone(error):
            mend = f"correct slipway:{key}; the stack's own: slipway runs --stack {stack.name}"
            return Finding(check="artifact", level="problem", found=f"{uri} does not exist", needed=key, mend=mend)
        raise
    return Finding(check="artifact", level="ok", found=f"{uri}, {size / 1e6:.1f} MB", needed=key)
