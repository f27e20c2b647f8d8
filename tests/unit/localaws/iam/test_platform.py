"""What SageMaker and CodeBuild do with a role is judged too, and a denial becomes the reason that AWS shows."""

import io
import json
import re
import urllib.error
import zipfile
from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import ACCOUNT, ECHO_SERVER, REGION, REGISTRY, Aws, tar_gz, unique, wait_for
from tests.unit.localaws.iam.conftest import Worker
from tests.unit.localaws.iam.policy_texts import allow

TRAIN = """#!/usr/bin/env python3
import os, pathlib
import boto3
ml = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
print("I am", boto3.client("sts").get_caller_identity()["Arn"], "in", os.environ["AWS_REGION"])
(ml / "model/w").write_text("1")
(ml / "checkpoints/one").write_text("1")
"""
SERVE = ECHO_SERVER.replace('"name": os.environ.get("NAME", "")', '"name": os.environ.get("AWS_ACCESS_KEY_ID", "")')


@pytest.fixture(scope="module")
def image(aws: Aws) -> str:
    return aws.image({"train": TRAIN, "serve": SERVE})


def pull(image: str) -> list[dict[str, Any]]:
    repository = image.split("/", 1)[1].split(":")[0]
    actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    return [
        allow(actions, f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}"),
        allow("ecr:GetAuthorizationToken"),
    ]


def job_permissions(aws: Aws, image: str) -> dict[str, list[dict[str, Any]]]:
    """What a training job of `train` needs, by purpose."""
    bucket = f"arn:aws:s3:::{aws.bucket}"
    return {
        "pull": pull(image),
        "list": [allow("s3:ListBucket", bucket, Condition={"StringLike": {"s3:prefix": ["in/*", "check/*"]}})],
        "read": [allow("s3:GetObject", [f"{bucket}/in/*", f"{bucket}/check/*"])],
        "write": [allow("s3:PutObject", f"{bucket}/out/*")],
        "checkpoint": [allow(["s3:PutObject", "s3:DeleteObject"], f"{bucket}/check/*")],
        "log": [allow("logs:*", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/sagemaker/TrainingJobs*")],
    }


def start(aws: Aws, image: str, role: str) -> str:
    aws.put("in/a.csv", "1")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{aws.bucket}/in/", "S3DataDistributionType": "FullyReplicated"}
    return aws.train(
        image,
        RoleArn=role,
        InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
        CheckpointConfig={"S3Uri": f"s3://{aws.bucket}/check/{unique('c')}"},
    )


def all_but(permissions: dict[str, list[dict[str, Any]]], missing: str) -> list[dict[str, Any]]:
    return [statement for purpose, found in permissions.items() if purpose != missing for statement in found]


def test_a_job_does_its_work_with_exactly_these_permissions_and_as_its_role(
    aws: Aws, image: str, worker: Worker
) -> None:
    role = worker(*all_but(job_permissions(aws, image), "")).role
    name = start(aws, image, role)
    job = aws.job_done(name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rsplit('/', 1)[-1]}/SageMaker"
    assert aws.job_log(name) == [f"I am {session} in {REGION}"]


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (
            "read",
            r"ClientError: Data download failed: AccessDenied \(403\): User: \S+/SageMaker is not .*s3:GetObject",
        ),
        ("write", r"ClientError: Artifact upload failed: AccessDenied \(403\): .*s3:PutObject"),
        ("checkpoint", r"ClientError: Data download failed: AccessDenied \(403\): .*s3:PutObject .*/check/"),
    ],
)
def test_a_job_fails_with_aws_reason_when_its_role_may_not(
    aws: Aws, image: str, worker: Worker, missing: str, reason: str
) -> None:
    job = aws.job_done(start(aws, image, worker(*all_but(job_permissions(aws, image), missing)).role))
    assert job["TrainingJobStatus"] == "Failed"
    assert re.search(reason, job["FailureReason"]), job["FailureReason"]


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("list", 'No S3 objects found under S3 URL .* has "s3:ListBucket" permissions'),
        ("pull", "has proper pull permissions for SageMaker: ecr:BatchCheckLayerAvailability"),
    ],
)
def test_a_job_is_refused_at_the_call_when_its_role_may_not_look(
    aws: Aws, image: str, worker: Worker, missing: str, message: str
) -> None:
    with pytest.raises(ClientError, match=f"ValidationException.*{message}"):
        start(aws, image, worker(*all_but(job_permissions(aws, image), missing)).role)


