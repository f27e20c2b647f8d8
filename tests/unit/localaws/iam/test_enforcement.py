"""Requests with a role's keys through the front: what is let through, and how each protocol says no."""

import json
import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import ACCOUNT, REGION, Aws, unique
from tests.unit.localaws.iam.conftest import Worker
from tests.unit.localaws.iam.policy_texts import allow, deny, document
from tests.unit.localaws.iam.role_clients import RoleClients, denied, role_keys

ALARM = {
    "AlarmName": "a",
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "Namespace": "n",
    "MetricName": "m",
    "Period": 60,
    "Threshold": 1.0,
    "Statistic": "Sum",
}


@pytest.fixture
def reader(aws: Aws, worker: Worker) -> RoleClients:
    """May read and list mine/ of the bucket, and write mine/out/."""
    aws.put("mine/a", "1")
    aws.put("other/b", "2")
    bucket = f"arn:aws:s3:::{aws.bucket}"
    return worker(
        allow("s3:GetObject", f"{bucket}/mine/*"),
        allow("s3:PutObject", f"{bucket}/mine/out/*"),
        allow("s3:ListBucket", bucket, Condition={"StringLike": {"s3:prefix": "mine/*"}}),
    )


def test_a_role_reads_and_writes_its_own_prefix(aws: Aws, reader: RoleClients) -> None:
    s3 = reader.client("s3")
    assert s3.get_object(Bucket=aws.bucket, Key="mine/a")["Body"].read() == b"1"
    s3.put_object(Bucket=aws.bucket, Key="mine/out/x", Body=b"1")
    assert s3.list_objects_v2(Bucket=aws.bucket, Prefix="mine/")["KeyCount"] >= 1
    s3.copy_object(Bucket=aws.bucket, Key="mine/out/copy", CopySource={"Bucket": aws.bucket, "Key": "mine/a"})


@pytest.mark.parametrize(
    ("operation", "parameters", "action"),
    [
        ("get_object", {"Key": "other/b"}, "s3:GetObject"),
        ("put_object", {"Key": "mine/b", "Body": b"x" * 3_000_000}, "s3:PutObject"),
        ("put_object", {"Key": "mine/out/b", "Body": b"x", "Tagging": "a=b"}, "s3:PutObjectTagging"),
        ("copy_object", {"Key": "mine/out/b", "CopySource": "{bucket}/other/b"}, "s3:GetObject"),
        ("delete_object", {"Key": "mine/out/x"}, "s3:DeleteObject"),
        ("list_objects_v2", {"Prefix": "other/"}, "s3:ListBucket"),
        ("list_objects_v2", {}, "s3:ListBucket"),
        ("list_object_versions", {"Prefix": "mine/"}, "s3:ListBucketVersions"),
        ("create_multipart_upload", {"Key": "other/b"}, "s3:PutObject"),
        ("get_bucket_policy", {}, "s3:GetBucketPolicy"),
        ("delete_bucket", {}, "s3:DeleteBucket"),
        ("get_object", {"Key": "mine/none"}, "s3:ListBucket"),
    ],
)
def test_a_role_is_denied_what_is_not_its_own(
    aws: Aws, reader: RoleClients, operation: str, parameters: dict[str, Any], action: str
) -> None:
    filled = {
        key: value.format(bucket=aws.bucket) if isinstance(value, str) else value for key, value in parameters.items()
    }
    text = denied(lambda: getattr(reader.client("s3"), operation)(Bucket=aws.bucket, **filled))
    assert f"is not authorized to perform: {action} on resource" in text
    assert text.endswith(f"because no identity-based policy allows the {action} action")
    assert reader.client("s3").get_object(Bucket=aws.bucket, Key="mine/a")["Body"].read() == b"1", (
        "connection out of step"
    )


def test_a_denied_head_has_a_status_only(aws: Aws, reader: RoleClients) -> None:
    with pytest.raises(ClientError, match=r"\(403\)"):
        reader.client("s3").head_object(Bucket=aws.bucket, Key="other/b")


