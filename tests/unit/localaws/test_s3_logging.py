"""Access logs need a bucket whose policy lets S3's logging service write there."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws

PREFIX = "access/"


def statement(source: str, **change: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": ["s3:PutObject"],
        "Resource": f"arn:aws:s3:::logs/{PREFIX}*",
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source}"}},
    } | change


TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def switch_on(aws: Aws, *statements: dict[str, Any]) -> Any:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="logs")
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    s3.put_bucket_policy(Bucket="logs", Policy=json.dumps(document))
    status = {"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": PREFIX}}
    s3.put_bucket_logging(Bucket=aws.bucket, BucketLoggingStatus=status)
    return s3.get_bucket_logging(Bucket=aws.bucket)["LoggingEnabled"]


def test_a_policy_that_also_speaks_to_everybody_is_read(aws: Aws) -> None:
    assert switch_on(aws, TLS_ONLY, statement(aws.bucket))["TargetBucket"] == "logs"


@pytest.mark.parametrize(
    "change",
    [
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::another"}}},
        {"Effect": "Deny"},
        {"Principal": {"Service": "cloudtrail.amazonaws.com"}},
        {"Resource": "arn:aws:s3:::logs/elsewhere/*"},
    ],
)
def test_a_policy_that_does_not_let_this_bucket_in_is_refused(aws: Aws, change: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="InvalidTargetBucketForLogging"):
        switch_on(aws, TLS_ONLY, statement(aws.bucket, **change))
