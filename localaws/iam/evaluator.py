"""The decision: AWS's policy evaluation logic within one account, as a pure function.

1. A Deny that applies, in any policy, is the end: explicit deny.
2. An identity policy's Allow counts only where the permissions boundary and the session policy, if there are any,
   allow as well.
3. A resource policy's Allow suffices by itself: for a session whatever the boundary does not say, for a role within
   the boundary. One for the account's root leaves it to the identity policies.
4. KMS keys and roles to be assumed belong to their resource policy: without its Allow nothing else counts.
5. Everything else is an implicit deny.

Source: "Policy evaluation logic" in the IAM user guide, and "Key policies in AWS KMS" for 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from localaws.iam.principals import Grant, Principal
from localaws.iam.statements import Ask, Policy, Statement


class Verdict(Enum):
    """The words of the policy simulator."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True, kw_only=True)
class Match:
    """A statement that applied, and the kind of policy it is in."""

    kind: str
    policy: Policy
    statement: Statement


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`matches`: the statements that decided. `lacking`: the kind of policy that should have allowed it."""

    verdict: Verdict
    matches: tuple[Match, ...] = ()
    lacking: str = ""
    within_boundary: bool | None = None

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOWED


IDENTITY = "identity-based policy"
RESOURCE = "resource-based policy"
BOUNDARY = "permissions boundary"
SESSION = "session policy"


@dataclass(frozen=True, kw_only=True)
class Policies:
    """Everything that has a say about one request. None: there is no such policy, which limits nothing.

    `resource_owns`: nobody gets at the resource whom its own policy does not let in (rule 4).
    """

    identity: Sequence[Policy] = ()
    boundary: Policy | None = None
    session: Policy | None = None
    resource: Policy | None = None
    resource_owns: bool = False


def evaluate(ask: Ask, who: Principal, policies: Policies) -> Decision:
    """Decide one request. Raises PolicyError for a statement that cannot be evaluated."""
    found = list(_matches(ask, who, policies))
    within = any(match.kind == BOUNDARY and not match.statement.denies for match in found)
    boundary = within if policies.boundary is not None else None
    denies = tuple(match for match in found if match.statement.denies)
    if denies:
        return Decision(verdict=Verdict.EXPLICIT_DENY, matches=denies, within_boundary=boundary)
    allows: dict[str, list[Match]] = {kind: [] for kind in (IDENTITY, RESOURCE, BOUNDARY, SESSION)}
    for match in found:
        allows[match.kind].append(match)
    lacking = _lacking(who, policies, allows)
    if lacking:
        return Decision(verdict=Verdict.IMPLICIT_DENY, lacking=lacking, within_boundary=boundary)
    granting = tuple(allows[RESOURCE] + allows[IDENTITY])
    return Decision(verdict=Verdict.ALLOWED, matches=granting, within_boundary=boundary)


def _matches(ask: Ask, who: Principal, policies: Policies) -> list[Match]:
    groups: list[tuple[str, Sequence[Policy]]] = [
        (IDENTITY, policies.identity),
        (BOUNDARY, [policies.boundary] if policies.boundary else []),
        (SESSION, [policies.session] if policies.session else []),
    ]
    found = [
        Match(kind=kind, policy=policy, statement=statement)
        for kind, group in groups
        for policy in group
        for statement in policy.statements
        if statement.applies(ask)
    ]
    if policies.resource is not None:
        found += [
            Match(kind=RESOURCE, policy=policies.resource, statement=statement)
            for statement in policies.resource.statements
            if statement.grants(who) is not Grant.NONE and statement.applies(ask)
        ]
    return found


def _lacking(who: Principal, policies: Policies, allows: dict[str, list[Match]]) -> str:
    """The kind of policy whose Allow is missing, or "" when nothing is."""
    granted = max((match.statement.grants(who) for match in allows[RESOURCE]), default=Grant.NONE)
    if granted is Grant.SESSION:
        return ""
    if policies.resource_owns and granted is Grant.NONE:
        return RESOURCE
    if granted is not Grant.IDENTITY and not allows[IDENTITY]:
        return IDENTITY
    if policies.boundary is not None and not allows[BOUNDARY]:
        return BOUNDARY
    return SESSION if policies.session is not None and not allows[SESSION] else ""


def explain(ask: Ask, who: Principal, decision: Decision) -> str:
    """AWS's sentence for a request that is not allowed."""
    # S3 alone puts the resource in quotation marks.
    resource = f'"{ask.resource}"' if ask.action.startswith("s3:") else ask.resource
    if decision.verdict is Verdict.EXPLICIT_DENY:
        kind = decision.matches[0].kind
        reason = f"with an explicit deny in {'an' if kind == IDENTITY else 'a'} {kind}"
    else:
        reason = f"because no {decision.lacking} allows the {ask.action} action"
    return f"User: {who.arn} is not authorized to perform: {ask.action} on resource: {resource} {reason}"
