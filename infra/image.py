"""Image: ECR and a CodeBuild project that builds the image from this checkout. Nobody needs docker.

The tag is the hash of what went in, and tags are immutable: the same content is built once.
"""

import json
from collections.abc import Awaitable
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.actions import Actions
from infra.bundle import Bundle
from infra.waiting import unless_preview

BUILD_TIMEOUT_MINUTES = 60
KEEP_IMAGES = 10
BUILD_MACHINE = "aws/codebuild/amazonlinux-x86_64-standard:5.0"

BUILDSPEC = {
    "version": 0.2,
    "phases": {
        "pre_build": {
            "commands": [
                "aws ecr get-login-password | docker login --username AWS --password-stdin ${IMAGE_URI%%/*}",
            ]
        },
        "build": {"commands": ['docker build --build-arg TORCH_BACKEND="$TORCH_BACKEND" -t "$IMAGE_URI" .']},
        "post_build": {"commands": ['test "$CODEBUILD_BUILD_SUCCEEDING" = 1', 'docker push "$IMAGE_URI"']},
    },
}


@dataclass(frozen=True, kw_only=True)
class ImageArgs:
    prefix: str
    bundle: Bundle
    bucket: Output[str]
    build_role: Output[str]
    torch_backend: str
    """auto (CUDA wheels) or cpu: a build argument of the Dockerfile."""
    log_retention_days: int
    protect: bool
    actions: Actions


class Image(pulumi.ComponentResource):
    """Outputs: uri, known to exist in ECR once it resolves; build_project."""

    uri: Output[str]
    build_project: Output[str]

    def __init__(self, name: str, args: ImageArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Image", name, None, opts)
        child = ResourceOptions(parent=self)
        repository = _repository(name, args, child)
        source = aws.s3.BucketObjectv2(
            f"{name}-source",
            bucket=args.bucket,
            key=f"code/{args.bundle.sha256}.zip",
            source=pulumi.FileAsset(str(args.bundle.path)),
            opts=child,
        )
        project = _project(args, source, child)
        tag = f"{args.torch_backend}-{args.bundle.sha256[:32]}"
        self.build_project = project.name

        def build(known: list[str]) -> Awaitable[str] | str:
            uri = f"{known[0]}:{tag}"
            return unless_preview(uri, lambda: args.actions.built_image(uri, known[1], project))

        self.uri = Output.all(repository.repository_url, project.name).apply(build)
        self.register_outputs({"uri": self.uri})


def _repository(name: str, args: ImageArgs, child: ResourceOptions) -> aws.ecr.Repository:
    repository = aws.ecr.Repository(
        f"{args.prefix}-image",
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration={"scan_on_push": True},
        encryption_configurations=[{"encryption_type": "AES256"}],
        force_delete=not args.protect,
        opts=child,
    )
    rule = {
        "rulePriority": 1,
        "description": f"keep the newest {KEEP_IMAGES}",
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEEP_IMAGES},
        "action": {"type": "expire"},
    }
    aws.ecr.LifecyclePolicy(
        f"{name}-lifecycle", repository=repository.name, policy=json.dumps({"rules": [rule]}), opts=child
    )
    return repository


def _project(args: ImageArgs, source: aws.s3.BucketObjectv2, child: ResourceOptions) -> aws.codebuild.Project:
    # CodeBuild would make the group itself at the first build, and nobody would ever remove it.
    logs = aws.cloudwatch.LogGroup(
        f"{args.prefix}-build-logs",
        name=f"/aws/codebuild/{args.prefix}-build",
        retention_in_days=args.log_retention_days,
        opts=child,
    )
    return aws.codebuild.Project(
        f"{args.prefix}-build",
        name=f"{args.prefix}-build",
        description=f"slipway: builds the image of {args.prefix}",
        service_role=args.build_role,
        build_timeout=BUILD_TIMEOUT_MINUTES,
        artifacts={"type": "NO_ARTIFACTS"},
        source={
            "type": "S3",
            "location": Output.concat(source.bucket, "/", source.key),
            "buildspec": json.dumps(BUILDSPEC),
        },
        environment={
            "type": "LINUX_CONTAINER",
            "image": BUILD_MACHINE,
            "compute_type": "BUILD_GENERAL1_LARGE",
            "privileged_mode": True,  # docker inside the build
            "environment_variables": [{"name": "TORCH_BACKEND", "value": args.torch_backend}],
        },
        logs_config={"cloudwatch_logs": {"status": "ENABLED", "group_name": logs.name}},
        opts=child,
    )
