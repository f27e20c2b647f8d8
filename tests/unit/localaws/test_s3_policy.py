"""A bucket's policy for requests that nobody signed, and for the administrator, as AWS reads it."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.iam.evaluator import Verdict
from localaws.s3_policy import anonymous
from tests.unit.localaws.aws import Aws, unique

DENIED, ALLOWED = Verdict.EXPLICIT_DENY, Verdict.ALLOWED


@pytest.mark.parametrize(
    ("effect", "condition", "expected"),
    [
        ("Deny", {}, DENIED),
        ("Deny", {"Bool": {"aws:SecureTransport": "false"}}, None),
        ("Deny", {"Bool": {"AWS:securetransport": ["false"]}}, None),
        ("Deny", {"BoolIfExists": {"aws:SecureTransport": False}}, None),
        ("Deny", {"Bool": {"aws:SecureTransport": "true"}}, DENIED),
        ("Deny", {"StringEquals": {"aws:PrincipalAccount": "1"}}, None),
        ("Deny", {"NoSuchOperator": {"aws:PrincipalAccount": "1"}}, DENIED),
        ("Allow", {}, ALLOWED),
        ("Allow", {"StringEquals": {"aws:PrincipalAccount": "1"}}, None),
    ],
)
def test_a_statement_applies_to_the_anonymous_only_when_its_conditions_hold(
    effect: str, condition: dict[str, Any], expected: Verdict | None
) -> None:
    statement = {"Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": condition}
    assert anonymous(json.dumps({"Statement": statement}), "s3:GetObject", "arn:aws:s3:::b/k") is expected


@pytest.fixture
def bucket(aws: Aws) -> str:
    name = unique("guarded")
    aws.client("s3").create_bucket(Bucket=name)
    aws.client("s3").put_object(Bucket=name, Key="public/a", Body=b"1")
    return name


def put_policy(aws: Aws, bucket: str, **statement: Any) -> None:
    whole = {"Principal": "*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"], **statement}
    document = json.dumps({"Version": "2012-10-17", "Statement": [whole]})
    aws.client("s3").put_bucket_policy(Bucket=bucket, Policy=document)


def test_a_tls_only_policy_does_not_keep_the_loopback_out(aws: Aws, bucket: str) -> None:
    put_policy(aws, bucket, Effect="Deny", Action="s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})
    assert aws.read(f"s3://{bucket}/public/a") == b"1"


def test_a_policys_deny_holds_for_the_administrator_but_not_for_the_policy_itself(aws: Aws, bucket: str) -> None:
    put_policy(aws, bucket, Effect="Deny", Action="s3:*")
    with pytest.raises(ClientError, match=r"AccessDenied.*explicit deny in a resource-based policy"):
        aws.read(f"s3://{bucket}/public/a")
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("s3").list_objects_v2(Bucket=bucket)
    aws.client("s3").delete_bucket_policy(Bucket=bucket)
    assert aws.read(f"s3://{bucket}/public/a") == b"1"


def test_a_deny_names_whom_it_means(aws: Aws, bucket: str) -> None:
    put_policy(aws, bucket, Effect="Deny", Action="s3:GetObject", Principal={"AWS": aws.role})
    assert aws.read(f"s3://{bucket}/public/a") == b"1"


def test_a_batch_delete_answers_for_each_object(aws: Aws, bucket: str) -> None:
    aws.put("x", "")
    aws.client("s3").put_object(Bucket=bucket, Key="kept/b", Body=b"2")
    put_policy(aws, bucket, Effect="Deny", Action="s3:DeleteObject", Resource=f"arn:aws:s3:::{bucket}/kept/*")
    both = {"Objects": [{"Key": "public/a"}, {"Key": "kept/b"}]}
    answer = aws.client("s3").delete_objects(Bucket=bucket, Delete=both)
    assert [item["Key"] for item in answer["Deleted"]] == ["public/a"]
    assert [(item["Key"], item["Code"]) for item in answer["Errors"]] == [("kept/b", "AccessDenied")]


def test_an_unsigned_request_is_judged_by_the_policy_alone(aws: Aws, bucket: str) -> None:
    put_policy(aws, bucket, Effect="Deny", Action="s3:GetObject")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{aws.url}/{bucket}/public/a")
    put_policy(aws, bucket, Effect="Allow", Action="s3:GetObject")
    with urllib.request.urlopen(f"{aws.url}/{bucket}/public/a") as answer:
        assert answer.read() == b"1"
