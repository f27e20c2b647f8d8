"""S3: the actions behind methods, subresources, headers and copies."""

from collections.abc import Iterator
from typing import Any

import pytest

from localaws import s3
from localaws.cloud import GLOBAL, backend
from localaws.iam import s3_requests
from localaws.iam.requests import NoRuleError
from localaws.iam.statements import Ask
from tests.unit.localaws.aws import unique
from tests.unit.localaws.iam.captured import REGION, capture


@pytest.fixture
def bucket() -> Iterator[str]:
    name = unique("mapped")
    backend("s3", GLOBAL).create_bucket(name, REGION)
    s3.write(f"s3://{name}/k", b"1")
    yield name
    backend("s3", GLOBAL).buckets.pop(name)


def asks(operation: str, **parameters: Any) -> list[Ask]:
    environ, _ = capture("s3", operation, **parameters)
    return s3_requests.asks(environ, REGION, {})


def asked(operation: str, **parameters: Any) -> list[tuple[str, str]]:
    return [
        (ask.action.removeprefix("s3:"), ask.resource.removeprefix("arn:aws:s3:::"))
        for ask in asks(operation, **parameters)
    ]


@pytest.mark.parametrize(
    ("operation", "parameters", "action"),
    [
        ("list_objects_v2", {}, "ListBucket"),
        ("list_objects", {}, "ListBucket"),
        ("list_object_versions", {}, "ListBucketVersions"),
        ("list_multipart_uploads", {}, "ListBucketMultipartUploads"),
        ("head_bucket", {}, "ListBucket"),
        ("create_bucket", {"CreateBucketConfiguration": {"LocationConstraint": REGION}}, "CreateBucket"),
        ("delete_bucket", {}, "DeleteBucket"),
        ("get_bucket_location", {}, "GetBucketLocation"),
        ("get_bucket_versioning", {}, "GetBucketVersioning"),
        ("get_bucket_encryption", {}, "GetEncryptionConfiguration"),
        ("delete_bucket_encryption", {}, "PutEncryptionConfiguration"),
        ("get_bucket_lifecycle_configuration", {}, "GetLifecycleConfiguration"),
        ("delete_bucket_lifecycle", {}, "PutLifecycleConfiguration"),
        ("get_public_access_block", {}, "GetBucketPublicAccessBlock"),
        ("delete_public_access_block", {}, "PutBucketPublicAccessBlock"),
        ("get_bucket_ownership_controls", {}, "GetBucketOwnershipControls"),
        ("get_bucket_policy", {}, "GetBucketPolicy"),
        ("delete_bucket_policy", {}, "DeleteBucketPolicy"),
        ("get_bucket_tagging", {}, "GetBucketTagging"),
        ("delete_bucket_tagging", {}, "PutBucketTagging"),
        ("get_bucket_logging", {}, "GetBucketLogging"),
    ],
)
def test_a_call_about_a_bucket(bucket: str, operation: str, parameters: dict[str, Any], action: str) -> None:
    assert asked(operation, Bucket=bucket, **parameters) == [(action, bucket)]


@pytest.mark.parametrize(
    ("operation", "parameters", "action"),
    [
        ("get_object", {}, "GetObject"),
        ("head_object", {}, "GetObject"),
        ("get_object", {"VersionId": "1"}, "GetObjectVersion"),
        ("put_object", {"Body": b"1"}, "PutObject"),
        ("delete_object", {}, "DeleteObject"),
        ("delete_object", {"VersionId": "1"}, "DeleteObjectVersion"),
        ("get_object_tagging", {}, "GetObjectTagging"),
        ("put_object_tagging", {"Tagging": {"TagSet": []}}, "PutObjectTagging"),
        ("delete_object_tagging", {}, "DeleteObjectTagging"),
        ("create_multipart_upload", {}, "PutObject"),
        ("upload_part", {"UploadId": "u", "PartNumber": 1, "Body": b"1"}, "PutObject"),
        ("complete_multipart_upload", {"UploadId": "u", "MultipartUpload": {"Parts": []}}, "PutObject"),
        ("abort_multipart_upload", {"UploadId": "u"}, "AbortMultipartUpload"),
        ("list_parts", {"UploadId": "u"}, "ListMultipartUploadParts"),
        ("get_object_acl", {}, "GetObjectAcl"),
    ],
)
def test_a_call_about_an_object(bucket: str, operation: str, parameters: dict[str, Any], action: str) -> None:
    assert asked(operation, Bucket=bucket, Key="k", **parameters) == [(action, f"{bucket}/k")]


def test_listing_the_buckets_knows_no_resource() -> None:
    assert asked("list_buckets") == [("ListAllMyBuckets", "*")]


