"""The home of Pulumi's state: safe from birth, the same however often it is asked for, and this account's own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from slipway.errors import SlipwayError
from slipway.project import Stack
from slipway.state.bootstrap import StateHome, ensure_state_home
from slipway.state.files import Bucket, Files, Folder, state_files

REGION = "eu-west-1"
BUCKET = f"slipway-state-123456789012-{REGION}"
Client = Callable[[str], Any]


@pytest.fixture
def client() -> Iterator[Client]:
    with mock_aws():
        yield lambda service: boto3.client(service, region_name=REGION)


def test_the_bucket_is_safe(client: Client) -> None:
    home = ensure_state_home(client, REGION)
    s3 = client("s3")
    assert home.bucket == BUCKET and home.made == ("key alias/slipway-state", f"bucket {BUCKET}")
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    default = rule["ApplyServerSideEncryptionByDefault"]
    assert (default["SSEAlgorithm"], default["KMSMasterKeyID"]) == ("aws:kms", home.key)
    assert set(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values()) == {True}
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (lifecycle,) = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert lifecycle["NoncurrentVersionExpiration"]["NoncurrentDays"] == 90 and "Expiration" not in lifecycle
    kms = client("kms")
    assert kms.get_key_rotation_status(KeyId=home.key)["KeyRotationEnabled"]


def test_once_more_changes_nothing_and_mends_what_was_loosened(client: Client) -> None:
    first = ensure_state_home(client, REGION)
    client("s3").delete_public_access_block(Bucket=BUCKET)
    client("kms").disable_key_rotation(KeyId=first.key)
    second = ensure_state_home(client, REGION)
    assert (second.made, second.key, second.bucket) == ((), first.key, first.bucket)
    assert client("s3").get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"]
    assert client("kms").get_key_rotation_status(KeyId=first.key)["KeyRotationEnabled"]


def test_a_key_that_is_being_deleted_is_told(client: Client) -> None:
    home = ensure_state_home(client, REGION)
    client("kms").schedule_key_deletion(KeyId=home.key.rsplit("/", 1)[1])
    with pytest.raises(SlipwayError, match=r"is in state PendingDeletion.*cancel-key-deletion"):
        ensure_state_home(client, REGION)


def test_a_bucket_of_somebody_elses_with_our_name_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_state_home(client, REGION)
    identity = {"Account": "123456789012"}

    class Squatted:
        """S3 as it answers whoever expects to own a bucket that belongs to another account."""

        def __init__(self, real: Any) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def head_bucket(self, **words: Any) -> None:
            assert words["ExpectedBucketOwner"] == identity["Account"]
            raise self._real.exceptions.ClientError(
                {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "HeadBucket"
            )

    def other(service: str) -> Any:
        return Squatted(client(service)) if service == "s3" else client(service)

    with pytest.raises(SlipwayError, match="belongs to another account"):
        ensure_state_home(other, REGION)


def test_the_addresses_for_pulumi() -> None:
    home = StateHome(account="1", region="eu-west-1", bucket="b", key="k", made=())
    assert home.backend_url == "s3://b?region=eu-west-1&awssdk=v2"
    assert home.secrets_provider == "awskms://alias/slipway-state?region=eu-west-1&awssdk=v2"


@pytest.mark.parametrize("kind", ["folder", "bucket", "bucket with a prefix"])
def test_files_of_both_kinds_of_backend_behave_alike(kind: str, client: Client, tmp_path: Path) -> None:
    client("s3").create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})
    files: Files = (
        Folder(tmp_path) if kind == "folder" else Bucket(client("s3"), "state", "/a/b" if "p" in kind else "")
    )
    assert files.names("x") == [] and files.read("x/one") is None
    files.write("x/one", b"1")
    files.write("x/deep/two", b"2")
    files.write("xy/three", b"3")
    assert sorted(files.names("x")) == ["x/deep/two", "x/one"]
    assert files.read("x/one") == b"1"
    files.delete("x/one")
    files.delete("x/one")
    assert files.names("x") == ["x/deep/two"]


def test_the_backend_is_read_from_its_address(tmp_path: Path) -> None:
    environment = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    stack = Stack(root=tmp_path, project="slipway", name="dev", region=REGION, environment=environment)
    assert isinstance(state_files(stack), Folder)
    environment["PULUMI_BACKEND_URL"] = "s3://state/prefix?region=eu-west-1&awssdk=v2"
    assert isinstance(state_files(stack), Bucket)
