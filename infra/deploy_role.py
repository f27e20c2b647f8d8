"""What CI's roles may do: create, change and delete a stack's resources, by name or tag, and nothing else.

Two roles, for two kinds of workflow: `deploy` for this stack, and `deploy-pr` for the stacks of pull requests
(`<project>-pr-...`), which may see this stack's state to preview it and change nothing of it.

They work for a stack that somebody has brought up once. What is rarely made and reaches far stays with a person: these
roles, GitHub's identity provider, the KMS key, the audit trail and the network. An update that changes one of them says
AccessDenied, and a person runs `pulumi up` once.

A role that may write the jobs' policies and pass the roles on can do whatever the jobs could be allowed: only a
permissions boundary (`slipway:access.permissions_boundary`) limits that.

IAM counts the policies of one role together and takes 10,240 characters; a test holds the largest against it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from infra.documents import ANY, Statement, allow, document
from infra.permissions import Known

GITHUB = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
PULL_REQUEST, PULL_REQUEST_STACKS = "pull_request", "pr-*"
STATE_KEY = "alias/slipway-state"
GROUPS, CONFIGS = "sagemaker:ListModelPackageGroups", "sagemaker:ListEndpointConfigs"
PASSED_TO = ["sagemaker.amazonaws.com", "codebuild.amazonaws.com", "lambda.amazonaws.com", "scheduler.amazonaws.com"]


def trust(provider: str, repository: str, subjects: tuple[str, ...]) -> str:
    """Only workflows of this repository that run as one of the named subjects: equality, no patterns."""
    named = [f"repo:{repository}:{subject}" for subject in subjects]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{GITHUB}:aud": AUDIENCE, f"{GITHUB}:sub": named}},
    }
    return document([statement])


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which stack, and how its resources are found."""

    known: Known
    stack: str
    """A name, or pr-* for those of pull requests."""
    boundary: str | None
    audits: bool = False
    """The stack has a trail."""

    @property
    def own(self) -> bool:
        """Whether it is the stack that makes the role."""
        return self.stack == self.known.stack

    @property
    def prefix(self) -> str:
        return f"{self.known.project}-{self.stack}"

    def named(self, service: str, *resources: str) -> list[str]:
        """ARNs of this account and region; `{}` in a resource stands for <project>-<stack>."""
        return [self.known.arn(service, one.replace("{}", self.prefix)) for one in resources]

    def everywhere(self, service: str, *resources: str) -> list[str]:
        """The same for services whose ARNs carry no region."""
        return [arn.replace(f":{self.known.region}:", "::") for arn in self.named(service, *resources)]

    def tagged(self, where: str) -> dict[str, dict[str, str]]:
        """The condition that the resource carries (ResourceTag), or is given (RequestTag), the stack's tags."""
        return {
            "StringEquals": {f"aws:{where}/slipway:project": self.known.project},
            "StringLike": {f"aws:{where}/slipway:stack": self.stack},
        }


def deploy_permissions(scope: Scope) -> list[Statement]:
    """Everything that `pulumi up` and `slipway verify` ask of AWS for the scope's stacks; more: infra.teardown_role."""
    parts = (
        _storage,
        _roles,
        _image,
        _jobs,
        _scaling,
        _monitoring,
        _spending,
        _key,
        _trail,
        _network,
        _state,
        _unscoped,
    )
    return compact(statement for part in parts for statement in part(scope))


def compact(statements: Iterable[Statement]) -> list[Statement]:
    """The same permissions in fewer characters: statements of different services without a condition become one.

    An action applies to its own service's resources only, so each still reaches what it did.
    """
    merged: list[tuple[set[str], Statement]] = []
    rest: list[Statement] = []
    for one in statements:
        if one["Effect"] != "Allow" or "Condition" in one or one["Resource"] == ANY:
            rest.append(one)
            continue
        services = {action.partition(":")[0] for action in one["Action"]}
        host = next((known for known in merged if known[0].isdisjoint(services)), None)
        if host is None:
            merged.append((services, allow([*one["Action"]], [*one["Resource"]])))
            continue
        host[0].update(services)
        host[1]["Action"] += one["Action"]
        host[1]["Resource"] += one["Resource"]
    return [*(one for _, one in merged), *rest]


def _actions(service: str, words: str) -> list[str]:
    return [f"{service}:{word}" for word in words.split()]


def _storage(scope: Scope) -> list[Statement]:
    buckets = (
        "CreateBucket DeleteBucket DeleteBucketPolicy GetAccelerateConfiguration GetBucketAcl GetBucketCORS "
        "GetBucketLogging GetBucketObjectLockConfiguration GetBucketOwnershipControls "
        "GetBucketPolicy GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning "
        "GetBucketWebsite GetEncryptionConfiguration GetLifecycleConfiguration GetReplicationConfiguration ListBucket "
        "ListBucketVersions ListTagsForResource PutBucketLogging PutBucketOwnershipControls "
        "PutBucketPolicy PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning PutEncryptionConfiguration "
        "PutLifecycleConfiguration TagResource UntagResource"
    )
    objects = (
        "AbortMultipartUpload DeleteObject DeleteObjectVersion GetObject GetObjectTagging PutObject PutObjectTagging"
    )
    return [
        allow(_actions("s3", buckets), [f"arn:aws:s3:::{scope.prefix}-*"]),
        allow(_actions("s3", objects), [f"arn:aws:s3:::{scope.prefix}-*/*"]),
    ]


