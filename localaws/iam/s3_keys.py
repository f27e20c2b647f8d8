"""The KMS keys behind S3's objects: reading and writing needs the key as well, by way of S3 (kms:ViaService)."""

from collections.abc import Iterator, Mapping
from typing import Any

from localaws.cloud import GLOBAL, backend
from localaws.iam.actions.kms import key_arn
from localaws.iam.patterns import Context
from localaws.iam.statements import Ask

READS, WRITES = ("GetObject", "GetObjectVersion"), ("PutObject",)
KMS = "aws:kms"


def bucket_arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


def stored(bucket: str, key: str) -> Any:
    """moto's newest version of an object, or None."""
    found = backend("s3", GLOBAL).buckets.get(bucket)
    return found.keys.get(key) if found is not None else None


def key_asks(
    action: str, bucket: str, key: str, region: str, base: Context, headers: Mapping[str, Any] | None = None
) -> Iterator[Ask]:
    """What reading or writing an object asks of its KMS key, if it has one of the account's own."""
    arn = ""
    if action in READS:
        arn, needed = _object_key(bucket, key), ("kms:Decrypt",)
    elif action in WRITES:
        arn, needed = _new_key(bucket, headers or {}), ("kms:GenerateDataKey",)
    if not arn:
        return
    resource = f"{bucket_arn(bucket)}/{key}"
    context = {
        **base,
        "kms:viaservice": (f"s3.{region}.amazonaws.com",),
        "kms:calleraccount": base.get("aws:principalaccount", ()),
        "kms:encryptioncontext:aws:s3:arn": (bucket_arn(bucket) if _bucket_key(bucket) else resource,),
        "kms:encryptioncontextkeys": ("aws:s3:arn",),
    }
    yield from (Ask(action=name, resource=key_arn(arn, region), context=context) for name in needed)


def _object_key(bucket: str, key: str) -> str:
    found = stored(bucket, key)
    return (found.kms_key_id or "") if found is not None and getattr(found, "encryption", None) == KMS else ""


def _default(bucket: str) -> Mapping[str, Any]:
    """The bucket's default encryption rule as moto keeps it."""
    found = backend("s3", GLOBAL).buckets.get(bucket)
    encryption = (found.encryption if found is not None else None) or {}
    rule = encryption.get("Rule", {})
    return rule[0] if isinstance(rule, list) else rule


def _new_key(bucket: str, headers: Mapping[str, Any]) -> str:
    if "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION" in headers:
        given = headers["HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION"] == KMS
        return headers.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID", "") if given else ""
    chosen = _default(bucket).get("ApplyServerSideEncryptionByDefault", {})
    return (chosen.get("KMSMasterKeyID") or "") if chosen.get("SSEAlgorithm") == KMS else ""


def _bucket_key(bucket: str) -> bool:
    return str(_default(bucket).get("BucketKeyEnabled", "false")).lower() == "true"
