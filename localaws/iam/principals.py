"""Who asks: a role's session, the administrator, a service of AWS, a federated identity, or nobody."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from localaws.cloud import ACCOUNT

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ADMINISTRATOR_ARN = f"arn:aws:sts::{ACCOUNT}:user/moto"  # what moto's GetCallerIdentity answers


class Grant(IntEnum):
    """How directly a resource policy names somebody; the most direct naming decides."""

    NONE = 0
    ACCOUNT = 1
    """The account's root: the account's own identity policies must allow it too."""
    IDENTITY = 2
    """The role, or everybody: suffices within the account, but only within the boundary and the session policy."""
    SESSION = 3
    """The session (or the user) itself: suffices, whatever the boundary does not say."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """`arn` is what errors show and what Principal may name; `identity` the role behind a session, else "".

    `kind` is the key of a Principal element under which `arn` is looked for: AWS, Service or Federated.
    """

    arn: str
    identity: str = ""
    kind: str = "AWS"
    account: str = ACCOUNT


ADMINISTRATOR = Principal(arn=ADMINISTRATOR_ARN)
ANONYMOUS = Principal(arn="anonymous", kind="", account="")


def session_arn(role_arn: str, session: str) -> str:
    """arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION; the role's path is left out, as in AWS."""
    account, role = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    return f"arn:aws:sts::{account}:assumed-role/{role}/{session}"


def role_session(role_arn: str, session: str) -> Principal:
    return Principal(arn=session_arn(role_arn, session), identity=role_arn)


def grant(element: Any, who: Principal) -> Grant:
    """How directly a statement's Principal element names somebody."""
    if element == "*":
        return Grant.IDENTITY
    return max(
        (_grant(kind, text, who) for kind, texts in element.items() for text in _listed(texts)), default=Grant(0)
    )


def _grant(kind: str, text: str, who: Principal) -> Grant:
    if kind == "AWS" and text == "*":
        return Grant.IDENTITY
    if kind != who.kind:
        return Grant.NONE
    if text == who.arn or (kind != "AWS" and text == "*"):
        return Grant.SESSION
    if kind == "AWS" and who.identity and text == who.identity:
        return Grant.IDENTITY
    return Grant.ACCOUNT if kind == "AWS" and text in (who.account, f"arn:aws:iam::{who.account}:root") else Grant.NONE


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def excepted(element: Any, who: Principal) -> bool:
    """Whether NotPrincipal leaves somebody out. AWS wants a session, its role and its account all to be listed."""
    if element == "*":
        return True
    texts = {text for kind, listed in element.items() if kind == who.kind for text in _listed(listed)}
    account = {who.account, f"arn:aws:iam::{who.account}:root"} if who.kind == "AWS" else {who.arn}
    return all(texts & names for names in ({who.arn}, account, {who.identity or who.arn}))
