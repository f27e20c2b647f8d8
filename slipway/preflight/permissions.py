"""Whether the caller may do what the plan does, as IAM's policy simulator sees it.

The actions of the resource types that would be made or changed, on names such as they get. The simulator knows the
caller's policies and boundary, and no service control policy and no bucket policy: what it allows may still be refused.
Where a condition needs facts that only the real request has, nobody can tell, and it is a warning.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from slipway.preflight.finding import Finding, UnknownError, asking, unknown
from slipway.preflight.plan import Plan
from slipway.project import Stack

CHECK = "permissions"
AT_ONCE = 8
HEX = "0000000"  # the end of an auto-named resource
SIMULATE = "iam:SimulatePrincipalPolicy"

# Pulumi type -> (resource of its ARN, actions). In a resource {} stands for <project>-<stack>; one that begins with
# "::" has neither region nor account, with ":" no region.
ACTIONS: Mapping[str, tuple[str, str]] = {
    "aws:appautoscaling/policy:Policy": (
        "application-autoscaling {account}scalable-target/0",
        "application-autoscaling:PutScalingPolicy",
    ),
    "aws:appautoscaling/target:Target": (
        "application-autoscaling {account}scalable-target/0",
        "application-autoscaling:RegisterScalableTarget",
    ),
    "aws:budgets/budget:Budget": ("budgets :{account}budget/{}-budget-" + HEX, "budgets:ModifyBudget"),
    "aws:cloudwatch/dashboard:Dashboard": ("cloudwatch :{account}dashboard/{}", "cloudwatch:PutDashboard"),
    "aws:cloudwatch/logGroup:LogGroup": (
        "logs {account}log-group:/aws/sagemaker/Endpoints/{}",
        "logs:CreateLogGroup logs:PutRetentionPolicy",
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        "cloudwatch {account}alarm:{}-alarm-" + HEX,
        "cloudwatch:PutMetricAlarm",
    ),
    "aws:codebuild/project:Project": (
        "codebuild {account}project/{}-build",
        "codebuild:CreateProject codebuild:StartBuild",
    ),
    "aws:ecr/repository:Repository": ("ecr {account}repository/{}-image-" + HEX, "ecr:CreateRepository"),
    "aws:iam/role:Role": ("iam :{account}role/{}-train-" + HEX, "iam:CreateRole iam:PutRolePolicy iam:TagRole"),
    "aws:kms/key:Key": ("", "kms:CreateKey kms:TagResource"),
    "aws:lambda/function:Function": ("lambda {account}function:{}-guard-" + HEX, "lambda:CreateFunction"),
    "aws:s3/bucket:Bucket": (
        "s3 ::{}-data-" + HEX,
        "s3:CreateBucket s3:PutBucketTagging s3:PutEncryptionConfiguration",
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": ("s3 ::{}-data-" + HEX + "/data", "s3:PutObject"),
    "aws:sagemaker/endpoint:Endpoint": (
        "sagemaker {account}endpoint/{}",
        "sagemaker:CreateEndpoint sagemaker:UpdateEndpoint sagemaker:DescribeEndpoint",
    ),
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration": (
        "sagemaker {account}endpoint-config/{}-config-" + HEX,
        "sagemaker:CreateEndpointConfig",
    ),
    "aws:sagemaker/hyperParameterTuningJob:HyperParameterTuningJob": (
        "sagemaker {account}hyper-parameter-tuning-job/0",
        "sagemaker:CreateHyperParameterTuningJob",
    ),
    "aws:sagemaker/model:Model": ("sagemaker {account}model/{}-model-" + HEX, "sagemaker:CreateModel"),
    "aws:sagemaker/modelPackageGroup:ModelPackageGroup": (
        "sagemaker {account}model-package-group/{}-models-" + HEX,
        "sagemaker:CreateModelPackageGroup",
    ),
    "aws:sagemaker/trainingJob:TrainingJob": (
        "sagemaker {account}training-job/{}-0123456789ab-" + HEX,
        "sagemaker:CreateTrainingJob sagemaker:DescribeTrainingJob",
    ),
    "aws:scheduler/schedule:Schedule": ("scheduler {account}schedule/default/{}-0", "scheduler:CreateSchedule"),
    "aws:sns/topic:Topic": ("sns {account}{}-alarms-" + HEX, "sns:CreateTopic"),
}
PASSING = {
    "sagemaker.amazonaws.com": (
        "aws:sagemaker/model:Model",
        "aws:sagemaker/trainingJob:TrainingJob",
        "aws:sagemaker/hyperParameterTuningJob:HyperParameterTuningJob",
    ),
    "codebuild.amazonaws.com": ("aws:codebuild/project:Project",),
    "lambda.amazonaws.com": ("aws:lambda/function:Function",),
    "scheduler.amazonaws.com": ("aws:scheduler/schedule:Schedule",),
}
"""Who gets a role handed over with a resource of these types: iam:PassRole."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """Actions on one resource, with what the request would carry."""

    resource: str
    actions: tuple[str, ...]
    context: Mapping[str, str]


def check(stack: Stack, plan: Plan) -> list[Finding]:
    """One finding for all that is allowed, and one for each resource of which something is not."""
    try:
        with asking("who the caller is", "sts:GetCallerIdentity"):
            who = stack.client("sts").get_caller_identity()
    except UnknownError as error:
        return [unknown(CHECK, error)]
    if who["Arn"].endswith(":root"):
        return [Finding(check=CHECK, level="ok", found=f"{who['Arn']} may do everything; use a role for daily work")]
    asked = questions(plan.types(), stack, who["Account"])
    try:
        source = _source(stack, who["Arn"])
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="simulate") as pool:
            answers = list(pool.map(lambda question: _simulate(stack, source, question), asked))
    except UnknownError as error:
        if stack.local and "/" not in who["Arn"].partition(":role/")[2] and ":assumed-role/" not in who["Arn"]:
            found = "the embedded AWS lets its administrator do everything"
            return [Finding(check=CHECK, level="ok", found=found)]
        return [unknown(CHECK, error)]
    judged = [one for found in answers for one in found]
    allowed = sum(len(question.actions) for question in asked) - sum(len(one.needed.split()) for one in judged)
    return [Finding(check=CHECK, level="ok", found=f"{allowed} actions are allowed to {source}"), *judged]


def questions(types: Iterable[str], stack: Stack, account: str) -> list[Question]:
    """What to ask about changes of these types."""
    wanted: dict[str, list[str]] = defaultdict(list)
    kinds = set(types)
    for kind in sorted(kinds & set(ACTIONS)):
        resource, actions = ACTIONS[kind]
        wanted[_arn(resource, stack, account)] += actions.split()
    tags = {"aws:RequestTag/slipway:project": stack.project, "aws:RequestTag/slipway:stack": stack.name}
    asked = [Question(resource=arn, actions=tuple(dict.fromkeys(some)), context=tags) for arn, some in wanted.items()]
    role = _arn("iam :{account}role/{}-train-" + HEX, stack, account)
    for service, given in PASSING.items():
        if kinds & set(given):
            asked.append(Question(resource=role, actions=("iam:PassRole",), context={"iam:PassedToService": service}))
    return asked


def _arn(resource: str, stack: Stack, account: str) -> str:
    if not resource:
        return "*"
    service, rest = resource.split(" ")
    rest = rest.replace("{}", stack.prefix)
    if rest.startswith("::"):
        return f"arn:aws:{service}:::{rest[2:]}"
    region = "" if rest.startswith(":") else stack.region
    return f"arn:aws:{service}:{region}:{rest.removeprefix(':').replace('{account}', account + ':')}"


def _source(stack: Stack, arn: str) -> str:
    """The user or role whose policies count; of an assumed role IAM's own ARN, which has the role's path."""
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind != "assumed-role":
        return arn
    role = name.split("/")[0]
    try:
        return str(stack.client("iam").get_role(RoleName=role)["Role"]["Arn"])
    except (ClientError, BotoCoreError):
        account = arn.split(":")[4]
        return f"arn:aws:iam::{account}:role/{role}"


def _simulate(stack: Stack, source: str, question: Question) -> list[Finding]:
    entries = [
        {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for name, value in question.context.items()
    ]
    with asking(f"whether {source} is allowed", SIMULATE):
        answer: dict[str, Any] = stack.client("iam").simulate_principal_policy(
            PolicySourceArn=source,
            ActionNames=list(question.actions),
            ResourceArns=[question.resource],
            ContextEntries=entries,
        )
    refused = [one for one in answer["EvaluationResults"] if one["EvalDecision"] != "allowed"]
    unsure = [one for one in refused if one.get("MissingContextValues") and one["EvalDecision"] == "implicitDeny"]
    return [
        *_finding(stack, source, question, [one for one in refused if one not in unsure], "problem"),
        *_finding(stack, source, question, unsure, "warning"),
    ]


def _finding(stack: Stack, source: str, question: Question, refused: list[Any], level: Any) -> list[Finding]:
    if not refused:
        return []
    actions = " ".join(one["EvalActionName"] for one in refused)
    how = "explicitly denied" if any(one["EvalDecision"] == "explicitDeny" for one in refused) else "not allowed"
    missing = sorted({key for one in refused for key in one.get("MissingContextValues", [])})
    sure = f"; it depends on {', '.join(missing)}" if level == "warning" else ""
    service = "".join(f" for {question.context[key]}" for key in question.context if key == "iam:PassedToService")
    return [
        Finding(
            check=CHECK,
            level=level,
            found=f"{source} is {how} on {question.resource}{service}{sure}",
            needed=actions,
            mend=f"allow it in the policies of {source.rpartition('/')[2]}, or have a person with more rights run this",
        )
    ]
