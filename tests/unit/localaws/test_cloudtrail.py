"""CloudTrail: the rules of AWS that moto leaves out."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import ACCOUNT, Aws, unique

DATA = {"Field": "eventCategory", "Equals": ["Data"]}
OBJECTS = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}


@pytest.fixture(scope="module")
def bucket(aws: Aws) -> str:
    name = unique("trail-logs")
    aws.client("s3").create_bucket(Bucket=name)
    principal = {"Service": "cloudtrail.amazonaws.com"}
    statements = [
        {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": f"arn:aws:s3:::{name}{path}"}
        for action, path in (("s3:GetBucketAcl", ""), ("s3:PutObject", f"/AWSLogs/{ACCOUNT}/*"))
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    aws.client("s3").put_bucket_policy(Bucket=name, Policy=policy)
    return name


def create(aws: Aws, bucket: str, **extra: Any) -> str:
    found: str = aws.client("cloudtrail").create_trail(Name=unique("trail"), S3BucketName=bucket, **extra)["TrailARN"]
    return found


def test_the_buckets_policy_must_let_cloudtrail_in(aws: Aws, bucket: str) -> None:
    plain = unique("plain")
    aws.client("s3").create_bucket(Bucket=plain)
    with pytest.raises(ClientError, match=rf"InsufficientS3BucketPolicyException.*detected for bucket: {plain}"):
        create(aws, plain)
    with pytest.raises(ClientError, match="InsufficientS3BucketPolicyException"):
        create(aws, bucket, S3KeyPrefix="elsewhere")  # the policy allows AWSLogs/ at the top only
    with pytest.raises(ClientError, match="S3BucketDoesNotExistException"):
        create(aws, unique("nothing"))


def test_trail_names_are_unique(aws: Aws, bucket: str) -> None:
    trail, name = aws.client("cloudtrail"), unique("trail")
    trail.create_trail(Name=name, S3BucketName=bucket)
    with pytest.raises(ClientError, match="TrailAlreadyExistsException"):
        trail.create_trail(Name=name, S3BucketName=bucket)


def test_a_trail_is_deleted_by_its_arn_with_its_tags(aws: Aws, bucket: str) -> None:
    trail, stack = aws.client("cloudtrail"), unique("stack")
    arn = create(aws, bucket, TagsList=[{"Key": "slipway:stack", "Value": stack}])
    assert aws.tagged(stack) == [arn]
    trail.delete_trail(Name=arn)
    assert aws.tagged(stack) == []
    for call in (trail.get_trail, trail.delete_trail, trail.get_trail_status):
        with pytest.raises(ClientError, match="TrailNotFoundException"):
            call(Name=arn)


def test_basic_and_advanced_selectors_replace_each_other(aws: Aws, bucket: str) -> None:
    trail, arn = aws.client("cloudtrail"), create(aws, bucket)
    assert trail.get_trail(Name=arn)["Trail"]["HasCustomEventSelectors"] is False
    advanced = [{"Name": "objects", "FieldSelectors": [DATA, OBJECTS]}]
    trail.put_event_selectors(TrailName=arn, AdvancedEventSelectors=advanced)
    assert trail.get_event_selectors(TrailName=arn)["AdvancedEventSelectors"] == advanced
    assert trail.get_trail(Name=arn)["Trail"]["HasCustomEventSelectors"] is True
    values = [f"arn:aws:s3:::{bucket}/"]
    basic = {"ReadWriteType": "All", "DataResources": [{"Type": "AWS::S3::Object", "Values": values}]}
    trail.put_event_selectors(TrailName=arn, EventSelectors=[basic])
    assert not trail.get_event_selectors(TrailName=arn).get("AdvancedEventSelectors")


def test_a_trail_is_updated_and_logs_when_told_to(aws: Aws, bucket: str) -> None:
    trail, arn = aws.client("cloudtrail"), create(aws, bucket)
    trail.update_trail(Name=arn, EnableLogFileValidation=True)
    found = trail.get_trail(Name=arn)["Trail"]
    assert (found["LogFileValidationEnabled"], found["HomeRegion"]) == (True, "us-east-1")
    assert trail.get_trail_status(Name=arn)["IsLogging"] is False
    trail.start_logging(Name=arn)
    assert trail.get_trail_status(Name=arn)["IsLogging"] is True
    trail.stop_logging(Name=arn)
    assert trail.get_trail_status(Name=arn)["IsLogging"] is False
