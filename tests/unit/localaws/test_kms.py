"""KMS keys: the rules of AWS that moto leaves out."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, unique


@pytest.fixture
def key(aws: Aws) -> str:
    found: str = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    return found


def test_the_rotation_period_is_kept_and_a_year_unless_given(aws: Aws, key: str) -> None:
    kms = aws.client("kms")
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    kms.enable_key_rotation(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 365
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    found = kms.get_key_rotation_status(KeyId=key)
    assert (found["KeyRotationEnabled"], found["RotationPeriodInDays"]) == (True, 180)
    assert "NextRotationDate" in found
    kms.disable_key_rotation(KeyId=key)
    assert "RotationPeriodInDays" not in kms.get_key_rotation_status(KeyId=key)


def test_a_key_that_waits_for_its_deletion_cannot_be_used_or_deleted_again(aws: Aws, key: str) -> None:
    kms = aws.client("kms")
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    for call, request in (
        (kms.encrypt, {"Plaintext": b"x"}),
        (kms.generate_data_key, {"KeySpec": "AES_256"}),
        (kms.enable_key_rotation, {}),
        (kms.schedule_key_deletion, {"PendingWindowInDays": 7}),
    ):
        with pytest.raises(ClientError, match=r"KMSInvalidStateException.*is pending deletion"):
            call(KeyId=key, **request)
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    kms.encrypt(KeyId=key, Plaintext=b"x")


@pytest.mark.parametrize("days", [6, 31])
def test_the_deletion_window_is_7_to_30_days(aws: Aws, key: str, days: int) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*between 7 and 30"):
        aws.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=days)


def test_a_policy_must_be_json(aws: Aws, key: str) -> None:
    kms = aws.client("kms")
    with pytest.raises(ClientError, match="MalformedPolicyDocumentException"):
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy="{bad")
    with pytest.raises(ClientError, match="MalformedPolicyDocumentException"):
        kms.create_key(Policy="[]")


def test_aliases_of_aws_cannot_be_made(aws: Aws, key: str) -> None:
    kms, name = aws.client("kms"), f"alias/{unique('own')}"
    with pytest.raises(ClientError, match="NotAuthorizedException"):
        kms.create_alias(AliasName="alias/aws/mine", TargetKeyId=key)
    kms.create_alias(AliasName=name, TargetKeyId=key)
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == key


def test_keys_are_found_by_their_tags(aws: Aws) -> None:
    stack = unique("stack")
    tags: list[dict[str, Any]] = [{"TagKey": "slipway:stack", "TagValue": stack}]
    arn = aws.client("kms").create_key(Tags=tags)["KeyMetadata"]["Arn"]
    assert aws.tagged(stack) == [arn]