def test_a_missing_bucket_is_no_denial(reader: RoleClients) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        reader.client("s3").get_object(Bucket=unique("nowhere"), Key="k")


def test_a_batch_delete_takes_only_what_the_role_may(aws: Aws, worker: Worker) -> None:
    aws.put("temporary/a", "1")
    aws.put("kept/b", "2")
    s3 = worker(allow("s3:DeleteObject", f"arn:aws:s3:::{aws.bucket}/temporary/*")).client("s3")
    answer = s3.delete_objects(Bucket=aws.bucket, Delete={"Objects": [{"Key": "temporary/a"}, {"Key": "kept/b"}]})
    assert [item["Key"] for item in answer["Deleted"]] == ["temporary/a"]
    assert [(item["Key"], item["Code"]) for item in answer["Errors"]] == [("kept/b", "AccessDenied")]
    assert aws.read(f"s3://{aws.bucket}/kept/b") == b"2"


def test_a_presigned_url_is_its_signers(aws: Aws, reader: RoleClients) -> None:
    def status(key: str) -> int:
        url = reader.client("s3").generate_presigned_url("get_object", Params={"Bucket": aws.bucket, "Key": key})
        try:
            return int(urllib.request.urlopen(url).status)
        except urllib.error.HTTPError as error:
            return int(error.code)

    assert (status("mine/a"), status("other/b")) == (200, 403)


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code", "status"),
    [
        ("s3", "list_buckets", {}, "AccessDenied", 403),
        ("sagemaker", "list_models", {}, "AccessDeniedException", 400),
        ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b"1"}, "AccessDeniedException", 403),
        ("logs", "describe_log_groups", {}, "AccessDeniedException", 400),
        ("iam", "list_roles", {}, "AccessDenied", 403),
        ("sns", "list_topics", {}, "AuthorizationError", 403),
        ("ec2", "describe_vpcs", {}, "UnauthorizedOperation", 403),
        ("cloudwatch", "put_metric_alarm", ALARM, "AccessDenied", 400),
        ("lambda", "list_functions", {}, "AccessDeniedException", 403),
        ("codebuild", "list_projects", {}, "AccessDeniedException", 400),
        ("resourcegroupstaggingapi", "get_resources", {}, "AccessDeniedException", 400),
    ],
)
def test_a_denial_has_the_code_of_its_service(
    worker: Worker, service: str, operation: str, parameters: dict[str, Any], code: str, status: int
) -> None:
    with pytest.raises(ClientError, match="is not authorized to perform") as caught:
        getattr(worker().client(service), operation)(**parameters)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


def test_a_denial_of_a_json_service_is_its_exception_class(worker: Worker) -> None:
    logs = worker().client("logs")
    with pytest.raises(logs.exceptions.ClientError, match="AccessDeniedException"):
        logs.create_log_group(logGroupName="/mine")


def test_an_operation_without_a_rule_is_denied_and_says_so(worker: Worker) -> None:
    text = denied(lambda: worker(allow("*")).client("sagemaker").list_apps())
    assert "localaws has no rule for ListApps of sagemaker" in text


def test_an_explicit_deny_wins_over_an_allow(worker: Worker) -> None:
    clients = worker(allow("*"), deny("logs:Describe*"))
    text = denied(lambda: clients.client("logs").describe_log_groups())
    assert text.endswith("with an explicit deny in an identity-based policy")
    assert clients.client("sagemaker").list_models()["Models"] is not None


def test_a_boundary_limits_what_policies_allow(aws: Aws, worker: Worker) -> None:
    text = json.dumps(document(allow("s3:*")))
    boundary = aws.client("iam").create_policy(PolicyName=unique("boundary"), PolicyDocument=text)["Policy"]["Arn"]
    clients = worker(allow("*"), PermissionsBoundary=boundary)
    assert clients.client("s3").list_buckets()["Buckets"]
    text = denied(lambda: clients.client("sagemaker").list_models())
    assert text.endswith("because no permissions boundary allows the sagemaker:ListModels action")


