"""Short forms for policies in tests."""

from collections.abc import Mapping
from typing import Any

from localaws.cloud import ACCOUNT
from localaws.iam.evaluator import Decision, Policies, evaluate
from localaws.iam.principals import Principal, role_session
from localaws.iam.statements import Ask, Policy, policy

ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
WORKER = role_session(ROLE, "job")
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
VERSION = "2012-10-17"


def document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": list(statements)}


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def made(*statements: Mapping[str, Any]) -> Policy:
    return policy("test", document(*statements))


def ask(action: str, resource: str = "*", **keys: str | tuple[str, ...]) -> Ask:
    """Condition keys with two underscores for the colon: `aws__SourceIp="10.0.0.1"`."""
    texts = {
        name.replace("__", ":").lower(): (value if isinstance(value, tuple) else (value,))
        for name, value in keys.items()
    }
    return Ask(action=action, resource=resource, context=texts)


def decide(
    what: Ask,
    *identity: Mapping[str, Any],
    who: Principal = WORKER,
    boundary: Mapping[str, Any] | None = None,
    session: Mapping[str, Any] | None = None,
    resource: Mapping[str, Any] | None = None,
    owns: bool = False,
) -> Decision:
    return evaluate(
        what,
        who,
        Policies(
            identity=[made(*identity)],
            boundary=made(boundary) if boundary else None,
            session=made(session) if session else None,
            resource=made(resource) if resource else None,
            resource_owns=owns,
        ),
    )
