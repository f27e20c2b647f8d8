"""DataStore: one private bucket for data, code, runs and checkpoints, and the data set in it.

s3://<bucket>/data/<sha256>/      the data set, by content (a folder: its manifest, and files/)
              code/<sha256>/      models and scripts of the user's own, likewise
              code/<sha256>.zip   what the image was built from
              runs/<run>/output/  a run's artifact (SageMaker writes it)
              checkpoints/<run>/  expire by age
"""

import hashlib
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.actions import Actions
from infra.audit import AuditArgs, access_logs, audit_events
from infra.buckets import BucketArgs, PrivateBucket, private_bucket
from infra.datasets import BUNDLED, bundled_file
from infra.folder import CODE, DATA, Kind, read_folder
from infra.keys import own_key
from infra.sections import Storage, is_s3
from infra.waiting import unless_preview


@dataclass(frozen=True, kw_only=True)
class DataStoreArgs:
    prefix: str
    """<project>-<stack>, the beginning of every name."""
    data: str
    """A bundled data set's name, a local folder, or an s3:// prefix that exists."""
    code: str | None
    """A local folder of models or scripts; None when there is none."""
    protect: bool
    account: Output[str]
    region: str
    root: Path
    """The checkout: a local folder's path begins here, and .slipway/ in it keeps hashes."""
    actions: Actions
    storage: Storage
    log_retention_days: int
    """Audit logs go after these."""


class DataStore(pulumi.ComponentResource):
    """Outputs: bucket (name), bucket_arn, incarnation (7 hex, new with each bucket), data_uri and data_sha256, code_uri
    and code_sha256 (None without code), kms_key_arn (None when S3's own keys encrypt)."""

    bucket: Output[str]
    bucket_arn: Output[str]
    incarnation: Output[str]
    data_uri: Output[str]
    data_sha256: str
    code_uri: Output[str] | None = None
    code_sha256: str | None = None
    kms_key_arn: Output[str] | None

    def __init__(self, name: str, args: DataStoreArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:DataStore", name, None, opts)
        child = ResourceOptions(parent=self)
        self.kms_key_arn = _key(args, child)
        store = private_bucket(_bucket(name, args, self.kms_key_arn), child)
        self.bucket, self.bucket_arn = store.name, store.resource.arn
        self.incarnation = store.resource.bucket.apply(lambda text: text.rsplit("-", 1)[1])
        _audit(name, args, store, self.kms_key_arn, child)
        self.data_uri, self.data_sha256 = _data_set(name, args, self.bucket, child)
        if args.code:
            self.code_uri, self.code_sha256 = _folder(args, args.code, CODE, self.bucket, child)
        self.register_outputs({"bucket": self.bucket, "dataUri": self.data_uri})


def _key(args: DataStoreArgs, child: ResourceOptions) -> Output[str] | None:
    wanted = args.storage.kms_key
    if wanted == "none":
        return None
    if wanted == "own":
        return own_key(args.prefix, args.region, args.account, args.protect, child)
    return Output.from_input(wanted)


def _bucket(name: str, args: DataStoreArgs, key: Output[str] | None) -> BucketArgs:
    checkpoints: dict[str, Any] = {
        "id": "checkpoints",
        "status": "Enabled",
        "filter": {"prefix": "checkpoints/"},
        "expiration": {"days": args.storage.checkpoint_days},
    }
    return BucketArgs(
        name=f"{args.prefix}-data",
        guards=name,
        old_version_days=args.storage.old_version_days,
        protect=args.protect,
        hold=args.protect,
        kms_key_arn=key,
        rules=[checkpoints],
    )


def _audit(
    name: str, args: DataStoreArgs, store: PrivateBucket, key: Output[str] | None, child: ResourceOptions
) -> None:
    audit = AuditArgs(
        prefix=args.prefix,
        name=name,
        region=args.region,
        account=args.account,
        bucket=store,
        keep_days=args.log_retention_days,
        protect=args.protect,
        trail_key_arn=key if args.storage.kms_key == "own" else None,
    )
    if args.storage.access_logs:
        access_logs(audit, child)
    if args.storage.audit_events:
        audit_events(audit, child)


def _data_set(name: str, args: DataStoreArgs, bucket: Output[str], child: ResourceOptions) -> tuple[Output[str], str]:
    """The data set's prefix in S3, and a hash of its content (of its name, when it is already in S3)."""
    if is_s3(args.data):
        uri = args.data.rstrip("/") + "/"
        return Output.from_input(uri), hashlib.sha256(uri.encode()).hexdigest()
    if args.data in BUNDLED:
        return _bundled(name, args.data, bucket, child)
    return _folder(args, args.data, DATA, bucket, child)


def _bundled(name: str, data: str, bucket: Output[str], child: ResourceOptions) -> tuple[Output[str], str]:
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


def _folder(
    args: DataStoreArgs, named: str, kind: Kind, bucket: Output[str], child: ResourceOptions
) -> tuple[Output[str], str]:
    """Where a local folder's files are in S3, once they are, and the hash of their content."""
    folder = read_folder(named, args.root, args.root / ".slipway" / "hashes", kind)

    def upload(known: str) -> Awaitable[str] | str:
        uri = f"s3://{known}/{folder.prefix}files/"
        return unless_preview(uri, lambda: args.actions.uploaded_folder(folder, known, child.parent))

    return bucket.apply(upload), folder.sha256
