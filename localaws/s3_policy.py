"""Bucket policies with the one condition that everybody's has: TLS only.

moto applies a statement whatever its `Condition` says: the usual "deny unless aws:SecureTransport" denies all.
AWS applies a statement only when its conditions hold. Here the loopback stands for TLS: SecureTransport is true.
Other conditions are still ignored, as in moto.
"""

import json
from typing import Any

from moto.s3.models import FakeBucket

SECURE_TRANSPORT = "aws:securetransport"


def install() -> None:
    """Put the rule into moto's buckets."""
    FakeBucket.get_permission = _permission


def applies(statement: dict[str, Any]) -> bool:
    """Whether a statement holds for a request over TLS. Keys are case-insensitive, values strings or lists."""
    for operator, tests in statement.get("Condition", {}).items():
        if operator.lower() not in ("bool", "boolifexists"):
            continue
        for key, wanted in tests.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            if key.lower() == SECURE_TRANSPORT and "true" not in {str(value).lower() for value in values}:
                return False
    return True


def _permission(bucket: Any, action: str, resource: str) -> Any:
    from moto.iam.access_control import IAMPolicy, PermissionResult

    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(bucket.policy)
    statements = document["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    remaining = [statement for statement in listed if applies(statement)]
    if not remaining:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps({**document, "Statement": remaining})).is_action_permitted(action, resource)