def _roles(scope: Scope) -> list[Statement]:
    roles = scope.everywhere("iam", "role/{}-*")
    bounded = {"StringEquals": {"iam:PermissionsBoundary": scope.boundary}} if scope.boundary else {}
    boundary = ["iam:PutRolePermissionsBoundary"] if scope.boundary else []
    grant = [*_actions("iam", "CreateRole DeleteRolePolicy DetachRolePolicy PutRolePolicy"), *boundary]
    change = _actions("iam", "DeleteRole TagRole UntagRole UpdateAssumeRolePolicy UpdateRole")
    read = "GetRole GetRolePolicy ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies"
    escalating = ["iam:CreateRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", *boundary]
    itself = allow(escalating, scope.everywhere("iam", "role/{}-deploy-*")) | {"Effect": "Deny"}
    return [
        allow(grant, roles, **bounded),
        allow([*change, *_actions("iam", read)], roles),
        itself,
        allow(["iam:PassRole"], roles, StringEquals={"iam:PassedToService": PASSED_TO}),
        allow(["iam:GetOpenIDConnectProvider"], scope.everywhere("iam", f"oidc-provider/{GITHUB}")),
    ]


def _image(scope: Scope) -> list[Statement]:
    repository = (
        "CreateRepository DeleteLifecyclePolicy DeleteRepository DescribeImages DescribeRepositories "
        "GetLifecyclePolicy ListTagsForResource PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy "
        "TagResource UntagResource"
    )
    project = "BatchGetBuilds BatchGetProjects CreateProject DeleteProject StartBuild UpdateProject"
    return [
        allow(_actions("ecr", repository), scope.named("ecr", "repository/{}-*")),
        allow(_actions("codebuild", project), scope.named("codebuild", "project/{}-build")),
    ]


def _jobs(scope: Scope) -> list[Statement]:
    named = (
        "AddTags CreateEndpoint CreateEndpointConfig CreateModel CreateModelPackage CreateModelPackageGroup "
        "CreateTrainingJob DeleteEndpoint DeleteEndpointConfig DeleteModel DeleteModelPackage DeleteModelPackageGroup "
        "DeleteTags DeleteTrainingJob DescribeEndpoint DescribeEndpointConfig DescribeModel DescribeModelPackage "
        "DescribeModelPackageGroup DescribeTrainingJob InvokeEndpoint InvokeEndpointAsync ListModelPackages ListTags "
        "StopTrainingJob UpdateEndpoint UpdateTrainingJob"
    )
    tuning = (
        "AddTags DeleteHyperParameterTuningJob DescribeHyperParameterTuningJob ListTags "
        "ListTrainingJobsForHyperParameterTuningJob StopHyperParameterTuningJob"
    )
    kinds = ("*/{}-*", "endpoint/{}")  # training jobs, models, endpoint configurations, model packages and their group
    tunings = [scope.known.arn("sagemaker", "hyper-parameter-tuning-job/*")]
    return [
        allow(_actions("sagemaker", named), scope.named("sagemaker", *kinds)),
        allow(["servicequotas:GetServiceQuota"], [scope.known.arn("servicequotas", "sagemaker/*")]),
        allow(["sagemaker:CreateHyperParameterTuningJob"], tunings, **scope.tagged("RequestTag")),
        allow(_actions("sagemaker", tuning), tunings, **scope.tagged("ResourceTag")),
    ]


def _scaling(scope: Scope) -> list[Statement]:
    change = (
        "DeleteScalingPolicy DeleteScheduledAction DeregisterScalableTarget ListTagsForResource PutScalingPolicy "
        "PutScheduledAction RegisterScalableTarget TagResource UntagResource"
    )
    service = "application-autoscaling"
    # A target's ARN holds an id that AWS makes up.
    return [allow(_actions(service, change), [scope.known.arn(service, "scalable-target/*")])]


