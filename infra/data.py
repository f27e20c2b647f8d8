"""DataStore: one private bucket for data, code, runs and checkpoints, and the data set in it.

s3://<bucket>/data/<sha256>/      the data set, by content
              code/<sha256>.zip   what the image was built from
              runs/<run>/output/  a run's artifact (SageMaker writes it)
              checkpoints/<run>/  expire by age
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from infra.datasets import BUNDLED, bundled_file

UNFINISHED_UPLOAD_DAYS = 7
OLD_VERSION_DAYS = 30
CHECKPOINT_DAYS = 14
LIFECYCLE_RULES: list[Any] = [
    {
        "id": "old-versions-and-unfinished-uploads",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "noncurrent_version_expiration": {"noncurrent_days": OLD_VERSION_DAYS},
        "abort_incomplete_multipart_upload": {"days_after_initiation": UNFINISHED_UPLOAD_DAYS},
    },
    {
        "id": "checkpoints",
        "status": "Enabled",
        "filter": {"prefix": "checkpoints/"},
        "expiration": {"days": CHECKPOINT_DAYS},
    },
]


@dataclass(frozen=True, kw_only=True)
class DataStoreArgs:
    prefix: str
    """<project>-<stack>, the beginning of every name."""
    data: str
    """A bundled data set's name, or an s3:// prefix that exists."""
    protect: bool


class DataStore(pulumi.ComponentResource):
    """Outputs: bucket (name), bucket_arn, incarnation (7 hex, new with each bucket), data_uri, data_sha256."""

    bucket: Output[str]
    bucket_arn: Output[str]
    incarnation: Output[str]
    data_uri: Output[str]
    data_sha256: str

    def __init__(self, name: str, args: DataStoreArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:DataStore", name, None, opts)
        child = ResourceOptions(parent=self)
        bucket = aws.s3.Bucket(
            f"{args.prefix}-data",
            # From birth: it empties the bucket on destroy only once it is in the state.
            force_destroy=not args.protect,
            opts=ResourceOptions(parent=self, protect=args.protect),
        )
        guards = _guards(name, bucket, child)
        # Whoever takes the bucket's name from here also waits until it is private and TLS-only.
        self.bucket = Output.all(bucket.bucket, *[guard.id for guard in guards]).apply(lambda all_: all_[0])
        self.bucket_arn = bucket.arn
        self.incarnation = bucket.bucket.apply(lambda text: text.rsplit("-", 1)[1])
        self.data_uri, self.data_sha256 = _data_set(name, args.data, self.bucket, child)
        self.register_outputs({"bucket": self.bucket, "dataUri": self.data_uri})


def _guards(name: str, bucket: aws.s3.Bucket, child: ResourceOptions) -> list[pulumi.CustomResource]:
    private = aws.s3.BucketPublicAccessBlock(
        f"{name}-private",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=child,
    )
    return [
        private,
        aws.s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=bucket.bucket,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=child,
        ),
        aws.s3.BucketVersioning(
            f"{name}-versioning",
            bucket=bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=child,
        ),
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.bucket,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=child,
        ),
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=bucket.bucket,
            rules=LIFECYCLE_RULES,
            opts=child,
        ),
        aws.s3.BucketPolicy(
            f"{name}-tls-only",
            bucket=bucket.bucket,
            policy=bucket.arn.apply(_tls_only),
            # S3 refuses two of these changes at once on one bucket (OperationAborted).
            opts=ResourceOptions.merge(child, ResourceOptions(depends_on=[private])),
        ),
    ]


def _tls_only(bucket_arn: str) -> str:
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _data_set(name: str, data: str, bucket: Input[str], child: ResourceOptions) -> tuple[Output[str], str]:
    """The data set's prefix in S3, and a hash of its content (of its name, when it is already in S3)."""
    if data not in BUNDLED:
        uri = data.rstrip("/") + "/"
        return Output.from_input(uri), hashlib.sha256(uri.encode()).hexdigest()
    file = bundled_file(data)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    prefix = f"data/{sha256[:12]}/"
    uploaded = aws.s3.BucketObjectv2(
        f"{name}-{data}",
        bucket=bucket,
        key=prefix + file.name,
        source=pulumi.FileAsset(str(file)),
        opts=child,
    )
    return Output.concat("s3://", uploaded.bucket, "/", prefix), sha256
