"""What each job may do: one function a job, its statements as AWS documents them, on this stack's resources only."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from infra.documents import ANY, Statement, allow

ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^:@]+)[:@]"
)
DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"
"""AWS's own policy that denies everything: to freeze a role it is attached."""
FROZEN = ("train", "serve", "build")
"""The jobs whose roles the guard may freeze."""
# SageMaker lists network interfaces and what they hang on by actions that take no resource.
SEE_NETWORK = [
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
]


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the policies are made of, all of it known."""

    project: str
    stack: str
    account: str
    region: str
    bucket: str
    """ARN of the data bucket."""
    data: str
    """S3 URI of the data set; may be a prefix of somebody else's bucket."""
    incarnation: str
    """7 hex: what a tuning job's training jobs are named after."""
    channels: tuple[str, ...] = ()
    """S3 URIs of what a run reads besides its data set."""
    key: str = ""
    """ARN of the KMS key, if one encrypts."""
    artifacts: tuple[str, ...] = ()
    """S3 URIs of artifacts that the program did not make; the serving role reads them."""
    image: str = ""
    """The URI of an image that the program did not build; the jobs pull it."""
    tunes: bool = False
    asynchronous: bool = False
    captures: bool = False
    notifies: bool = False
    rolls_back: bool = False
    budgets: bool = False
    climbs: bool = False
    """A run has a capacity ladder, whose rung in use is read from the list of training jobs."""
    training_secrets: tuple[str, ...] = ()
    serving_secrets: tuple[str, ...] = ()
    vpc: str = ""
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """ARNs of the network that jobs run in, if it is the stack's own."""

    @property
    def prefix(self) -> str:
        return f"{self.project}-{self.stack}"

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    @property
    def ours(self) -> dict[str, str]:
        """The condition for resources whose names do not begin with the prefix."""
        return {
            "aws:ResourceTag/slipway:project": self.project,
            "aws:ResourceTag/slipway:stack": self.stack,
        }


def train(known: Known) -> list[Statement]:
    bucket = known.bucket
    streams = [f"{known.prefix}-*", *([f"*-{known.incarnation}-*"] if known.tunes else [])]
    return [
        *_read_uri(known.data),
        *(statement for uri in known.channels for statement in _read_uri(uri)),
        *_read(bucket, "checkpoints/", "runs/"),
        allow(["s3:PutObject", "s3:AbortMultipartUpload"], [f"{bucket}/checkpoints/*", f"{bucket}/runs/*"]),
        allow(["s3:DeleteObject"], [f"{bucket}/checkpoints/*"]),
        *_pull(known),
        *_log(known, "/aws/sagemaker/TrainingJobs", streams),
        _metrics(["/aws/sagemaker/TrainingJobs"]),
        *_use_key(known, ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], ["s3"]),
        *_encrypt_volumes(known),
        *_read_secrets(known.training_secrets),
        *_join_network(known),
    ]


def serve(known: Known) -> list[Statement]:
    bucket = known.bucket
    written = [
        *([f"{bucket}/async/*"] if known.asynchronous else []),
        *([f"{bucket}/captured/*"] if known.captures else []),
    ]
    uses = ["kms:Decrypt", *(["kms:GenerateDataKey"] if written or known.notifies else [])]
    return [
        *_read(bucket, "runs/", *(["async/"] if known.asynchronous else [])),
        *(statement for uri in known.artifacts for statement in _read_uri(uri)),
        *([allow(["s3:PutObject", "s3:AbortMultipartUpload"], written)] if written else []),
        *_pull(known),
        *_log(known, f"/aws/sagemaker/Endpoints/{known.prefix}", ["*"]),
        _metrics(["/aws/sagemaker/Endpoints", "AWS/SageMaker"]),
        *([allow(["sns:Publish"], [_topic(known)])] if known.notifies else []),
        *([_watch_alarms(known)] if known.rolls_back else []),
        *_use_key(known, uses, ["s3", *(["sns"] if known.notifies else [])]),
        *_encrypt_volumes(known),
        *_read_secrets(known.serving_secrets),
        *_join_network(known),
    ]


def _watch_alarms(known: Known) -> Statement:
    """SageMaker asks with the model's role whether an alarm calls a deployment back."""
    return allow(["cloudwatch:DescribeAlarms"], [known.arn("cloudwatch", f"alarm:{known.prefix}-alarm-*")])


