"""What transform jobs do with their model's role, and what a caller of the newer inference calls needs."""

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import ACCOUNT, REGION, Aws, tar_gz, unique
from tests.unit.localaws.batch import BATCH_SERVER, done, outputs, server_log, transform
from tests.unit.localaws.iam.conftest import Worker
from tests.unit.localaws.iam.policy_texts import allow
from tests.unit.localaws.iam.role_clients import denied
from tests.unit.localaws.iam.test_platform import all_but, pull


@pytest.fixture(scope="module")
def image(aws: Aws) -> str:
    return aws.image({"serve": BATCH_SERVER})


def transform_permissions(aws: Aws, image: str) -> dict[str, list[dict[str, Any]]]:
    """What a transform job needs, by purpose."""
    bucket = f"arn:aws:s3:::{aws.bucket}"
    return {
        "pull": pull(image),
        "model": [allow("s3:GetObject", f"{bucket}/artifacts/*")],
        "list": [allow("s3:ListBucket", bucket, Condition={"StringLike": {"s3:prefix": "in/*"}})],
        "read": [allow("s3:GetObject", f"{bucket}/in/*")],
        "write": [allow("s3:PutObject", f"{bucket}/out/*")],
        "log": [allow("logs:*", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/sagemaker/TransformJobs*")],
    }


def start(aws: Aws, image: str, role: str) -> str:
    aws.put("in/a.csv", "x")
    name = unique("model")
    uri = aws.put(f"artifacts/{name}.tar.gz", tar_gz({"w": b"1"}))
    container = {"Image": image, "ModelDataUrl": uri}
    aws.client("sagemaker").create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
    return transform(aws, name, f"s3://{aws.bucket}/in/")


def test_a_transform_job_does_its_work_with_exactly_these_permissions(aws: Aws, image: str, worker: Worker) -> None:
    name = start(aws, image, worker(*all_but(transform_permissions(aws, image), "")).role)
    job = done(aws, name)
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert outputs(aws, name) == {"a.csv.out": b"X"}
    assert json.loads(server_log(aws, name)[0].removeprefix("env "))["SAGEMAKER_BATCH"] == "true"


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("read", r"ClientError: Data download failed: AccessDenied \(403\): User: \S+/SageMaker is not .*s3:GetObject"),
        ("write", r"ClientError: Output upload failed: AccessDenied \(403\): .*s3:PutObject"),
    ],
)
def test_a_transform_job_fails_when_its_models_role_may_not(
    aws: Aws, image: str, worker: Worker, missing: str, reason: str
) -> None:
    job = done(aws, start(aws, image, worker(*all_but(transform_permissions(aws, image), missing)).role))
    assert job["TransformJobStatus"] == "Failed"
    assert re.search(reason, job["FailureReason"]), job["FailureReason"]


def test_a_transform_job_is_refused_when_its_models_role_may_not_look(aws: Aws, image: str, worker: Worker) -> None:
    with pytest.raises(ClientError, match=r'No S3 objects found under S3 URL .* has "s3:ListBucket" permissions'):
        start(aws, image, worker(*all_but(transform_permissions(aws, image), "list")).role)


def test_callers_need_the_actions_of_transform_jobs(aws: Aws, image: str, worker: Worker) -> None:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:transform-job/mine-*"
    small = {"ForAllValues:StringEquals": {"sagemaker:InstanceTypes": ["ml.m5.large"]}}
    caller = worker(
        allow("sagemaker:CreateTransformJob", arn, Condition=small), allow("sagemaker:DescribeTransformJob", arn)
    ).client("sagemaker")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{aws.bucket}/in/"}
    request: dict[str, Any] = {
        "ModelName": "nothing",
        "TransformInput": {"DataSource": {"S3DataSource": source}},
        "TransformOutput": {"S3OutputPath": f"s3://{aws.bucket}/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    with pytest.raises(ClientError, match="Could not find model"):  # allowed, and then there is no such model
        caller.create_transform_job(TransformJobName="mine-1", **request)
    assert "sagemaker:CreateTransformJob" in denied(
        lambda: caller.create_transform_job(TransformJobName="other", **request)
    )
    large = {**request, "TransformResources": {"InstanceType": "ml.m5.24xlarge", "InstanceCount": 1}}
    denied(lambda: caller.create_transform_job(TransformJobName="mine-1", **large))
    with pytest.raises(ClientError, match="Could not find requested job"):
        caller.describe_transform_job(TransformJobName="mine-1")
    denied(lambda: caller.stop_transform_job(TransformJobName="mine-1"))
    denied(lambda: caller.list_transform_jobs())


def test_callers_need_the_action_of_a_response_stream(worker: Worker) -> None:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/mine"
    caller = worker(allow("sagemaker:InvokeEndpointWithResponseStream", arn)).client("sagemaker-runtime")
    with pytest.raises(ClientError, match="Endpoint mine of account 123456789012 not found"):
        caller.invoke_endpoint_with_response_stream(EndpointName="mine", Body=b"1")
    text = denied(lambda: caller.invoke_endpoint_with_response_stream(EndpointName="other", Body=b"1"))
    assert "sagemaker:InvokeEndpointWithResponseStream" in text
