"""From what boto3 sends to the actions and resources that it asks for, for every protocol."""

from typing import Any

import pytest

from localaws import signature
from localaws.cloud import ACCOUNT
from localaws.iam import requests
from localaws.iam.requests import NoRuleError
from localaws.iam.statements import Ask
from tests.unit.localaws.iam.captured import REGION, capture

ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"


def arn(service: str, resource: str, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def asks(service: str, operation: str, **parameters: Any) -> list[Ask]:
    environ, body = capture(service, operation, **parameters)
    found = requests.read(environ, signature.read(environ).service, lambda: body)
    return requests.asks(found, REGION, {}, lambda resource: {})


def asked(service: str, operation: str, **parameters: Any) -> list[tuple[str, str]]:
    return [(ask.action, ask.resource) for ask in asks(service, operation, **parameters)]


JOB = {
    "TrainingJobName": "Mine",
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": "x", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://b"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {},
}
CALLS: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("sagemaker", "list_models", {}, [("sagemaker:ListModels", "*")]),
    (
        "sagemaker",
        "describe_training_job",
        {"TrainingJobName": "Mine"},
        [("sagemaker:DescribeTrainingJob", arn("sagemaker", "training-job/mine"))],
    ),
    (
        "sagemaker",
        "create_training_job",
        JOB,
        [("sagemaker:CreateTrainingJob", arn("sagemaker", "training-job/mine")), ("iam:PassRole", ROLE)],
    ),
    (
        "sagemaker",
        "create_endpoint",
        {"EndpointName": "e", "EndpointConfigName": "c", "Tags": [{"Key": "k", "Value": "v"}]},
        [
            ("sagemaker:CreateEndpoint", arn("sagemaker", "endpoint/e")),
            ("sagemaker:CreateEndpoint", arn("sagemaker", "endpoint-config/c")),
            ("sagemaker:AddTags", arn("sagemaker", "endpoint/e")),
        ],
    ),
    (
        "sagemaker",
        "add_tags",
        {"ResourceArn": arn("sagemaker", "model/m"), "Tags": [{"Key": "k", "Value": "v"}]},
        [("sagemaker:AddTags", arn("sagemaker", "model/m"))],
    ),
    (
        "sagemaker-runtime",
        "invoke_endpoint",
        {"EndpointName": "Mine", "Body": b"1"},
        [("sagemaker:InvokeEndpoint", arn("sagemaker", "endpoint/mine"))],
    ),
    (
        "sagemaker-runtime",
        "invoke_endpoint_async",
        {"EndpointName": "mine", "InputLocation": "s3://b/k"},
        [("sagemaker:InvokeEndpointAsync", arn("sagemaker", "endpoint/mine"))],
    ),
    ("iam", "get_role", {"RoleName": "worker"}, [("iam:GetRole", ROLE)]),
    (
        "iam",
        "create_role",
        {"RoleName": "r", "Path": "/p/", "AssumeRolePolicyDocument": "{}", "Tags": [{"Key": "k", "Value": "v"}]},
        [("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/p/r"), ("iam:TagRole", f"arn:aws:iam::{ACCOUNT}:role/p/r")],
    ),
    (
        "iam",
        "create_open_id_connect_provider",
        {"Url": "https://token.actions.githubusercontent.com"},
        [
            (
                "iam:CreateOpenIDConnectProvider",
                f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
            )
        ],
    ),
    ("sts", "get_caller_identity", {}, []),
    (
        "ecr",
        "describe_repositories",
        {"repositoryNames": ["a", "b"]},
        [("ecr:DescribeRepositories", arn("ecr", f"repository/{name}")) for name in "ab"],
    ),
    ("ecr", "describe_repositories", {}, [("ecr:DescribeRepositories", arn("ecr", "repository/*"))]),
    ("ecr", "get_authorization_token", {}, [("ecr:GetAuthorizationToken", "*")]),
    (
        "codebuild",
        "batch_get_builds",
        {"ids": ["p:1-2"]},
        [("codebuild:BatchGetBuilds", arn("codebuild", "project/p"))],
    ),
    ("codebuild", "start_build", {"projectName": "p"}, [("codebuild:StartBuild", arn("codebuild", "project/p"))]),
    (
        "codebuild",
        "create_project",
        {
            "name": "p",
            "serviceRole": ROLE,
            "source": {"type": "S3"},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": {"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
        },
        [("codebuild:CreateProject", arn("codebuild", "project/p")), ("iam:PassRole", ROLE)],
    ),
    (
        "logs",
        "put_log_events",
        {"logGroupName": "/g", "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "m"}]},
        [("logs:PutLogEvents", arn("logs", "log-group:/g:log-stream:s"))],
    ),
    (
        "logs",
        "describe_log_streams",
        {"logGroupIdentifier": arn("logs", "log-group:/g")},
        [("logs:DescribeLogStreams", arn("logs", "log-group:/g:log-stream:"))],
    ),
    ("logs", "describe_log_groups", {}, [("logs:DescribeLogGroups", "*")]),
    (
        "cloudwatch",
        "delete_alarms",
        {"AlarmNames": ["a", "b"]},
        [("cloudwatch:DeleteAlarms", arn("cloudwatch", f"alarm:{name}")) for name in "ab"],
    ),
    (
        "cloudwatch",
        "put_dashboard",
        {"DashboardName": "d", "DashboardBody": "{}"},
        [("cloudwatch:PutDashboard", arn("cloudwatch", "dashboard/d", region=""))],
    ),
    (
        "application-autoscaling",
        "deregister_scalable_target",
        {
            "ServiceNamespace": "sagemaker",
            "ResourceId": "r",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        },
        [("application-autoscaling:DeregisterScalableTarget", arn("application-autoscaling", "scalable-target/*"))],
    ),
    ("sns", "publish", {"TopicArn": arn("sns", "t"), "Message": "m"}, [("sns:Publish", arn("sns", "t"))]),
    ("sns", "create_topic", {"Name": "t"}, [("sns:CreateTopic", arn("sns", "t"))]),
    ("kms", "describe_key", {"KeyId": "1"}, [("kms:DescribeKey", arn("kms", "key/1"))]),
    (
        "kms",
        "create_key",
        {"Tags": [{"TagKey": "k", "TagValue": "v"}]},
        [("kms:CreateKey", "*"), ("kms:TagResource", "*")],
    ),
    (
        "ec2",
        "create_subnet",
        {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"},
        [("ec2:CreateSubnet", arn("ec2", "subnet/*")), ("ec2:CreateSubnet", arn("ec2", "vpc/vpc-1"))],
    ),
    (
        "ec2",
        "create_tags",
        {"Resources": ["vpc-1", "rtb-2"], "Tags": [{"Key": "k", "Value": "v"}]},
        [("ec2:CreateTags", arn("ec2", "vpc/vpc-1")), ("ec2:CreateTags", arn("ec2", "route-table/rtb-2"))],
    ),
    ("ec2", "describe_vpcs", {"VpcIds": ["vpc-1"]}, [("ec2:DescribeVpcs", "*")]),
    (
        "cloudtrail",
        "put_event_selectors",
        {"TrailName": "t"},
        [("cloudtrail:PutEventSelectors", arn("cloudtrail", "trail/t"))],
    ),
    ("resourcegroupstaggingapi", "get_resources", {}, [("tag:GetResources", "*")]),
    (
        "secretsmanager",
        "get_secret_value",
        {"SecretId": "s"},
        [("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:s-??????"))],
    ),
    ("ssm", "get_parameter", {"Name": "/a/b"}, [("ssm:GetParameter", arn("ssm", "parameter/a/b"))]),
    (
        "events",
        "put_targets",
        {"Rule": "r", "Targets": [{"Id": "1", "Arn": arn("sns", "t"), "RoleArn": ROLE}]},
        [("events:PutTargets", arn("events", "rule/r")), ("iam:PassRole", ROLE)],
    ),
    (
        "scheduler",
        "delete_schedule",
        {"Name": "s", "GroupName": "g"},
        [("scheduler:DeleteSchedule", arn("scheduler", "schedule/g/s"))],
    ),
    (
        "scheduler",
        "create_schedule",
        {
            "Name": "s",
            "ScheduleExpression": "rate(1 day)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": arn("lambda", "function:f"), "RoleArn": ROLE},
        },
        [("scheduler:CreateSchedule", arn("scheduler", "schedule/default/s")), ("iam:PassRole", ROLE)],
    ),
    ("lambda", "invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", arn("lambda", "function:f"))]),
    ("lambda", "list_functions", {}, [("lambda:ListFunctions", "*")]),
]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"), CALLS, ids=[f"{call[0]}-{call[1]}" for call in CALLS]
)
def test_a_call_asks_for(
    service: str, operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert asked(service, operation, **parameters) == expected


def test_a_passed_role_carries_the_service_it_is_passed_to() -> None:
    assert asks("sagemaker", "create_training_job", **JOB)[1].context == {
        "iam:passedtoservice": ("sagemaker.amazonaws.com",)
    }


def test_tags_of_a_request_are_condition_keys() -> None:
    tags = [{"Key": "Team", "Value": "ml"}, {"Key": "cost", "Value": "7"}]
    context = asks("sagemaker", "create_training_job", **JOB, Tags=tags)[0].context
    assert context["aws:requesttag/team"] == ("ml",)
    assert context["aws:tagkeys"] == ("Team", "cost")


def test_tags_of_a_resource_are_condition_keys_under_both_names() -> None:
    environ, body = capture("sagemaker", "describe_model", ModelName="m")
    found = requests.asks(
        requests.read(environ, "sagemaker", lambda: body), REGION, {}, lambda resource: {"Team": "ml"}
    )
    assert found[0].context == {"aws:resourcetag/team": ("ml",), "sagemaker:resourcetag/team": ("ml",)}


def test_the_namespace_of_metrics_is_a_condition_key() -> None:
    data = [{"MetricName": "m", "Value": 1.0}]
    context = asks("cloudwatch", "put_metric_data", Namespace="mine", MetricData=data)[0].context
    assert context["cloudwatch:namespace"] == ("mine",)


def test_a_boundary_that_a_call_sets_is_a_condition_key() -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/b"
    context = asks("iam", "put_role_permissions_boundary", RoleName="r", PermissionsBoundary=boundary)[0].context
    assert context["iam:permissionsboundary"] == (boundary,)


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("sagemaker", "list_apps", {}),
        ("dynamodb", "list_tables", {}),
        ("iam", "list_users", {}),
        ("batch", "list_jobs", {}),
    ],
)
def test_an_operation_without_a_row_has_no_rule(service: str, operation: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(NoRuleError, match="localaws has no rule for"):
        asks(service, operation, **parameters)
