"""A private bucket with all its guards: no public access, no ACLs, versions, encryption, lifecycle, TLS only."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from infra.documents import Statement, deny_anyone, document

UNFINISHED_UPLOAD_DAYS = 7
ALGORITHM, KEY_ID = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"
CUSTOMER_KEY = "s3:x-amz-server-side-encryption-customer-algorithm"


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    name: str
    """The bucket's logical name; AWS's is this and seven hex digits."""
    guards: str
    """What the guards' logical names begin with."""
    old_version_days: int
    protect: bool
    """Objects survive a destroy, which then fails: nothing but a person empties the bucket."""
    hold: bool = False
    """The engine refuses to delete the bucket itself."""
    kms_key_arn: Output[str] | None = None
    """The key of the bucket's default encryption; None for S3's own keys."""
    rules: list[Any] = field(default_factory=list)
    """More lifecycle rules."""
    statements: Callable[..., list[Statement]] = lambda arn: []
    """More statements of the bucket's policy, made of its ARN and what `facts` holds."""
    facts: dict[str, Input[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PrivateBucket:
    resource: aws.s3.Bucket
    name: Output[str]
    """Known once every guard stands: whoever takes the name from here waits for them."""


def private_bucket(args: BucketArgs, opts: ResourceOptions) -> PrivateBucket:
    """Declare the bucket and its guards as children of `opts`' parent."""
    bucket = aws.s3.Bucket(
        args.name,
        # From birth: it empties the bucket on destroy only once it is in the state.
        force_destroy=not args.protect,
        opts=ResourceOptions.merge(opts, ResourceOptions(protect=args.hold)),
    )
    guards = _guards(args, bucket, opts)
    name = Output.all(bucket.bucket, *[guard.id for guard in guards]).apply(lambda known: str(known[0]))
    return PrivateBucket(resource=bucket, name=name)


def _guards(args: BucketArgs, bucket: aws.s3.Bucket, opts: ResourceOptions) -> list[pulumi.CustomResource]:
    private = aws.s3.BucketPublicAccessBlock(
        f"{args.guards}-private",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=opts,
    )
    return [
        private,
        aws.s3.BucketOwnershipControls(
            f"{args.guards}-ownership",
            bucket=bucket.bucket,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=opts,
        ),
        aws.s3.BucketVersioning(
            f"{args.guards}-versioning",
            bucket=bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=opts,
        ),
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{args.guards}-encryption", bucket=bucket.bucket, rules=[_encryption(args.kms_key_arn)], opts=opts
        ),
        aws.s3.BucketLifecycleConfiguration(
            f"{args.guards}-lifecycle", bucket=bucket.bucket, rules=_lifecycle(args), opts=opts
        ),
        aws.s3.BucketPolicy(
            f"{args.guards}-tls-only",
            bucket=bucket.bucket,
            policy=_policy(args, bucket),
            # S3 refuses two of these changes at once on one bucket (OperationAborted).
            opts=ResourceOptions.merge(opts, ResourceOptions(depends_on=[private])),
        ),
    ]


def _encryption(key: Output[str] | None) -> dict[str, Any]:
    if key is None:
        return {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}
    return {
        "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key},
        # One call to KMS a while and not one an object: a data set of many files would pay for each.
        "bucket_key_enabled": True,
    }


def _lifecycle(args: BucketArgs) -> list[Any]:
    general = {
        "id": "old-versions-and-unfinished-uploads",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "noncurrent_version_expiration": {"noncurrent_days": args.old_version_days},
        "abort_incomplete_multipart_upload": {"days_after_initiation": UNFINISHED_UPLOAD_DAYS},
    }
    return [general, *args.rules]


def _policy(args: BucketArgs, bucket: aws.s3.Bucket) -> Output[str]:
    facts = Output.all(arn=bucket.arn, **args.facts)
    more = facts.apply(lambda known: args.statements(**known))
    return Output.all(arn=bucket.arn, key=args.kms_key_arn or "", more=more).apply(
        lambda known: document([*_denials(known["arn"], known["key"]), *known["more"]])
    )


def _denials(bucket: str, key: str) -> list[Statement]:
    tls = deny_anyone("TlsOnly", ["s3:*"], [bucket, f"{bucket}/*"], Bool={"aws:SecureTransport": "false"})
    return [tls, *(_other_keys(bucket, key) if key else [])]


def _other_keys(bucket: str, key: str) -> list[Statement]:
    """No upload that asks for another encryption than the bucket's.

    An upload that asks for none gets the default, so nothing has to send headers. `Null: false` is "the header was
    sent": without it StringNotEquals holds also where there is none. SageMaker asks for `aws:kms` without naming a key
    unless its job names one, so that alone is not refused; the program's jobs name the key.
    """
    put, objects = ["s3:PutObject"], [f"{bucket}/*"]
    return [
        deny_anyone("ThisAlgorithm", put, objects, Null={ALGORITHM: "false"}, StringNotEquals={ALGORITHM: "aws:kms"}),
        deny_anyone("ThisKey", put, objects, Null={KEY_ID: "false"}, StringNotEquals={KEY_ID: key}),
        deny_anyone("NoKeyOfTheCaller", put, objects, Null={CUSTOMER_KEY: "false"}),
    ]
