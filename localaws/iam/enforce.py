"""The gate in front of every service: judges requests that are signed with a role's temporary keys.

Everything else is the administrator, whom only a bucket's own policy can keep out, as in AWS; not from that policy
itself, so that nobody locks the bucket for good. Anonymous requests to S3 are moto's, with the same policies.
"""

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from localaws import s3_policy, signature
from localaws.cloud import Cloud
from localaws.iam import judge, policies, refusals, requests, resource_tags, s3_requests
from localaws.iam.evaluator import Policies as Applicable
from localaws.iam.evaluator import evaluate, explain
from localaws.iam.patterns import PolicyError
from localaws.iam.principals import ADMINISTRATOR
from localaws.iam.requests import Body, Environ, NoRuleError
from localaws.iam.s3_keys import bucket_arn
from localaws.iam.sessions import PREFIX, Session, sessions
from localaws.iam.statements import Ask
from localaws.iam.trust import ADMINISTRATOR_POLICIES
from localaws.signature import Signature
from localaws.wire import Answer

_POLICY_ACTIONS = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")


def refuse(cloud: Cloud, environ: Environ, body: Body) -> Answer | None:
    """The refusal of a request, or None when it may go on to its service."""
    signed = signature.read(environ)
    s3_policy.judged(None if not signed.key else frozenset())
    try:
        if signed.key.startswith(PREFIX):
            return _judge(cloud, environ, signed, body)
        return _by_bucket(cloud, environ, signed, body) if _is_s3(environ, signed) else None
    except Exception as error:
        traceback.print_exc(file=sys.stderr)  # nobody gets in by way of a fault in here
        text = f"localaws failed to judge the request: {error!r}"
        return refusals.answer(environ, signed.service, refusals.DENIED, text)


def caller(cloud: Cloud, environ: Environ) -> Session | None:
    """The session behind a request's temporary keys, None for the administrator."""
    key = signature.read(environ).key
    return sessions(cloud).get(key) if key.startswith(PREFIX) else None


def _judge(cloud: Cloud, environ: Environ, signed: Signature, body: Body) -> Answer | None:
    session = sessions(cloud).get(signed.key)
    if session is None or policies.role(session.role_arn) is None:
        return refusals.answer(environ, signed.service, refusals.UNKNOWN_KEY, refusals.INVALID)
    if session.expires is not None and cloud.clock.now() >= session.expires:
        return refusals.answer(environ, signed.service, refusals.EXPIRED_KEY, refusals.EXPIRED)
    base = judge.context(cloud, session.principal, signed.region, **_connection(environ))
    try:
        asked = _asks(cloud, environ, signed, base, body)
    except NoRuleError as error:
        text = f"User: {session.principal.arn} is not authorized to perform this operation: {error}, so roles may not"
        return refusals.answer(environ, signed.service, refusals.DENIED, text)
    reason = next((text for ask in asked if (text := judge.refusal(ask, session))), "")
    if reason:
        return refusals.answer(environ, signed.service, refusals.DENIED, reason)
    if _is_s3(environ, signed):
        _judge_batch(environ, body, base, lambda ask: bool(judge.refusal(ask, session)))
    return None


def _asks(
    cloud: Cloud, environ: Environ, signed: Signature, base: Mapping[str, tuple[str, ...]], body: Body
) -> Sequence[Ask]:
    if _is_s3(environ, signed):
        return s3_requests.asks(environ, signed.region, base)
    operation = requests.read(environ, signed.service, body)
    return requests.asks(operation, signed.region, base, lambda arn: resource_tags.of(cloud, arn))


def _is_s3(environ: Environ, signed: Signature) -> bool:
    """The front goes by the target before it goes by the signature, and so does the gate."""
    return signed.service == "s3" and "HTTP_X_AMZ_TARGET" not in environ


def _connection(environ: Environ) -> dict[str, str]:
    names = {"SourceIp": "REMOTE_ADDR", "UserAgent": "HTTP_USER_AGENT", "Referer": "HTTP_REFERER"}
    return {key: environ[name] for key, name in names.items() if environ.get(name)}


def _judge_batch(environ: Environ, body: Body, base: Mapping[str, Any], refused: Callable[[Ask], bool]) -> None:
    """S3 answers for each object of a batch delete by itself; moto asks s3_policy which of them are denied."""
    each = s3_requests.batch_delete(environ, body, base)
    if each is not None:
        s3_policy.judged(frozenset(ask.resource for ask in each() if refused(ask)))


def _by_bucket(cloud: Cloud, environ: Environ, signed: Signature, body: Body) -> Answer | None:
    """What a bucket's policy denies everybody, the administrator too."""
    bucket = s3_requests.place(environ).bucket
    try:
        own = policies.of_resource(bucket_arn(bucket)) if bucket else None
        if own is None:
            return None
        applicable = Applicable(identity=ADMINISTRATOR_POLICIES.identity, resource=own)
        base = judge.context(cloud, ADMINISTRATOR, signed.region, **_connection(environ))
        mine = bucket_arn(bucket)
        asked = [ask for ask in s3_requests.asks(environ, signed.region, base) if ask.resource.startswith(mine)]
        for ask in asked:
            decision = evaluate(ask, ADMINISTRATOR, applicable)
            if not decision.allowed and ask.action not in _POLICY_ACTIONS:
                text = explain(ask, ADMINISTRATOR, decision)
                return refusals.answer(environ, "s3", refusals.DENIED, text)
        _judge_batch(environ, body, base, lambda ask: not evaluate(ask, ADMINISTRATOR, applicable).allowed)
    except NoRuleError:
        return None  # an operation that no row names is the administrator's to call
    except PolicyError as error:
        return refusals.answer(environ, "s3", refusals.DENIED, f"localaws cannot evaluate the bucket's policy: {error}")
    return None