def test_an_attached_policy_counts_in_its_default_version(aws: Aws, worker: Worker) -> None:
    iam, clients = aws.client("iam"), worker()
    first = json.dumps(document(allow("sagemaker:ListModels")))
    arn = iam.create_policy(PolicyName=unique("attached"), PolicyDocument=first)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=clients.role.rsplit("/", 1)[-1], PolicyArn=arn)
    clients.client("sagemaker").list_models()
    second = json.dumps(document(allow("s3:*")))
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=second, SetAsDefault=True)
    denied(lambda: clients.client("sagemaker").list_models())


def test_passing_a_role_needs_pass_role_for_that_service(aws: Aws, worker: Worker) -> None:
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/none:v1"
    request: dict[str, Any] = {
        "ModelName": unique("m"),
        "PrimaryContainer": {"Image": image},
        "ExecutionRoleArn": aws.role,
    }
    create = allow("sagemaker:CreateModel")
    wrong = allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}})
    text = denied(lambda: worker(create, wrong).client("sagemaker").create_model(**request))
    assert f"iam:PassRole on resource: {aws.role} " in text
    right = allow(
        "iam:PassRole", aws.role, Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    )
    with pytest.raises(ClientError, match=r"ValidationException.*Cannot find repository"):
        worker(create, right).client("sagemaker").create_model(**request)


def test_tags_of_a_request_may_be_demanded(worker: Worker) -> None:
    condition = {"StringEquals": {"aws:RequestTag/team": "ml"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    ecr = worker(allow(["ecr:CreateRepository", "ecr:TagResource"], Condition=condition)).client("ecr")
    denied(lambda: ecr.create_repository(repositoryName=unique("r")))
    denied(lambda: ecr.create_repository(repositoryName=unique("r"), tags=[{"Key": "team", "Value": "other"}]))
    ecr.create_repository(repositoryName=unique("r"), tags=[{"Key": "team", "Value": "ml"}])


def test_tags_of_a_resource_may_be_demanded(aws: Aws, worker: Worker) -> None:
    names = {team: unique("r") for team in ("ml", "web")}
    for team, name in names.items():
        aws.client("ecr").create_repository(repositoryName=name, tags=[{"Key": "team", "Value": team}])
    ecr = worker(allow("ecr:*", Condition={"StringEquals": {"aws:ResourceTag/team": "ml"}})).client("ecr")
    ecr.list_images(repositoryName=names["ml"])
    denied(lambda: ecr.list_images(repositoryName=names["web"]))


def test_metrics_are_limited_by_namespace(worker: Worker) -> None:
    condition = {"StringEquals": {"cloudwatch:namespace": "mine"}}
    cloudwatch = worker(allow("cloudwatch:PutMetricData", Condition=condition)).client("cloudwatch")
    data = [{"MetricName": "m", "Value": 1.0}]
    cloudwatch.put_metric_data(Namespace="mine", MetricData=data)
    denied(lambda: cloudwatch.put_metric_data(Namespace="other", MetricData=data))


def test_a_bucket_policy_lets_a_role_in_and_keeps_it_out(aws: Aws, worker: Worker) -> None:
    bucket, clients = unique("shared"), worker()
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_object(Bucket=bucket, Key="k", Body=b"1")
    statement = {**allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"), "Principal": {"AWS": clients.role}}
    aws.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(document(statement)))
    assert clients.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    aws.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(document({**statement, "Effect": "Deny"})))
    everything = worker(allow("*"))
    assert everything.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    text = denied(lambda: clients.client("s3").get_object(Bucket=bucket, Key="k"))
    assert text.endswith("with an explicit deny in a resource-based policy")


def test_an_object_under_a_key_needs_both_policies(aws: Aws, worker: Worker) -> None:
    s3_only, clients = worker(allow("s3:*")), worker(allow("s3:*"), allow("kms:Decrypt"))
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    aws.client("s3").put_object(
        Bucket=aws.bucket, Key="secret", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    assert clients.client("s3").get_object(Bucket=aws.bucket, Key="secret")["Body"].read() == b"1"
    text = denied(lambda: s3_only.client("s3").get_object(Bucket=aws.bucket, Key="secret"))
    assert f"kms:Decrypt on resource: {key}" in text
    closed = {**allow("kms:*"), "Principal": {"AWS": s3_only.role}}
    aws.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(document(closed)))
    assert s3_only.client("s3").get_object(Bucket=aws.bucket, Key="secret")["Body"].read() == b"1"
    text = denied(lambda: clients.client("s3").get_object(Bucket=aws.bucket, Key="secret"))
    assert text.endswith("because no resource-based policy allows the kms:Decrypt action")


def test_a_policy_that_cannot_be_evaluated_lets_nobody_in_and_says_why(aws: Aws, worker: Worker) -> None:
    clients = worker(allow("s3:*", "arn:aws:s3:::${whoever}"), allow("s3:*"))
    text = denied(lambda: clients.client("s3").list_objects_v2(Bucket=aws.bucket))
    assert "policy variable ${whoever} is not known" in text


def test_who_am_i_cannot_be_denied(worker: Worker) -> None:
    clients = worker(deny("*"))
    name = clients.role.rsplit("/", 1)[-1]
    identity = clients.client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/trial"


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("sagemaker", "list_models", "UnrecognizedClientException"),
    ],
)
def test_unknown_temporary_keys_are_refused(aws: Aws, service: str, operation: str, code: str) -> None:
    client = boto3.client(
        service,
        endpoint_url=aws.url,
        region_name=REGION,
        aws_access_key_id="ASIAUNKNOWN",
        aws_secret_access_key="x",
        aws_session_token="x",
    )
    with pytest.raises(ClientError, match=code):
        getattr(client, operation)()


