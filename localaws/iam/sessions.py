"""Sessions of roles: which role is behind a temporary key, and until when.

Keys that AssumeRole gives expire by the clock. Keys of processes that SageMaker and CodeBuild start do not: there AWS
renews them behind the container's back for as long as it runs.
"""

import threading
from dataclasses import dataclass
from typing import Any

from localaws.cloud import GLOBAL, Cloud, Store, backend
from localaws.iam.principals import Principal, role_session

PREFIX = "ASIA"  # every temporary key begins with it, no other key does
STS_REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class Session:
    """`expires`: epoch seconds of cloud time, None for never. `policy`: the session policy's text or ""."""

    key: str
    role_arn: str
    name: str
    expires: float | None = None
    policy: str = ""

    @property
    def principal(self) -> Principal:
        return role_session(self.role_arn, self.name)


class Sessions(Store):
    """All sessions of the account, by access key."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def add(self, session: Session) -> None:
        with self._lock:
            self._sessions[session.key] = session

    def get(self, key: str) -> Session | None:
        return self._sessions.get(key)


def sessions(cloud: Cloud) -> Sessions:
    return cloud.store(GLOBAL, Sessions)


def start(cloud: Cloud, role_arn: str, name: str, *, seconds: int | None = None, policy: str = "") -> Any:
    """Make temporary keys of a role. Returns moto's AssumedRole, which GetCallerIdentity then knows too."""
    assumed = backend("sts", GLOBAL).assume_role(
        region_name=STS_REGION,
        role_session_name=name,
        role_arn=role_arn,
        policy=policy or None,
        duration=seconds or 0,
        external_id=None,
    )
    expires = None if seconds is None else cloud.clock.now() + seconds
    key = assumed.access_key_id
    sessions(cloud).add(Session(key=key, role_arn=role_arn, name=name, expires=expires, policy=policy))
    return assumed
