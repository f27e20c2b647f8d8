"""S3 buckets and the objects in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from localaws.pulumi_provider import assets
from localaws.pulumi_provider.aws import CallError, Context
from localaws.pulumi_provider.schema import AutoName, Hooks, Input, Properties, Read, ResourceType, TagStyle, each

GONE = ("404", "NoSuchBucket", "NoSuchKey", "NotFound")
BATCH_KEYS = 1000  # DeleteObjects takes no more
HOME_REGION = "us-east-1"  # the one region whose name CreateBucket must not be given


def _location(context: Context, _properties: Properties, request: dict[str, Any]) -> None:
    if context.region != HOME_REGION:
        request.setdefault("CreateBucketConfiguration", {})["LocationConstraint"] = context.region


def _empty(context: Context, state: Properties) -> None:
    """Removes all versions, delete markers and unfinished uploads, but only if the STATE says forceDestroy.

    Setting the flag and destroying in one go does nothing, as with the real provider: the flag must have been through
    an `up` first.
    """
    if state.get("forceDestroy"):
        _delete_versions(context, {"Bucket": state["bucket"]})
        _abort_uploads(context, state["bucket"])


def _delete_versions(context: Context, where: Mapping[str, str], only_key: str | None = None) -> None:
    """Deletes all versions and delete markers in a bucket, or those of one key."""
    prefix = {"Prefix": only_key} if only_key else {}
    found = context.call("ListObjectVersions", {**where, **prefix})
    versions = [*(found.get("Versions") or []), *(found.get("DeleteMarkers") or [])]
    names = [
        {"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions if only_key in (None, item["Key"])
    ]
    for start in range(0, len(names), BATCH_KEYS):
        batch = {"Objects": names[start : start + BATCH_KEYS], "Quiet": True}
        errors = context.call("DeleteObjects", {**where, "Delete": batch}).get("Errors") or []
        if errors:
            first = errors[0]
            raise CallError("DeleteObjects", first.get("Code", ""), f"{first.get('Key')}: {first.get('Message')}")


def _abort_uploads(context: Context, bucket: str) -> None:
    for upload in context.call("ListMultipartUploads", {"Bucket": bucket}).get("Uploads") or []:
        context.call("AbortMultipartUpload", {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]})


def _object_body(_context: Context, properties: Properties, request: dict[str, Any]) -> None:
    """Adds content and tags, which PutObject takes in forms of its own."""
    request["Body"] = assets.body(properties)
    if properties.get("tags"):
        request["Tagging"] = urlencode(properties["tags"])


def _object_state(_context: Context, state: Properties, found: Mapping[str, Any]) -> None:
    state["etag"] = found["ETag"].strip('"')


def _delete_object(context: Context, state: Properties) -> None:
    """Deletes the object; in a versioned bucket all its versions, as the real provider does."""
    if state.get("versionId") not in (None, "null"):
        _delete_versions(context, {"Bucket": state["bucket"]}, state["key"])
    else:
        context.call("DeleteObject", {"Bucket": state["bucket"], "Key": state["key"]})


BUCKET = ResourceType(
    token="aws:s3/bucket:Bucket",
    service="s3",
    create="CreateBucket",
    read=Read(operation="HeadBucket"),
    delete="DeleteBucket",
    key={"Bucket": "bucket"},
    id="{bucket}",
    import_id=r"(?P<bucket>[^/]+)",
    inputs={
        "bucket": Input(replaces=True, pattern=r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
        "forceDestroy": Input(local=True, kind="boolean", default=False),
        "objectLockEnabled": Input(api="ObjectLockEnabledForBucket", replaces=True),
    },
    derived={
        "arn": "arn:aws:s3:::{bucket}",
        "bucketDomainName": "{bucket}.s3.amazonaws.com",
        "bucketRegion": "{region}",
        "bucketRegionalDomainName": "{bucket}.s3.{region}.amazonaws.com",
    },
    auto_name=AutoName(property="bucket", prefix_property="bucketPrefix", limit=63, lower=True),
    tags=TagStyle(
        key={"Bucket": "bucket"},
        create=None,
        add="PutBucketTagging",
        add_member="Tagging.TagSet",
        remove="DeleteBucketTagging",
        remove_member=None,
        whole=True,
        list="GetBucketTagging",
        result="TagSet",
        none=("NoSuchTagSet",),
    ),
    gone=GONE,
    hooks=Hooks(prepare=_location, before_delete=_empty),
    refused=(
        "accelerationStatus",
        "acl",
        "bucketNamespace",
        "corsRules",
        "grants",
        "lifecycleRules",
        "logging",
        "objectLockConfiguration",
        "policy",
        "replicationConfiguration",
        "requestPayer",
        "serverSideEncryptionConfiguration",
        "versioning",
        "website",
    ),
)

OBJECT = ResourceType(
    token="aws:s3/bucketObjectv2:BucketObjectv2",
    service="s3",
    create="PutObject",
    read=Read(operation="HeadObject"),
    delete=None,
    key={"Bucket": "bucket", "Key": "key"},
    id="{bucket}/{key}",
    import_id=r"(?:s3://)?(?P<bucket>[^/]+)/(?P<key>.+)",
    inputs={
        "bucket": Input(required=True, replaces=True),
        "key": Input(replaces=True),
        **each(Input(local=True, uploaded=True), "content", "contentBase64", "source", "sourceHash"),
        "forceDestroy": Input(local=True, kind="boolean", default=False),
        "kmsKeyId": Input(api="SSEKMSKeyId"),
        "websiteRedirect": Input(api="WebsiteRedirectLocation"),
        **each(
            Input(),
            "bucketKeyEnabled",
            "cacheControl",
            "checksumAlgorithm",
            "contentDisposition",
            "contentEncoding",
            "contentLanguage",
            "contentType",
            "metadata",
            "serverSideEncryption",
            "storageClass",
        ),
    },
    outputs={"etag": "ETag", "versionId": "VersionId"},
    derived={"arn": "arn:aws:s3:::{bucket}/{key}"},
    volatile=("etag", "versionId"),
    upsert=True,
    auto_name=AutoName(property="key", limit=1024, random=False),
    tags=TagStyle(
        key={"Bucket": "bucket", "Key": "key"},
        create=None,
        add="PutObjectTagging",
        add_member="Tagging.TagSet",
        remove="DeleteObjectTagging",
        remove_member=None,
        whole=True,
        list="GetObjectTagging",
        result="TagSet",
    ),
    gone=GONE,
    hooks=Hooks(prepare=_object_body, after_read=_object_state, before_delete=_delete_object),
    refused=(
        "acl",
        "etag",
        "objectLockLegalHoldStatus",
        "objectLockMode",
        "objectLockRetainUntilDate",
        "overrideProvider",
    ),
)

ROWS = (BUCKET, OBJECT)
