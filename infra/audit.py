"""Who touched the data: S3's access logs and CloudTrail's data events, each in a bucket of its own.

Access logs are free and arrive within hours, best effort; data events cost by the event and are complete.
"""

from dataclasses import dataclass
from typing import Any

import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.buckets import BucketArgs, PrivateBucket, private_bucket
from infra.documents import Statement, allow_service


@dataclass(frozen=True, kw_only=True)
class AuditArgs:
    prefix: str
    name: str
    """The data store's logical name."""
    region: str
    account: Output[str]
    bucket: PrivateBucket
    """The data bucket, which is watched."""
    keep_days: int
    protect: bool
    trail_key_arn: Output[str] | None = None
    """The stack's own key, whose policy lets CloudTrail use it; a key of the user's may not."""


def access_logs(args: AuditArgs, opts: ResourceOptions) -> None:
    """Log each request to the data bucket into another bucket.

    S3 delivers only to a bucket with SSE-S3 (SSE-KMS by default makes it drop the logs without a word), and writes as
    logging.s3.amazonaws.com, which is let in for this source bucket alone.
    """
    logs = private_bucket(
        _bucket(args, "access-logs", _delivery, {"account": args.account, "source": args.bucket.resource.arn}), opts
    )
    aws.s3.BucketLogging(
        f"{args.name}-access-logging",
        bucket=args.bucket.name,
        target_bucket=logs.name,
        target_prefix="data/",
        opts=opts,
    )


def audit_events(args: AuditArgs, opts: ResourceOptions) -> None:
    """Record each read and write of the data bucket's objects, and of nothing else, in a trail of its own."""
    here = args.account.apply(lambda account: f"{args.region}:{account}")
    trail = here.apply(lambda known: f"arn:aws:cloudtrail:{known}:trail/{args.prefix}-trail-*")
    logs = private_bucket(_bucket(args, "trail-logs", _trail, {"account": args.account, "trail": trail}), opts)
    only_data: list[Any] = [
        {"field": "eventCategory", "equals": ["Data"]},
        {"field": "resources.type", "equals": ["AWS::S3::Object"]},
        {"field": "resources.ARN", "starts_withs": [args.bucket.resource.arn.apply(lambda arn: f"{arn}/")]},
    ]
    aws.cloudtrail.Trail(
        f"{args.prefix}-trail",
        s3_bucket_name=logs.name,
        kms_key_id=args.trail_key_arn,
        is_multi_region_trail=False,
        include_global_service_events=False,
        enable_log_file_validation=True,
        advanced_event_selectors=[{"name": "objects of the data bucket", "field_selectors": only_data}],
        opts=opts,
    )


def _bucket(args: AuditArgs, what: str, statements: Any, facts: dict[str, Any]) -> BucketArgs:
    expire = {
        "id": "expire",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "expiration": {"days": args.keep_days},
    }
    return BucketArgs(
        name=f"{args.prefix}-{what}",
        guards=f"{args.name}-{what}",
        old_version_days=1,  # only a deletion makes an old version here
        protect=args.protect,
        rules=[expire],
        statements=statements,
        facts=facts,
    )


def _delivery(arn: str, account: str, source: str) -> list[Statement]:
    return [
        allow_service(
            "logging.s3.amazonaws.com",
            ["s3:PutObject"],
            [f"{arn}/data/*"],
            ArnLike={"aws:SourceArn": source},
            StringEquals={"aws:SourceAccount": account},
        )
    ]


def _trail(arn: str, account: str, trail: str) -> list[Statement]:
    service, source = "cloudtrail.amazonaws.com", {"aws:SourceArn": trail}
    owned = {"s3:x-amz-acl": "bucket-owner-full-control"}  # CloudTrail sends it, although ACLs are off
    return [
        allow_service(service, ["s3:GetBucketAcl"], [arn], ArnLike=source),
        allow_service(service, ["s3:PutObject"], [f"{arn}/AWSLogs/{account}/*"], ArnLike=source, StringEquals=owned),
    ]