def test_a_job_that_may_not_log_runs_all_the_same(aws: Aws, image: str, worker: Worker) -> None:
    name = start(aws, image, worker(*all_but(job_permissions(aws, image), "log")).role)
    assert aws.job_done(name)["TrainingJobStatus"] == "Completed"
    assert aws.job_log(name) == []


def create_model(aws: Aws, image: str, role: str) -> str:
    name = unique("model")
    uri = aws.put(f"artifacts/{name}.tar.gz", tar_gz({"w": b"1"}))
    container = {"Image": image, "ModelDataUrl": uri}
    aws.client("sagemaker").create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
    return name


def deploy(aws: Aws, model: str) -> dict[str, Any]:
    variant = {"VariantName": "main", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    aws.client("sagemaker").create_endpoint_config(EndpointConfigName=model, ProductionVariants=[variant])
    return aws.settled(aws.endpoint(model))


def test_a_model_needs_a_role_that_reads_its_artifact(aws: Aws, image: str, worker: Worker) -> None:
    with pytest.raises(ClientError, match=r'Could not access model data at s3://.* has "s3:GetObject" permissions'):
        create_model(aws, image, worker(*pull(image)).role)


def test_an_endpoint_serves_with_the_keys_of_its_role(aws: Aws, image: str, worker: Worker) -> None:
    role = worker(*pull(image), allow("s3:GetObject", f"arn:aws:s3:::{aws.bucket}/artifacts/*")).role
    endpoint = deploy(aws, create_model(aws, image, role))
    assert endpoint["EndpointStatus"] == "InService", endpoint.get("FailureReason")
    assert aws.invoke(endpoint["EndpointName"])["name"].startswith("ASIA")
    arn = endpoint["EndpointArn"]
    caller = worker(allow("sagemaker:InvokeEndpoint", arn)).client("sagemaker-runtime")
    assert caller.invoke_endpoint(EndpointName=endpoint["EndpointName"], Body=b"1")["Body"].read()
    aws.client("sagemaker").delete_endpoint(EndpointName=endpoint["EndpointName"])


def test_an_endpoint_fails_when_its_role_has_lost_the_artifact(aws: Aws, image: str, worker: Worker) -> None:
    clients = worker(*pull(image), allow("s3:GetObject", f"arn:aws:s3:::{aws.bucket}/artifacts/*"))
    model = create_model(aws, image, clients.role)
    name = clients.role.rsplit("/", 1)[-1]
    aws.client("iam").delete_role_policy(RoleName=name, PolicyName="own")
    endpoint = deploy(aws, model)
    assert endpoint["EndpointStatus"] == "Failed"
    assert endpoint["FailureReason"].startswith("AccessDenied: User: ")
    aws.client("sagemaker").delete_endpoint(EndpointName=endpoint["EndpointName"])


BUILDSPEC = """
version: 0.2
phases:
  pre_build:
    commands: [aws ecr get-login-password | docker login --username AWS --password-stdin x]
  build:
    commands: ['docker build -t $IMAGE . && docker push $IMAGE']
"""


def build(aws: Aws, worker: Worker, missing: str) -> dict[str, Any]:
    name, repository, archive = unique("project"), unique("repo"), io.BytesIO()
    aws.client("ecr").create_repository(repositoryName=repository)
    with zipfile.ZipFile(archive, "w") as source:
        source.writestr("Dockerfile", "FROM scratch\nCOPY Dockerfile /here\n")
    aws.put(f"code/{name}.zip", archive.getvalue())
    push = ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage", "BatchCheckLayerAvailability"]
    arn = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}"
    permissions = {
        "source": [allow("s3:GetObject", f"arn:aws:s3:::{aws.bucket}/code/*")],
        "log": [allow("logs:*", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/codebuild/{name}*")],
        "login": [allow("ecr:GetAuthorizationToken")],
        "push": [allow([f"ecr:{action}" for action in push], arn)],
    }
    codebuild = aws.client("codebuild")
    codebuild.create_project(
        name=name,
        source={"type": "S3", "location": f"{aws.bucket}/code/{name}.zip", "buildspec": BUILDSPEC},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "IMAGE", "value": f"{REGISTRY}/{repository}:v1"}],
        },
        serviceRole=worker(*all_but(permissions, missing)).role,
    )
    started = codebuild.start_build(projectName=name)["build"]["id"]
    found: dict[str, Any] = wait_for(
        lambda: (done := codebuild.batch_get_builds(ids=[started])["builds"][0])["buildComplete"] and done, "the build"
    )
    found["log"] = "\n".join(aws.log(f"/aws/codebuild/{name}", started.rpartition(":")[2]))
    return found