def test_the_keys_of_a_role_that_is_gone_are_refused(aws: Aws, worker: Worker) -> None:
    clients = worker()
    aws.client("iam").delete_role(RoleName=clients.role.rsplit("/", 1)[-1])
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        clients.client("sts").get_caller_identity()


def test_a_call_is_judged_as_what_it_is_routed_as(aws: Aws, worker: Worker) -> None:
    """A signature for S3 on a call with another service's target does not get around that service's rules."""
    keys = role_keys(aws.url, worker(allow("s3:*")).role)
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={keys['aws_access_key_id']}/20261121/{REGION}/s3/aws4_request",
        "X-Amz-Target": "SageMaker.ListModels",
    }
    request = urllib.request.Request(aws.url, data=b"{}", headers=headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert json.loads(caught.value.read())["__type"] == "AccessDeniedException"


def test_an_arn_in_a_path_names_its_resource(worker: Worker) -> None:
    arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/mine"
    text = denied(lambda: worker().client("scheduler").list_tags_for_resource(ResourceArn=arn))
    assert f"scheduler:ListTagsForResource on resource: {arn} " in text


def test_aws_s_own_managed_policies_can_be_attached_and_decide(aws: Aws, reader: RoleClients) -> None:
    iam, role = aws.client("iam"), reader.role.rsplit("/", 1)[1]
    iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
    read = {"Bucket": aws.bucket, "Key": "mine/a"}
    assert "explicit deny" in denied(lambda: reader.client("s3").get_object(**read))
    iam.detach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
    assert reader.client("s3").get_object(**read)["Body"].read() == b"1"
    below_a_path = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName=role, PolicyArn=below_a_path)
    for wrong in ("AWSDenyMost", "AWSLambdaBasicExecutionRole"):
        with pytest.raises(ClientError, match="NoSuchEntity"):
            iam.attach_role_policy(RoleName=role, PolicyArn=f"arn:aws:iam::aws:policy/{wrong}")
