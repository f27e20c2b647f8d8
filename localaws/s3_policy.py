"""Bucket policies where moto asks for them: batch deletes, and requests that nobody signed.

Signed requests have been judged by iam/enforce.py before they get here, so moto's own reading of the policy, which
knows neither conditions nor principals, has no say any more.
"""

import threading
from typing import Any

from moto.s3.models import FakeBucket

from localaws.iam.evaluator import RESOURCE, Policies, Verdict, evaluate
from localaws.iam.patterns import PolicyError
from localaws.iam.principals import ANONYMOUS
from localaws.iam.statements import Ask, policy


class _Judged(threading.local):
    """What the request of this thread was told; None for one that nobody signed."""

    denied: frozenset[str] | None = None


_judged = _Judged()


def judged(denied: frozenset[str] | None) -> None:
    """Note for the request of this thread which objects of a batch it may not delete."""
    _judged.denied = denied


def install() -> None:
    """Put the rule into moto's buckets."""
    FakeBucket.get_permission = _permission


def anonymous(text: str, action: str, resource: str) -> Verdict | None:
    """A policy's verdict about a request that nobody signed; None where it says nothing."""
    context = {"aws:securetransport": ("true",), "aws:principaltype": ("Anonymous",)}
    ask = Ask(action=action, resource=resource, context=context)
    try:
        decision = evaluate(ask, ANONYMOUS, Policies(resource=policy("bucket", text)))
    except PolicyError:
        return Verdict.EXPLICIT_DENY
    return decision.verdict if any(match.kind == RESOURCE for match in decision.matches) else None


def _permission(bucket: Any, action: str, resource: str) -> Any:
    from moto.iam.access_control import PermissionResult

    if _judged.denied is not None:
        return PermissionResult.DENIED if resource in _judged.denied else PermissionResult.NEUTRAL
    verdict = anonymous(bucket.policy.decode(), action, resource) if bucket.policy else None
    answers = {Verdict.ALLOWED: PermissionResult.PERMITTED, Verdict.EXPLICIT_DENY: PermissionResult.DENIED}
    return answers.get(verdict, PermissionResult.NEUTRAL) if verdict else PermissionResult.NEUTRAL
