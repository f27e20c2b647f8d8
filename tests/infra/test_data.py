"""The data store: guards, keys, audit, and where a data set comes from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.documents import Statement
from tests.infra.recorder import ACCOUNT, REGION, Declared

Declare = Callable[..., Any]
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EVERYTHING = {"kms_key": "own", "access_logs": True, "audit_events": True}
GUARDS = (
    "BucketPublicAccessBlock",
    "BucketOwnershipControls",
    "BucketVersioning",
    "BucketServerSideEncryptionConfiguration",
    "BucketLifecycleConfiguration",
    "BucketPolicy",
)


def named(declared: list[Declared], kind: str, name: str) -> Declared:
    (found,) = [one for one in declared if one.type.endswith(f":{kind}") and one.name == name]
    return found


def statements(one: Declared) -> list[Statement]:
    return list(json.loads(one.inputs["policy"])["Statement"])


def test_every_bucket_has_every_guard(declare: Declare) -> None:
    declared, _, _ = declare(storage=EVERYTHING)
    buckets = {one.name for one in declared if one.type == "aws:s3/bucket:Bucket"}
    assert buckets == {"slipway-dev-data", "slipway-dev-access-logs", "slipway-dev-trail-logs"}
    for kind in GUARDS:
        guarded = {one.inputs["bucket"].removesuffix("-abc1234") for one in declared if one.type.endswith(f":{kind}")}
        assert guarded == buckets, kind
    for one in declared:
        if one.type.endswith(":BucketPolicy"):
            tls = statements(one)[0]
            assert (tls["Effect"], tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_lifecycle_follows_the_settings(declare: Declare) -> None:
    declared, _, _ = declare(storage={"checkpoint_days": 3, "old_version_days": 9})
    general, checkpoints = named(declared, "BucketLifecycleConfiguration", "store-lifecycle").inputs["rules"]
    assert general["noncurrentVersionExpiration"] == {"noncurrentDays": 9}
    assert general["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
    assert (checkpoints["filter"], checkpoints["expiration"]) == ({"prefix": "checkpoints/"}, {"days": 3})


def test_without_a_key_s3_encrypts_and_nothing_about_kms_is_declared(declare: Declare) -> None:
    declared, _, _ = declare()
    (rule,) = named(declared, "BucketServerSideEncryptionConfiguration", "store-encryption").inputs["rules"]
    assert rule == {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
    assert not [one for one in declared if one.type.startswith("aws:kms")]


@pytest.mark.parametrize("protect", [False, True])
def test_the_own_key_rotates_and_has_an_alias(declare: Declare, protect: bool) -> None:
    declared, _, _ = declare(storage={"kms_key": "own"}, protect=protect)
    key = named(declared, "Key", "slipway-dev-key")
    assert key.inputs["enableKeyRotation"] is True
    assert (key.protect, key.inputs["deletionWindowInDays"]) == ((True, 30) if protect else (False, 7))
    assert named(declared, "Alias", "slipway-dev").inputs["targetKeyId"] == "slipway-dev-key-abc1234"
    (rule,) = named(declared, "BucketServerSideEncryptionConfiguration", "store-encryption").inputs["rules"]
    assert rule["bucketKeyEnabled"] is True
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"


def test_the_keys_policy_lets_services_in_for_this_stack_only(declare: Declare) -> None:
    declared, _, _ = declare(storage={"kms_key": "own"})
    root, *services = statements(named(declared, "Key", "slipway-dev-key"))
    assert root["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert {one["Principal"]["Service"] for one in services} == {
        "budgets.amazonaws.com",
        "cloudtrail.amazonaws.com",
        "cloudwatch.amazonaws.com",
    }
    for one in services:
        values = json.dumps(one["Condition"])
        # AWS documents the source of a budget's message as the account's budgets, without a name.
        of_stack = "slipway-dev" in values or one["Principal"]["Service"] == "budgets.amazonaws.com"
        assert of_stack and ACCOUNT in values


def test_a_key_of_the_users_is_used_as_it_is(declare: Declare) -> None:
    declared, _, _ = declare(storage={"kms_key": KEY, "audit_events": True})
    assert not [one for one in declared if one.type.startswith("aws:kms")]
    (rule,) = named(declared, "BucketServerSideEncryptionConfiguration", "store-encryption").inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["kmsMasterKeyId"] == KEY
    # Its policy may not let CloudTrail use it, and then the trail could not be made.
    assert "kmsKeyId" not in named(declared, "Trail", "slipway-dev-trail").inputs


def test_uploads_may_ask_for_no_encryption_or_for_the_buckets_own(declare: Declare) -> None:
    declared, _, _ = declare(storage={"kms_key": KEY})
    _, *denials = statements(named(declared, "BucketPolicy", "store-tls-only"))
    assert [one["Sid"] for one in denials] == ["ThisAlgorithm", "ThisKey", "NoKeyOfTheCaller"]
    for one in denials:
        assert set(one["Condition"]["Null"].values()) == {"false"}, "refused although no header was sent"
    assert denials[1]["Condition"]["StringNotEquals"] == {"s3:x-amz-server-side-encryption-aws-kms-key-id": KEY}


def test_access_logs_go_to_a_bucket_with_s3s_own_keys_from_the_data_bucket_only(declare: Declare) -> None:
    declared, _, _ = declare(storage=EVERYTHING)
    logging = named(declared, "BucketLogging", "store-access-logging")
    assert logging.inputs["bucket"] == "slipway-dev-data-abc1234"
    assert logging.inputs["targetBucket"] == "slipway-dev-access-logs-abc1234"
    encryption = named(declared, "BucketServerSideEncryptionConfiguration", "store-access-logs-encryption")
    assert encryption.inputs["rules"] == [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]
    _, delivery = statements(named(declared, "BucketPolicy", "store-access-logs-tls-only"))
    assert delivery["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert delivery["Condition"] == {
        "ArnLike": {"aws:SourceArn": "arn:aws:s3:::slipway-dev-data-abc1234"},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }
    assert "store-access-logs-tls-only" in logging.depends_on, "the logs' bucket must let them in first"


def test_the_trail_records_the_data_buckets_objects_and_nothing_else(declare: Declare) -> None:
    declared, _, _ = declare(storage=EVERYTHING, log_retention_days=90)
    trail = named(declared, "Trail", "slipway-dev-trail")
    (selector,) = trail.inputs["advancedEventSelectors"]
    fields = {one["field"]: one for one in selector["fieldSelectors"]}
    assert fields["eventCategory"]["equals"] == ["Data"]
    assert fields["resources.ARN"]["startsWiths"] == ["arn:aws:s3:::slipway-dev-data-abc1234/"]
    assert trail.inputs["enableLogFileValidation"] is True
    assert "store-trail-logs-tls-only" in trail.depends_on, "CloudTrail asks at once whether it may write"
    for statement in statements(named(declared, "BucketPolicy", "store-trail-logs-tls-only"))[1:]:
        assert statement["Condition"]["ArnLike"]["aws:SourceArn"].endswith(":trail/slipway-dev-trail-*")
    _, expire = named(declared, "BucketLifecycleConfiguration", "store-trail-logs-lifecycle").inputs["rules"]
    assert expire["expiration"] == {"days": 90}


def test_protection_keeps_every_buckets_objects(declare: Declare) -> None:
    declared, _, _ = declare(storage=EVERYTHING, protect=True)
    buckets = {one.name: one for one in declared if one.type == "aws:s3/bucket:Bucket"}
    assert not [one.name for one in buckets.values() if one.inputs["forceDestroy"]]
    assert [name for name, one in buckets.items() if one.protect] == ["slipway-dev-data"]


def test_a_local_folder_is_uploaded_by_content_and_trained_on(declare: Declare, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"cat")
    declared, _, actions = declare(data=str(tmp_path))
    ((_, sha256),) = [asked for asked in actions.asked if asked[0] == "upload"]
    (job,) = [one for one in declared if one.type.endswith(":TrainingJob")]
    (channel,) = job.inputs["inputDataConfigs"]
    uri = channel["dataSource"]["s3DataSource"]["s3Uri"]
    assert uri == f"s3://slipway-dev-data-abc1234/data/{sha256}/files/"
    assert not [one for one in declared if "cat" in one.name]


def test_a_preview_uploads_no_folder(declare: Declare, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"cat")
    _, _, actions = declare(preview=True, data=str(tmp_path))
    assert actions.asked == []


def test_a_folder_with_other_content_makes_another_run(declare: Declare, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"cat")
    _, before, _ = declare(data=str(tmp_path))
    (tmp_path / "cat.png").write_bytes(b"dog")
    _, after, _ = declare(data=str(tmp_path))
    assert before["run"] != after["run"]


def test_a_preview_loses_no_input(declare: Declare) -> None:
    up, _, _ = declare(storage=EVERYTHING)
    preview, _, _ = declare(preview=True, storage=EVERYTHING)

    def inputs(declared: list[Declared]) -> dict[str, set[str]]:
        kinds = ("aws:s3", "aws:kms", "aws:cloudtrail")
        return {f"{one.type} {one.name}": set(one.inputs) for one in declared if one.type.startswith(kinds)}

    assert inputs(preview) == inputs(up)
