"""Cases for the rules of infra/policies/storage.py."""

import json
from typing import Any

from infra.policies.storage import (
    BUCKET,
    ENCRYPTION,
    GUARDS,
    LIFECYCLE,
    POLICY,
    PUBLIC_ACCESS_BLOCK,
    VERSIONING,
)
from tests.unit.policies.judge import Given, bad, good

TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
KEY = "aws:kms/key:Key"
ARN = "arn:aws:s3:::data"
TLS = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": [ARN, f"{ARN}/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
BLOCK = {"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True, "restrictPublicBuckets": True}
ABORT = {"abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}, "status": "Enabled"}


def policy(kind: str, *statements: dict[str, Any]) -> Given:
    return Given(type=kind, inputs={"policy": json.dumps({"Statement": list(statements)})})


def encrypted(algorithm: str) -> Given:
    rule = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": algorithm}}
    return Given(type=ENCRYPTION, inputs={"rules": [rule]})


def lifecycle(*rules: dict[str, Any]) -> Given:
    return Given(type=LIFECYCLE, inputs={"rules": list(rules)})


def allow(**statement: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*", **statement}


DATA = Given(type=BUCKET, name="x-data", inputs={"bucket": "x-data-1"})
LOGS = Given(type=BUCKET, name="x-logs", inputs={"bucket": "x-logs-1"})


def guards(bucket: Given, *without: str, by_name: bool = False) -> list[Given]:
    """The bucket's side resources, bound to it by a dependency or by a known name."""
    place: dict[str, Any] = {"inputs": {"bucket": bucket.inputs["bucket"]}} if by_name else {}
    place |= {} if by_name else {"made_of": {"bucket": bucket.urn}}
    return [Given(type=kind, name=f"{bucket.name}-{kind}", **place) for kind in GUARDS if kind not in without]


CASES = [
    good("bucket-encryption", encrypted("AES256"), encrypted("aws:kms")),
    bad("bucket-encryption", "allowed: AES256, aws:kms, aws:kms:dsse", encrypted("none")),
    bad("bucket-encryption", "is None", Given(type=ENCRYPTION)),
    good("bucket-tls-only", policy(POLICY, allow(Principal="*"), TLS)),
    bad("bucket-tls-only", "aws:SecureTransport", policy(POLICY, {**TLS, "Resource": [f"{ARN}/*"]})),
    bad("bucket-tls-only", "aws:SecureTransport", policy(POLICY, {**TLS, "Action": "s3:GetObject"})),
    bad("bucket-tls-only", "aws:SecureTransport", policy(POLICY, {**TLS, "Effect": "Allow"})),
    good("bucket-public-access-block", Given(type=PUBLIC_ACCESS_BLOCK, inputs=BLOCK)),
    bad(
        "bucket-public-access-block",
        "blockPublicPolicy is not on",
        Given(type=PUBLIC_ACCESS_BLOCK, inputs={**BLOCK, "blockPublicPolicy": False}),
    ),
    good("bucket-versioning", Given(type=VERSIONING, inputs={"versioningConfiguration": {"status": "Enabled"}})),
    bad(
        "bucket-versioning",
        "'Suspended'",
        Given(type=VERSIONING, inputs={"versioningConfiguration": {"status": "Suspended"}}),
    ),
    good("bucket-unfinished-uploads", lifecycle({"status": "Enabled"}, {**ABORT, "filter": {"prefix": ""}})),
    bad("bucket-unfinished-uploads", "add one", lifecycle({**ABORT, "filter": {"prefix": "runs/"}})),
    bad("bucket-unfinished-uploads", "add one", lifecycle({**ABORT, "status": "Disabled"})),
    good("bucket-guards", DATA, LOGS, *guards(DATA), *guards(LOGS, VERSIONING, by_name=True)),
    bad("bucket-guards", "x-data: the bucket lacks versioning", DATA, *guards(DATA, VERSIONING)),
    bad("bucket-guards", "lacks a TLS-only policy", DATA, LOGS, *guards(DATA, POLICY), *guards(LOGS)),
    good("no-public-principal", policy(POLICY, TLS), policy(KEY, allow(Principal={"AWS": "arn:aws:iam::1:root"}))),
    good(
        "no-public-principal",
        policy(TOPIC_POLICY, allow(Principal="*", Condition={"StringEquals": {"AWS:SourceAccount": "1"}})),
    ),
    bad("no-public-principal", "statement Open allows everyone", policy(POLICY, allow(Principal="*", Sid="Open"))),
    bad("no-public-principal", "allows everyone", policy(KEY, allow(Principal={"AWS": ["*"]}))),
    bad(
        "no-public-principal",
        "allows everyone",
        policy(TOPIC_POLICY, allow(Principal="*", Condition={"StringLike": {"aws:SourceArn": "*"}})),
    ),
    bad(
        "no-public-principal",
        "allows everyone",
        policy(TOPIC_POLICY, allow(Principal="*", Condition={"StringEqualsIfExists": {"aws:SourceAccount": "1"}})),
    ),
]
