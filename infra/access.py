"""Access: one role per job, each allowed what that job does and on this stack's resources only."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

SERVICES = {"train": "sagemaker", "serve": "sagemaker", "build": "codebuild"}
ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^:@]+)[:@]"
)
Statement = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    prefix: str
    account: Output[str]
    region: str
    bucket_arn: Output[str]
    data_uri: Output[str]
    """May be a prefix of somebody else's bucket; the training role reads it."""
    artifact: str = ""
    """An s3:// artifact that the program did not make; the serving role reads it."""
    image: str = ""
    """The URI of an image that the program did not build; the jobs pull it."""


class Access(pulumi.ComponentResource):
    """Outputs: train, serve, build: the roles' ARNs, known once their policies are attached."""

    train: Output[str]
    serve: Output[str]
    build: Output[str]

    def __init__(self, name: str, args: AccessArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Access", name, None, opts)
        facts = Output.all(
            account=args.account,
            region=args.region,
            bucket=args.bucket_arn,
            data=args.data_uri,
            prefix=args.prefix,
            artifact=args.artifact,
            image=args.image,
        )
        policies = {"train": _train, "serve": _serve, "build": _build}
        arns = {}
        for job, statements in policies.items():
            role = aws.iam.Role(
                f"{args.prefix}-{job}",
                description=f"slipway: what the {job} job of {args.prefix} may do",
                assume_role_policy=args.account.apply(partial(_trust, SERVICES[job])),
                opts=ResourceOptions(parent=self),
            )
            policy = aws.iam.RolePolicy(
                f"{name}-{job}",
                role=role.name,
                policy=facts.apply(partial(_policy, statements)),
                opts=ResourceOptions(parent=self),
            )
            # Through the policy: a job that starts before it is attached fails with AccessDenied.
            arns[job] = Output.all(role.arn, policy.id).apply(lambda pair: pair[0])
        self.train, self.serve, self.build = arns["train"], arns["serve"], arns["build"]
        self.register_outputs(arns)


def _trust(service: str, account: str) -> str:
    """Only this account's jobs: without the condition any account's SageMaker could be talked into using the role."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return _document([statement])


def _policy(statements: Callable[[Mapping[str, str]], list[Statement]], known: Mapping[str, str]) -> str:
    return _document(statements(known))


def _document(statements: list[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _allow(actions: list[str], resources: list[str], **conditions: Any) -> Statement:
    statement: Statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": conditions} if conditions else {})


def _arn(known: Mapping[str, str], service: str, resource: str) -> str:
    return f"arn:aws:{service}:{known['region']}:{known['account']}:{resource}"


def _read(bucket_arn: str, *prefixes: str) -> list[Statement]:
    # SageMaker lists a prefix with and without its last slash.
    listed = [f"{prefix.rstrip('/')}*" for prefix in prefixes]
    return [
        _allow(["s3:GetObject"], [f"{bucket_arn}/{prefix}*" for prefix in prefixes]),
        _allow(["s3:ListBucket"], [bucket_arn], StringLike={"s3:prefix": listed}),
    ]


def _read_uri(uri: str) -> list[Statement]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return _read(f"arn:aws:s3:::{bucket}", prefix)


def _pull(known: Mapping[str, str]) -> list[Statement]:
    actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    return [
        _allow(actions, [_repository(known)]),
        _allow(["ecr:GetAuthorizationToken"], ["*"]),  # AWS knows no narrower resource for this action
    ]


def _repository(known: Mapping[str, str]) -> str:
    """The repository that the jobs' image is in: the program's, or the one of an image of the user's own."""
    given = ECR_IMAGE.match(known["image"])
    if given:
        return f"arn:aws:ecr:{given['region']}:{given['account']}:repository/{given['repository']}"
    return _arn(known, "ecr", f"repository/{known['prefix']}-*")


def _log(known: Mapping[str, str], *groups: str) -> Statement:
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    return _allow(actions, [_arn(known, "logs", f"log-group:{group}*") for group in groups])


def _metrics(namespaces: list[str]) -> Statement:
    # PutMetricData takes no resource; the namespace is its only handle.
    return _allow(["cloudwatch:PutMetricData"], ["*"], StringEquals={"cloudwatch:namespace": namespaces})


def _train(known: Mapping[str, str]) -> list[Statement]:
    bucket = known["bucket"]
    return [
        *_read_uri(known["data"]),
        *_read(bucket, "checkpoints/", "runs/"),
        _allow(["s3:PutObject", "s3:AbortMultipartUpload"], [f"{bucket}/checkpoints/*", f"{bucket}/runs/*"]),
        _allow(["s3:DeleteObject"], [f"{bucket}/checkpoints/*"]),
        *_pull(known),
        _log(known, "/aws/sagemaker/TrainingJobs"),
        _metrics(["/aws/sagemaker/TrainingJobs"]),
    ]


def _serve(known: Mapping[str, str]) -> list[Statement]:
    return [
        *_read(known["bucket"], "runs/"),
        *(_read_uri(known["artifact"]) if known["artifact"] else []),
        *_pull(known),
        _log(known, f"/aws/sagemaker/Endpoints/{known['prefix']}"),
        _metrics(["/aws/sagemaker/Endpoints", "AWS/SageMaker"]),
    ]


def _build(known: Mapping[str, str]) -> list[Statement]:
    push = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]
    return [
        *_read(known["bucket"], "code/"),
        _allow(["s3:GetObjectVersion"], [f"{known['bucket']}/code/*"]),  # CodeBuild reads sources by version
        *_pull(known),
        _allow(push, [_arn(known, "ecr", f"repository/{known['prefix']}-*")]),
        _log(known, f"/aws/codebuild/{known['prefix']}-"),
    ]
