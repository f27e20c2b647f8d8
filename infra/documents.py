"""Policy documents: the few lines of JSON that IAM, S3, KMS and VPC endpoints share."""

import json
from collections.abc import Iterable
from typing import Any

Statement = dict[str, Any]
ANY = ["*"]


def document(statements: Iterable[Statement]) -> str:
    """A policy of the present language version, without spaces: IAM's limits count characters."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))


def allow(actions: list[str], resources: list[str], **conditions: Any) -> Statement:
    """An identity policy's statement; `conditions` are operators, as StringEquals={"aws:SourceAccount": "..."}."""
    return _statement("Allow", actions, resources, conditions)


def allow_service(service: str, actions: list[str], resources: list[str], **conditions: Any) -> Statement:
    """A resource policy's statement for one AWS service, for example cloudtrail.amazonaws.com."""
    return {"Principal": {"Service": service}} | _statement("Allow", actions, resources, conditions)


def deny_anyone(sid: str, actions: list[str], resources: list[str], **conditions: Any) -> Statement:
    """A resource policy's statement that no allow anywhere overrides."""
    return {"Sid": sid, "Principal": "*"} | _statement("Deny", actions, resources, conditions)


def _statement(effect: str, actions: list[str], resources: list[str], conditions: dict[str, Any]) -> Statement:
    statement: Statement = {"Effect": effect, "Action": actions, "Resource": resources}
    return statement | ({"Condition": conditions} if conditions else {})
