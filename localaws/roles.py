"""IAM roles as services see them: may this service assume the role, and which keys does a process then get."""

import json
from typing import Any

from moto.iam.exceptions import NotFoundException

from localaws.cloud import GLOBAL, backend

SESSION_SECONDS = 3600


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def assumable(role_arn: str, service: str) -> bool:
    """Whether the role exists and its trust policy allows the service, for example "sagemaker.amazonaws.com"."""
    try:
        role = backend("iam", GLOBAL).get_role_by_arn(role_arn)
    except NotFoundException:
        return False
    trust = role.assume_role_policy_document
    document = json.loads(trust) if isinstance(trust, str) else trust
    return any(_allows(statement, service) for statement in _list(document.get("Statement", [])))


def _allows(statement: dict[str, Any], service: str) -> bool:
    principal = statement.get("Principal", {})
    services = ["*"] if principal == "*" else _list(principal.get("Service", []))
    actions = _list(statement.get("Action", []))
    return (
        statement.get("Effect") == "Allow"
        and any(name in (service, "*") for name in services)
        and any(action in ("sts:AssumeRole", "sts:*", "*") for action in actions)
    )


def credentials(role_arn: str, session: str) -> dict[str, str]:
    """Temporary keys of the role as environment variables."""
    role = backend("sts", GLOBAL).assume_role(
        region_name="us-east-1",
        role_session_name=session,
        role_arn=role_arn,
        policy=None,
        duration=SESSION_SECONDS,
        external_id=None,
    )
    return {
        "AWS_ACCESS_KEY_ID": role.access_key_id,
        "AWS_SECRET_ACCESS_KEY": role.secret_access_key,
        "AWS_SESSION_TOKEN": role.session_token,
    }