def build(known: Known) -> list[Statement]:
    push = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]
    return [
        *_read(known.bucket, "code/"),
        allow(["s3:GetObjectVersion"], [f"{known.bucket}/code/*"]),  # CodeBuild reads sources by version
        *_pull(known),
        allow(push, [_repository(known)]),
        *_log(known, f"/aws/codebuild/{known.prefix}-build", ["*"]),
        *_use_key(known, ["kms:Decrypt"], ["s3"]),
    ]


def guard(known: Known) -> list[Statement]:
    """The guardian: stops what bills by the hour, brings it back, and freezes the roles that could start it again.

    It freezes by attaching AWS's AWSDenyAll and may attach nothing else: with a policy of its own words it could give
    those roles anything. To lift that takes a person.
    """
    roles = [f"arn:aws:iam::{known.account}:role/{known.prefix}-{job}-*" for job in FROZEN]
    memory = f"{known.bucket}/guard/*"
    budget = f"arn:aws:budgets::{known.account}:budget/{known.prefix}-budget-*"
    look = [
        "cloudwatch:GetMetricStatistics",
        *("application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"),
        *("application-autoscaling:DescribeScheduledActions", "sagemaker:ListHyperParameterTuningJobs"),
        *("sagemaker:ListTrainingJobs", "sagemaker:ListTransformJobs"),
    ]
    return [
        *_read(known.bucket, "guard/"),
        allow(["s3:PutObject"], [memory]),
        *_end_jobs(known),
        *_switch_endpoint(known),
        allow(look, ANY),
        allow(["iam:AttachRolePolicy"], roles, ArnEquals={"iam:PolicyARN": DENY_ALL}),
        allow(["iam:ListAttachedRolePolicies"], roles),
        allow(["sns:Publish"], [known.arn("sns", f"{known.prefix}-spending-*")]),
        *([allow(["budgets:ViewBudget"], [budget])] if known.budgets else []),
        *_use_key(known, ["kms:Decrypt", "kms:GenerateDataKey"], ["s3", "sns"]),
        *_encrypt_volumes(known),
        *_log(known, f"/aws/lambda/{known.prefix}-guard", ["*"]),
    ]


def schedule(known: Known) -> list[Statement]:
    """EventBridge Scheduler, which calls the guardian."""
    # Seven hex digits end its name; with a star it could be a function of a stack called <stack>-guard.
    return [allow(["lambda:InvokeFunction"], [known.arn("lambda", f"function:{known.prefix}-guard-???????")])]


PERMISSIONS: dict[str, Callable[[Known], list[Statement]]] = {
    "train": train,
    "serve": serve,
    "build": build,
    "guard": guard,
    "schedule": schedule,
}


def _end_jobs(known: Known) -> list[Statement]:
    """By tag: names of training jobs begin like those of a neighbouring stack, and others say nothing."""
    jobs = ("HyperParameterTuningJob", "TrainingJob", "TransformJob")
    actions = [f"sagemaker:{verb}{job}" for job in jobs for verb in ("Describe", "Stop")]
    named = ("hyper-parameter-tuning-job/*", "training-job/*", "transform-job/*")
    arns = [known.arn("sagemaker", one) for one in named]
    return [
        allow([*actions, "sagemaker:UpdateTrainingJob"], arns, StringEquals=known.ours),
        allow(["sagemaker:ListTags"], [*arns, known.arn("sagemaker", f"endpoint/{known.prefix}")]),
    ]


def _switch_endpoint(known: Known) -> list[Statement]:
    """Deleting an endpoint that scales deregisters it in the caller's name; making it again registers it."""
    endpoint = known.arn("sagemaker", f"endpoint/{known.prefix}")
    config = known.arn("sagemaker", f"endpoint-config/{known.prefix}-config-*")
    targets = [known.arn("application-autoscaling", "scalable-target/*")]  # its id is AWS's
    service = {"application-autoscaling:service-namespace": "sagemaker"}
    scale = [f"application-autoscaling:{verb}" for verb in ("PutScalingPolicy", "PutScheduledAction")]
    given = {f"aws:RequestTag/{key.partition('/')[2]}": value for key, value in known.ours.items()}
    wake = [
        allow(["cloudwatch:DescribeAlarms"], [known.arn("cloudwatch", "alarm:*")]),  # a listing is about all of them
        allow(["cloudwatch:PutMetricAlarm"], [known.arn("cloudwatch", f"alarm:{known.prefix}-alarm-wake-*")]),
    ]
    return [
        allow(["sagemaker:AddTags", "sagemaker:DeleteEndpoint", "sagemaker:DescribeEndpoint"], [endpoint]),
        allow(["sagemaker:CreateEndpoint"], [endpoint, config]),
        allow(["sagemaker:DescribeEndpointConfig"], [config]),
        allow(["application-autoscaling:DeregisterScalableTarget"], targets, StringEquals=service | known.ours),
        allow(["application-autoscaling:RegisterScalableTarget", *scale], targets, StringEquals=service),
        allow(["application-autoscaling:TagResource"], targets, StringEquals=given),
        allow(["application-autoscaling:ListTagsForResource"], targets, StringEquals=known.ours),
        *(wake if known.asynchronous else []),
    ]


