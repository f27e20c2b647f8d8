"""Brings a question and the policies together: may this session of a role do that?"""

from dataclasses import replace
from datetime import UTC, datetime

from localaws.cloud import ACCOUNT, Cloud
from localaws.iam import policies
from localaws.iam.evaluator import Decision, Policies, evaluate, explain
from localaws.iam.patterns import Context, PolicyError
from localaws.iam.principals import Principal
from localaws.iam.sessions import Session
from localaws.iam.statements import Ask, policy


def context(cloud: Cloud, who: Principal, region: str, **connection: str) -> Context:
    """The condition keys that every request has; `connection` has those of the connection, such as SourceIp."""
    now = cloud.clock.now()
    return {
        # The loopback stands for TLS.
        "aws:securetransport": ("true",),
        "aws:currenttime": (datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now)),),
        "aws:requestedregion": (region,),
        "aws:resourceaccount": (ACCOUNT,),
        "aws:principalisawsservice": ("false",),
        "aws:viaawsservice": ("false",),
        **_principal(who),
        **{f"aws:{name}".lower(): (value,) for name, value in connection.items()},
    }


def _principal(who: Principal) -> dict[str, tuple[str, ...]]:
    if not who.account:
        return {"aws:principaltype": ("Anonymous",)}
    found = {"aws:principalaccount": (who.account,), "aws:principalarn": (who.identity or who.arn,)}
    if not who.identity:
        return {**found, "aws:principaltype": ("User",)}
    role = policies.role(who.identity)
    tags = {tag["Key"]: tag["Value"] for tag in role.tags} if role is not None and isinstance(role.tags, list) else {}
    return {
        **found,
        "aws:principaltype": ("AssumedRole",),
        "aws:userid": (f"{role.id if role is not None else ''}:{who.arn.rsplit('/', 1)[-1]}",),
        **{f"aws:principaltag/{key}".lower(): (value,) for key, value in tags.items()},
    }


def decide(ask: Ask, session: Session) -> Decision:
    """Judge one question of a session of a role that exists. Raises PolicyError."""
    return evaluate(ask, session.principal, applicable(ask, session))


def applicable(ask: Ask, session: Session) -> Policies:
    """All policies with a say in it: the role's, its boundary, the session's and the resource's."""
    found = policies.role(session.role_arn)
    own = policies.of_role(found) if found is not None else Policies()
    return replace(
        own,
        session=policy(f"{session.name}:session", session.policy) if session.policy else None,
        resource=policies.of_resource(ask.resource),
        resource_owns=policies.owns_itself(ask.resource),
    )


def refusal(ask: Ask, session: Session) -> str:
    """AWS's sentence why the session may not, or "" when it may.

    A policy that cannot be evaluated lets nobody in, and the sentence says why.
    """
    try:
        decision = decide(ask, session)
    except PolicyError as error:
        return (
            f"User: {session.principal.arn} is not authorized to perform: {ask.action} on resource: {ask.resource} "
            f"because localaws cannot evaluate a policy: {error}"
        )
    return "" if decision.allowed else explain(ask, session.principal, decision)
