"""The bucket and the key that hold Pulumi's state in an account: made once, and set right again by every call.

The bucket's name follows from account and region, so whoever asks finds the same one. The state names every resource
and holds every secret (encrypted), so it is private, encrypted with a key of its own, versioned and TLS-only.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from slipway.errors import SlipwayError

ALIAS = "alias/slipway-state"
OLD_VERSION_DAYS = 90
KEPT_VERSIONS = 20  # of every file, however old: a stack that rests for a year can still be set back
UNFINISHED_UPLOAD_DAYS = 7
TAGS = {"slipway:purpose": "pulumi-state"}
US_EAST_1 = "us-east-1"  # the one region that S3 must not be told


@dataclass(frozen=True, kw_only=True)
class StateHome:
    """Where the state is. `made` names what did not exist before."""

    account: str
    region: str
    bucket: str
    key: str
    made: tuple[str, ...]

    @property
    def backend_url(self) -> str:
        return f"s3://{self.bucket}?region={self.region}&awssdk=v2"

    @property
    def secrets_provider(self) -> str:
        return f"awskms://{ALIAS}?region={self.region}&awssdk=v2"


def ensure_state_home(client: Callable[[str], Any], region: str) -> StateHome:
    """Make the key and the bucket where they are missing, and set both as they should be.

    `client` gives the boto3 client of a service in `region`. Raises SlipwayError when the bucket is somebody else's or
    the key is being deleted.
    """
    account = client("sts").get_caller_identity()["Account"]
    bucket = f"slipway-state-{account}-{region}"
    key, key_made = _ensure_key(client("kms"))
    bucket_made = _ensure_bucket(client("s3"), bucket, account, region)
    _protect(client("s3"), bucket, account, key)
    made = [what for what, is_new in ((f"key {ALIAS}", key_made), (f"bucket {bucket}", bucket_made)) if is_new]
    return StateHome(account=account, region=region, bucket=bucket, key=key, made=tuple(made))


def _ensure_key(kms: Any) -> tuple[str, bool]:
    """The ARN of the key behind the alias, which turns every year; and whether it is new."""
    try:
        found = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]
        made = False
    except kms.exceptions.NotFoundException:
        tags = list(_tags("TagKey", "TagValue"))
        found = kms.create_key(Description="Pulumi's state and its secrets (slipway init)", Tags=tags)["KeyMetadata"]
        made = True
        kms.create_alias(AliasName=ALIAS, TargetKeyId=found["KeyId"])
    if found["KeyState"] != "Enabled":
        raise SlipwayError(
            f"the key behind {ALIAS} is in state {found['KeyState']}, and without it the state cannot be read; "
            f"aws kms cancel-key-deletion --key-id {found['KeyId']}, then enable-key"
        )
    kms.enable_key_rotation(KeyId=found["KeyId"])
    return found["Arn"], made


def _ensure_bucket(s3: Any, bucket: str, account: str, region: str) -> bool:
    """Make the bucket unless it is there; whether it is new. Its name can be guessed: it must be this account's."""
    try:
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
        return False
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 403:
            raise SlipwayError(
                f"bucket {bucket} exists, but it belongs to another account or these credentials may not see it"
            ) from error
        if status != 404:
            raise
    place: Any = {} if region == US_EAST_1 else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, ObjectOwnership="BucketOwnerEnforced", **place)
    return True


def _protect(s3: Any, bucket: str, account: str, key: str) -> None:
    own = {"Bucket": bucket, "ExpectedBucketOwner": account}
    s3.put_public_access_block(
        **own,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_versioning(**own, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        **own,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
                    "BucketKeyEnabled": True,
                }
            ]
        },
    )
    s3.put_bucket_lifecycle_configuration(**own, LifecycleConfiguration={"Rules": [_lifecycle()]})
    s3.put_bucket_policy(**own, Policy=json.dumps(_tls_only(bucket)))
    s3.put_bucket_tagging(**own, Tagging={"TagSet": list(_tags("Key", "Value"))})


def _lifecycle() -> dict[str, Any]:
    return {
        "ID": "old-versions-and-unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {
            "NoncurrentDays": OLD_VERSION_DAYS,
            "NewerNoncurrentVersions": KEPT_VERSIONS,
        },
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_UPLOAD_DAYS},
    }


def _tls_only(bucket: str) -> dict[str, Any]:
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _tags(key: str, value: str) -> Iterable[dict[str, str]]:
    return ({key: name, value: text} for name, text in TAGS.items())
