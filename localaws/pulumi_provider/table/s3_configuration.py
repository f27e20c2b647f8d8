"""The settings of an S3 bucket, each a resource of its own. Their Put operations replace the whole setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localaws.pulumi_provider.aws import Context
from localaws.pulumi_provider.schema import Form, Hooks, Input, Member, Properties, Read, ResourceType

_BUCKET = Input(api="Bucket", required=True, replaces=True)
_KEY = {"Bucket": "bucket"}
_IMPORT_ID = r"(?P<bucket>[^/,]+)"
NO_BUCKET = "NoSuchBucket"


def _suspend(context: Context, state: Properties) -> None:
    """Versioning cannot be removed from a bucket, only suspended; one that never had it is left alone."""
    if (state.get("versioningConfiguration") or {}).get("status") == "Enabled":
        context.call(
            "PutBucketVersioning", {"Bucket": state["bucket"], "VersioningConfiguration": {"Status": "Suspended"}}
        )


def _delete_public_access_block(context: Context, state: Properties) -> None:
    if not state.get("skipDestroy"):
        context.call("DeletePublicAccessBlock", {"Bucket": state["bucket"]})


def _stop_logging(context: Context, state: Properties) -> None:
    """There is no operation that deletes the setting: an empty one switches logging off."""
    context.call("PutBucketLogging", {"Bucket": state["bucket"], "BucketLoggingStatus": {}})


def _with_filter(_context: Context, _properties: Properties, request: dict[str, Any]) -> None:
    """A rule with neither filter nor prefix covers all objects, which S3 wants said with an empty prefix."""
    for rule in request.get("LifecycleConfiguration", {}).get("Rules", []):
        if not rule.get("Filter") and "Prefix" not in rule:
            rule["Filter"] = {"Prefix": ""}


def _versioning_state(_context: Context, state: Properties, found: Mapping[str, Any]) -> None:
    """S3 says nothing of a bucket that never had versions; pulumi-aws calls that `Disabled`."""
    state.setdefault("versioningConfiguration", {"status": "Disabled"})


VERSIONING = ResourceType(
    token="aws:s3/bucketVersioning:BucketVersioning",
    service="s3",
    create="PutBucketVersioning",
    read=Read(operation="GetBucketVersioning"),
    delete=None,
    key=_KEY,
    id="{bucket}",
    import_id=_IMPORT_ID,
    inputs={
        "bucket": _BUCKET,
        "expectedBucketOwner": Input(replaces=True),
        "mfa": Input(api="MFA"),
        "versioningConfiguration": Input(required=True, read="Status && @"),
    },
    upsert=True,
    gone=(NO_BUCKET,),
    hooks=Hooks(after_read=_versioning_state, before_delete=_suspend),
)

ENCRYPTION = ResourceType(
    token="aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    service="s3",
    create="PutBucketEncryption",
    read=Read(operation="GetBucketEncryption"),
    delete="DeleteBucketEncryption",
    key=_KEY,
    id="{bucket}",
    import_id=_IMPORT_ID,
    inputs={
        "bucket": _BUCKET,
        "expectedBucketOwner": Input(replaces=True),
        "rules": Input(api="ServerSideEncryptionConfiguration.Rules", required=True),
    },
    upsert=True,
    gone=(NO_BUCKET, "ServerSideEncryptionConfigurationNotFoundError"),
    refused=("rules.blockedEncryptionTypes",),
    absent=("rules.blockedEncryptionTypes",),
)

PUBLIC_ACCESS_BLOCK = ResourceType(
    token="aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    service="s3",
    create="PutPublicAccessBlock",
    read=Read(operation="GetPublicAccessBlock"),
    delete=None,
    key=_KEY,
    id="{bucket}",
    import_id=_IMPORT_ID,
    inputs={
        "bucket": _BUCKET,
        "blockPublicAcls": Input(api="PublicAccessBlockConfiguration.BlockPublicAcls", default=False),
        "blockPublicPolicy": Input(api="PublicAccessBlockConfiguration.BlockPublicPolicy", default=False),
        "ignorePublicAcls": Input(api="PublicAccessBlockConfiguration.IgnorePublicAcls", default=False),
        "restrictPublicBuckets": Input(api="PublicAccessBlockConfiguration.RestrictPublicBuckets", default=False),
        "skipDestroy": Input(local=True, kind="boolean"),
    },
    upsert=True,
    gone=(NO_BUCKET, "NoSuchPublicAccessBlockConfiguration"),
    hooks=Hooks(before_delete=_delete_public_access_block),
)

OWNERSHIP_CONTROLS = ResourceType(
    token="aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    service="s3",
    create="PutBucketOwnershipControls",
    read=Read(operation="GetBucketOwnershipControls"),
    delete="DeleteBucketOwnershipControls",
    key=_KEY,
    id="{bucket}",
    import_id=_IMPORT_ID,
    inputs={
        "bucket": _BUCKET,
        "rule": Input(api="OwnershipControls.Rules", form=Form.ONE_OF_LIST, required=True),
    },
    upsert=True,
    gone=(NO_BUCKET, "OwnershipControlsNotFoundError"),
)

POLICY = ResourceType(
    token="aws:s3/bucketPolicy:BucketPolicy",
    service="s3",
    create="PutBucketPolicy",
    read=Read(operation="GetBucketPolicy"),
    delete="DeleteBucketPolicy",
    key=_KEY,
    id="{bucket}",
    import_id=_IMPORT_ID,
    inputs={"bucket": _BUCKET, "policy": Input(required=True, form=Form.JSON)},
    upsert=True,
    gone=(NO_BUCKET, "NoSuchBucketPolicy"),
)

LIFECYCLE = ResourceType(
    token="aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    service="s3",
    create="PutBucketLifecycleConfiguration",
    read=Read(operation="GetBucketLifecycleConfiguration"),
    delete="DeleteBucketLifecycle",
    key=_KEY,
    id="{bucket}",
    import_id=_IMPORT_ID,
    inputs={
        "bucket": _BUCKET,
        "expectedBucketOwner": Input(replaces=True),
        "rules": Input(api="LifecycleConfiguration.Rules", read="Rules"),
        "timeouts": Input(local=True),
        "transitionDefaultMinimumObjectSize": Input(),
    },
    nested={"rules.filter.and.tags": Member(form=Form.PAIRS)},
    upsert=True,
    gone=(NO_BUCKET, "NoSuchLifecycleConfiguration"),
    hooks=Hooks(prepare=_with_filter),
)

LOGGING = ResourceType(
    token="aws:s3/bucketLogging:BucketLogging",
    service="s3",
    create="PutBucketLogging",
    read=Read(operation="GetBucketLogging", result="LoggingEnabled"),
    delete=None,
    key=_KEY,
    id="{bucket}",
    import_id=_IMPORT_ID,
    inputs={
        "bucket": _BUCKET,
        "expectedBucketOwner": Input(replaces=True),
        **{
            name: Input(api=f"BucketLoggingStatus.LoggingEnabled.{member}", read=member, required=required)
            for name, member, required in (
                ("targetBucket", "TargetBucket", True),
                ("targetGrants", "TargetGrants", False),
                ("targetObjectKeyFormat", "TargetObjectKeyFormat", False),
                ("targetPrefix", "TargetPrefix", True),
            )
        },
    },
    upsert=True,
    gone=(NO_BUCKET,),
    lagging=(NO_BUCKET,),
    hooks=Hooks(before_delete=_stop_logging),
)

ROWS = (VERSIONING, ENCRYPTION, PUBLIC_ACCESS_BLOCK, OWNERSHIP_CONTROLS, POLICY, LIFECYCLE, LOGGING)