def test_a_copy_reads_its_source(bucket: str) -> None:
    found = asked("copy_object", Bucket=bucket, Key="new", CopySource={"Bucket": bucket, "Key": "a b/ü"})
    assert found == [("PutObject", f"{bucket}/new"), ("GetObject", f"{bucket}/a b/ü")]


def test_a_copy_of_a_version_reads_that_version(bucket: str) -> None:
    source = {"Bucket": bucket, "Key": "k", "VersionId": "1"}
    assert asked("copy_object", Bucket=bucket, Key="new", CopySource=source)[1] == ("GetObjectVersion", f"{bucket}/k")


def test_a_part_that_is_a_copy_reads_its_source(bucket: str) -> None:
    found = asked(
        "upload_part_copy",
        Bucket=bucket,
        Key="new",
        UploadId="u",
        PartNumber=1,
        CopySource={"Bucket": bucket, "Key": "k"},
    )
    assert found == [("PutObject", f"{bucket}/new"), ("GetObject", f"{bucket}/k")]


def test_tags_of_a_new_object_need_a_permission_of_their_own(bucket: str) -> None:
    found = asked("put_object", Bucket=bucket, Key="new", Body=b"", Tagging="a=b")
    assert [action for action, _ in found] == ["PutObject", "PutObjectTagging"]


def test_only_who_may_list_is_told_that_an_object_is_missing(bucket: str) -> None:
    assert asked("get_object", Bucket=bucket, Key="none") == [("GetObject", f"{bucket}/none"), ("ListBucket", bucket)]


def test_everybody_is_told_that_a_bucket_is_missing() -> None:
    assert asked("get_object", Bucket="there-is-no-such-bucket", Key="k") == []


def test_a_listing_carries_its_prefix_and_delimiter(bucket: str) -> None:
    context = asks("list_objects_v2", Bucket=bucket, Prefix="data/ü ", Delimiter="/", MaxKeys=5)[0].context
    assert context == {"s3:prefix": ("data/ü ",), "s3:delimiter": ("/",), "s3:max-keys": ("5",)}


def test_a_key_with_every_kind_of_letter(bucket: str) -> None:
    assert asked("put_object", Bucket=bucket, Key="a b/ü+%41?x", Body=b"")[0] == ("PutObject", f"{bucket}/a b/ü+%41?x")


def test_a_batch_delete_asks_for_each_object(bucket: str) -> None:
    objects = [{"Key": "a&b"}, {"Key": "c", "VersionId": "1"}]
    environ, body = capture("s3", "delete_objects", Bucket=bucket, Delete={"Objects": objects})
    assert s3_requests.asks(environ, REGION, {}) == []
    each = s3_requests.batch_delete(environ, lambda: body, {})
    assert each is not None
    found = [(ask.action, ask.resource) for ask in each()]
    arn = f"arn:aws:s3:::{bucket}"
    assert found == [("s3:DeleteObject", f"{arn}/a&b"), ("s3:DeleteObjectVersion", f"{arn}/c")]


def test_a_virtual_host_names_the_bucket() -> None:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/k", "HTTP_HOST": "mine.localhost:1", "QUERY_STRING": ""}
    found = s3_requests.place(environ)
    assert (found.bucket, found.key) == ("mine", "k")


def test_an_object_under_a_key_needs_the_key(bucket: str) -> None:
    key = backend("kms", REGION).create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", {}, False)
    s3.write(f"s3://{bucket}/secret", b"1", key.arn)
    read = asks("get_object", Bucket=bucket, Key="secret")[1]
    assert (read.action, read.resource) == ("kms:Decrypt", key.arn)
    assert read.context["kms:viaservice"] == (f"s3.{REGION}.amazonaws.com",)
    assert read.context["kms:encryptioncontext:aws:s3:arn"] == (f"arn:aws:s3:::{bucket}/secret",)
    written = asks("put_object", Bucket=bucket, Key="x", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=key.id)
    assert [(ask.action, ask.resource) for ask in written][1:] == [("kms:GenerateDataKey", key.arn)]


def test_a_bucket_with_a_default_key_needs_it_for_every_write(bucket: str) -> None:
    key = backend("kms", REGION).create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", {}, False)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key.arn}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": "true"}
    backend("s3", GLOBAL).put_bucket_encryption(bucket, {"Rule": rule})
    written = asks("put_object", Bucket=bucket, Key="x", Body=b"")[1]
    assert (written.action, written.resource) == ("kms:GenerateDataKey", key.arn)
    assert written.context["kms:encryptioncontext:aws:s3:arn"] == (f"arn:aws:s3:::{bucket}",)


def test_an_operation_without_a_row_has_no_rule(bucket: str) -> None:
    with pytest.raises(NoRuleError, match="localaws has no rule for"):
        asks("get_object_torrent", Bucket=bucket, Key="k")