def test_a_build_does_its_work_with_exactly_these_permissions(aws: Aws, worker: Worker) -> None:
    found = build(aws, worker, "")
    assert found["buildStatus"] == "SUCCEEDED", found["log"]


@pytest.mark.parametrize(
    ("missing", "phase", "status", "message"),
    [
        ("source", "DOWNLOAD_SOURCE", "CLIENT_ERROR", "AccessDenied: Access Denied status code: 403"),
        (
            "log",
            "SUBMITTED",
            "ACCESS_DENIED",
            "does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams",
        ),
        ("push", "BUILD", "COMMAND_EXECUTION_ERROR", "exit status 125"),
        ("login", "PRE_BUILD", "COMMAND_EXECUTION_ERROR", "exit status 125"),
    ],
)
def test_a_build_fails_in_the_phase_that_its_role_may_not_do(
    aws: Aws, worker: Worker, missing: str, phase: str, status: str, message: str
) -> None:
    found = build(aws, worker, missing)
    failed = next(item for item in found["phases"] if item.get("phaseStatus") == "FAILED")
    assert (found["buildStatus"], failed["phaseType"]) == ("FAILED", phase)
    assert failed["contexts"][0]["statusCode"] == status
    assert message in failed["contexts"][0]["message"]
    if missing == "push":
        assert "denied: User: " in found["log"]
        assert "ecr:InitiateLayerUpload" in found["log"]


def test_a_model_in_a_vpc_needs_a_role_that_makes_network_interfaces(aws: Aws, image: str, worker: Worker) -> None:
    role = worker(*pull(image), allow("s3:*")).role
    with pytest.raises(ClientError, match=r"lacks a permission for VpcConfig: .*ec2:CreateNetworkInterface"):
        aws.client("sagemaker").create_model(
            ModelName=unique("m"),
            PrimaryContainer={"Image": image},
            ExecutionRoleArn=role,
            VpcConfig={"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        )


@pytest.mark.parametrize("own", [True, False])
def test_network_interfaces_may_be_limited_to_a_vpc(aws: Aws, image: str, worker: Worker, own: bool) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName=unique("jobs"), Description="jobs", VpcId=vpc)["GroupId"]
    there = f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/{vpc if own else 'vpc-another'}"
    changes = ["CreateNetworkInterface", "CreateNetworkInterfacePermission"]
    changes += ["DeleteNetworkInterface", "DeleteNetworkInterfacePermission"]
    inside = [allow(f"ec2:{name}", "*", Condition={"ArnEquals": {"ec2:Vpc": there}}) for name in changes]
    role = worker(*pull(image), allow("s3:*"), allow("ec2:Describe*", "*"), *inside).role

    refusal = nullcontext() if own else pytest.raises(ClientError, match="ec2:CreateNetworkInterface")
    with refusal:
        aws.client("sagemaker").create_model(
            ModelName=unique("m"),
            PrimaryContainer={"Image": image},
            ExecutionRoleArn=role,
            VpcConfig={"Subnets": [subnet], "SecurityGroupIds": [group]},
        )
    ec2.delete_security_group(GroupId=group)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_the_trial_keys_are_for_roles_that_exist(aws: Aws) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        aws.post("/_localaws/credentials", {"role": "arn:aws:iam::1:role/nobody"})
    assert "there is no such role" in json.loads(caught.value.read())["message"]