def _read(bucket_arn: str, *prefixes: str) -> list[Statement]:
    # SageMaker lists a prefix with and without its last slash.
    listed = [f"{prefix.rstrip('/')}*" for prefix in prefixes]
    return [
        allow(["s3:GetObject"], [f"{bucket_arn}/{prefix}*" for prefix in prefixes]),
        allow(["s3:ListBucket"], [bucket_arn], StringLike={"s3:prefix": listed}),
    ]


def _read_uri(uri: str) -> list[Statement]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return _read(f"arn:aws:s3:::{bucket}", prefix)


def _pull(known: Known) -> list[Statement]:
    actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    return [
        allow(actions, [_repository(known)]),
        allow(["ecr:GetAuthorizationToken"], ANY),  # AWS knows no narrower resource for this action
    ]


def _repository(known: Known) -> str:
    """The repository that the jobs' image is in: the program's, or the one of an image of the user's own."""
    given = ECR_IMAGE.match(known.image)
    if given:
        return f"arn:aws:ecr:{given['region']}:{given['account']}:repository/{given['repository']}"
    return known.arn("ecr", f"repository/{known.prefix}-*")


def _log(known: Known, group: str, streams: Iterable[str]) -> list[Statement]:
    # AWS writes a group as a whole with an empty stream behind it: log-group:NAME:log-stream:
    whole = known.arn("logs", f"log-group:{group}")
    write = [f"{whole}:log-stream:{stream}" for stream in streams]
    return [
        allow(["logs:CreateLogGroup", "logs:DescribeLogStreams"], [whole, f"{whole}:*"]),
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], write),
    ]


def _metrics(namespaces: list[str]) -> Statement:
    # PutMetricData takes no resource; the namespace is its only handle.
    return allow(["cloudwatch:PutMetricData"], ANY, StringEquals={"cloudwatch:namespace": namespaces})


def _topic(known: Known) -> str:
    return known.arn("sns", f"{known.prefix}-alarms-*")


def _use_key(known: Known, actions: list[str], services: list[str]) -> list[Statement]:
    """The key through these services only: a job cannot decrypt by itself what it carried away."""
    through = [f"{service}.{known.region}.amazonaws.com" for service in services]
    return [allow(actions, [known.key], StringEquals={"kms:ViaService": through})] if known.key else []


def _encrypt_volumes(known: Known) -> list[Statement]:
    """SageMaker has EBS encrypt an instance's volume, by a grant that only an AWS service can use."""
    if not known.key:
        return []
    return [
        allow(["kms:CreateGrant"], [known.key], Bool={"kms:GrantIsForAWSResource": "true"}),
        allow(["kms:DescribeKey"], [known.key]),
    ]


def _read_secrets(arns: Iterable[str]) -> list[Statement]:
    actions = {"secretsmanager": "secretsmanager:GetSecretValue", "ssm": "ssm:GetParameter"}
    return [allow([actions[arn.split(":")[2]]], [arn]) for arn in sorted(set(arns))]


def _join_network(known: Known) -> list[Statement]:
    """SageMaker puts a network interface for each instance into the stack's subnets, and takes it away."""
    if not known.vpc:
        return []
    interfaces = known.arn("ec2", "network-interface/*")
    of_this_vpc = {"ArnEquals": {"ec2:Vpc": known.vpc}}
    manage = [
        "ec2:CreateNetworkInterfacePermission",
        "ec2:DeleteNetworkInterface",
        "ec2:DeleteNetworkInterfacePermission",
    ]
    return [
        allow(["ec2:CreateNetworkInterface"], [interfaces, *known.subnets, *known.groups], **of_this_vpc),
        allow(manage, [interfaces], **of_this_vpc),
        allow(SEE_NETWORK, ANY),
    ]