def _monitoring(scope: Scope) -> list[Statement]:
    group = (
        "CreateLogGroup DeleteLogGroup DescribeLogStreams GetLogEvents ListTagsForResource PutRetentionPolicy "
        "TagResource UntagResource"
    )
    topic = (
        "CreateTopic DeleteTopic GetTopicAttributes ListTagsForResource SetTopicAttributes "
        "Subscribe TagResource UntagResource"
    )
    alarm = "DeleteAlarms DescribeAlarms ListTagsForResource PutMetricAlarm TagResource UntagResource"
    endpoint = "log-group:/aws/sagemaker/Endpoints/{}"
    groups = scope.named("logs", endpoint, f"{endpoint}:*", "log-group:/aws/*/{}-build*", "log-group:/aws/*/{}-guard*")
    runs = scope.known.arn("logs", "log-group:/aws/sagemaker/TrainingJobs:*")
    board = "DeleteDashboards GetDashboard PutDashboard"
    watched = [*scope.named("cloudwatch", "alarm:{}-*"), *scope.everywhere("cloudwatch", "dashboard/{}")]
    return [
        allow(_actions("logs", group), groups),
        allow(_actions("logs", "DescribeLogStreams GetLogEvents"), [runs]),
        allow(_actions("cloudwatch", f"{alarm} {board}"), watched),
        allow(_actions("sns", topic), scope.named("sns", "{}-alarms-*", "{}-spending-*")),
    ]


def _spending(scope: Scope) -> list[Statement]:
    """The guardian, what calls it, and the budget."""
    function = (
        "AddPermission CreateFunction DeleteFunction GetFunction GetFunctionCodeSigningConfig GetPolicy ListTags "
        "ListVersionsByFunction RemovePermission TagResource UntagResource UpdateFunctionCode "
        "UpdateFunctionConfiguration"
    )
    budget = "ListTagsForResource ModifyBudget TagResource UntagResource ViewBudget"
    schedule = "CreateSchedule DeleteSchedule GetSchedule UpdateSchedule"
    return [
        allow(_actions("lambda", function), scope.named("lambda", "function:{}-guard-*")),
        allow(_actions("scheduler", schedule), scope.named("scheduler", "schedule/default/{}-*")),
        allow(_actions("budgets", budget), scope.everywhere("budgets", "budget/{}-budget-*")),
    ]


def _key(scope: Scope) -> list[Statement]:
    """The key: seen, used through S3 and SNS, handed to SageMaker by grants; changed by a person."""
    if not (scope.own and scope.known.key):
        return []
    key = [scope.known.key]
    through = {"kms:ViaService": [f"{service}.{scope.known.region}.amazonaws.com" for service in ("s3", "sns")]}
    return [
        allow(_actions("kms", "DescribeKey GetKeyPolicy GetKeyRotationStatus ListResourceTags"), key),
        allow(["kms:Decrypt", "kms:GenerateDataKey"], key, StringEquals=through),
        allow(["kms:CreateGrant"], key, Bool={"kms:GrantIsForAWSResource": "true"}),
    ]


def _trail(scope: Scope) -> list[Statement]:
    """The audit trail, to compare it with the program: CI could otherwise switch off what records it."""
    see = _actions("cloudtrail", "GetEventSelectors GetTrail GetTrailStatus ListTags")
    return [allow(see, scope.named("cloudtrail", "trail/{}-trail-*"))] if scope.audits else []


def _state(scope: Scope) -> list[Statement]:
    """Pulumi's state of the stack in the account's state bucket, and the key of its secrets (slipway init)."""
    known = scope.known
    bucket = f"arn:aws:s3:::slipway-state-{known.account}-{known.region}"

    def files(stack: str) -> list[str]:
        # .pulumi/{stacks,history,backups,locks/organization}/<project>/<stack>...
        return [f"{bucket}/.pulumi/*/{known.project}/{stack}{end}" for end in (".*", "/*")]

    seen = [f"{bucket}/.pulumi/meta.yaml", *([] if scope.own else files(known.stack))]
    by_alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": STATE_KEY}}
    use = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
    return [
        allow(["s3:ListBucket"], [bucket]),
        allow(["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], files(scope.stack)),
        allow(["s3:GetObject"], seen),
        allow(use, [known.arn("kms", "key/*")], **by_alias),
    ]


def _network(scope: Scope) -> list[Statement]:
    return [allow(["ec2:DescribeVpcAttribute"], [scope.known.vpc])] if scope.own and scope.known.vpc else []


def _unscoped(scope: Scope) -> list[Statement]:
    """What takes no resource. All of it reads but Unsubscribe, for which AWS knows nothing narrower."""
    targets = "DescribeScalableTargets DescribeScalingPolicies DescribeScheduledActions"
    network = (
        "DescribeAvailabilityZones DescribePrefixLists DescribeRouteTables DescribeSecurityGroupRules "
        "DescribeSecurityGroups DescribeSubnets DescribeVpcEndpoints DescribeVpcs"
    )
    own = {
        "kms:ListAliases": bool(scope.known.key),
        "cloudtrail:DescribeTrails": scope.audits,
        "sagemaker:ListTrainingJobs": scope.known.climbs,
        **dict.fromkeys(_actions("ec2", network), bool(scope.known.vpc)),
    }
    seen = [action for action, there in own.items() if there and scope.own]
    subscriptions = _actions("sns", "GetSubscriptionAttributes Unsubscribe")
    scaling = _actions("application-autoscaling", targets)
    return [
        allow([*scaling, *subscriptions, "logs:DescribeLogGroups", "tag:GetResources", GROUPS, CONFIGS, *seen], ANY)
    ]
