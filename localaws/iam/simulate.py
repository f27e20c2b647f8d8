"""IAM's policy simulator, from the same evaluator that decides about requests."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from localaws.cloud import Cloud
from localaws.errors import AwsError
from localaws.iam import judge, policies
from localaws.iam.evaluator import RESOURCE, Decision, Match, Policies, evaluate
from localaws.iam.patterns import Context, PolicyError
from localaws.iam.principals import ADMINISTRATOR, Principal, role_session
from localaws.iam.sessions import Session
from localaws.iam.statements import Ask, Policy, policy

DEFAULT_ITEMS = 100
SIMULATION = "simulation"  # the session's name where only a role is given


def principal_policy(cloud: Cloud, caller: Session | None, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """SimulatePrincipalPolicy: a role's own policies and boundary, and those of the request."""
    arn = request["PolicySourceArn"]
    role = policies.role(arn)
    if role is None:
        raise AwsError("NoSuchEntity", f"The role with name {arn.rsplit('/', 1)[-1]} cannot be found.", status=404)
    try:
        own = policies.of_role(role)
    except PolicyError as error:
        raise _invalid(error) from error
    return _simulate(cloud, region, request, own, role_session(arn, SIMULATION))


def custom_policy(cloud: Cloud, caller: Session | None, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """SimulateCustomPolicy: only the policies of the request."""
    who = ADMINISTRATOR if "CallerArn" not in request else Principal(arn=request["CallerArn"])
    return _simulate(cloud, region, request, Policies(), who)


def _simulate(cloud: Cloud, region: str, request: Mapping[str, Any], own: Policies, who: Principal) -> dict[str, Any]:
    try:
        given = _named(request, "PolicyInputList")
        boundaries = _named(request, "PermissionsBoundaryPolicyInputList")
        resource = [policy("ResourcePolicy", request["ResourcePolicy"])] if request.get("ResourcePolicy") else []
        base = {**judge.context(cloud, who, region), **_entries(request)}
        asked = [
            Ask(action=action, resource=arn, context=base)
            for action in request["ActionNames"]
            for arn in request.get("ResourceArns") or ["*"]
        ]
        used = Policies(
            identity=(*own.identity, *given),
            boundary=boundaries[0] if boundaries else own.boundary,
            resource=resource[0] if resource else None,
        )
        results = [_result(ask, evaluate(ask, who, used), used) for ask in asked]
    except PolicyError as error:
        raise _invalid(error) from error
    return _page(results, request)


def _invalid(error: PolicyError) -> AwsError:
    return AwsError("InvalidInput", str(error))


def _named(request: Mapping[str, Any], member: str) -> Sequence[Policy]:
    return [policy(f"{member}.{number}", text) for number, text in enumerate(request.get(member, []), 1)]


def _entries(request: Mapping[str, Any]) -> Context:
    entries = request.get("ContextEntries", [])
    return {entry["ContextKeyName"].lower(): tuple(entry.get("ContextKeyValues", [])) for entry in entries}


def _result(ask: Ask, decision: Decision, used: Policies) -> dict[str, Any]:
    matched = [_statement(match) for match in decision.matches]
    missing = sorted(set(_missing(ask, used)))
    boundary = {"AllowedByPermissionsBoundary": bool(decision.within_boundary)}
    detail = {"PermissionsBoundaryDecisionDetail": boundary} if used.boundary is not None else {}
    verdict = decision.verdict.value
    specific = {
        "EvalResourceName": ask.resource,
        "EvalResourceDecision": verdict,
        "MatchedStatements": matched,
        "MissingContextValues": missing,
        **detail,
    }
    return {
        "EvalActionName": ask.action,
        "EvalResourceName": ask.resource,
        "EvalDecision": verdict,
        "MatchedStatements": matched,
        "MissingContextValues": missing,
        **detail,
        "ResourceSpecificResults": [specific],
    }


def _statement(match: Match) -> dict[str, Any]:
    """AWS points at a statement by its place in the text; here the whole text is pointed at."""
    lines = match.policy.text.splitlines() or [""]
    kind = "Resource Policy" if match.kind == RESOURCE else "IAM Policy"
    return {
        "SourcePolicyId": match.policy.name,
        "SourcePolicyType": kind,
        "StartPosition": {"Line": 1, "Column": 1},
        "EndPosition": {"Line": len(lines), "Column": len(lines[-1]) + 1},
    }


def _missing(ask: Ask, used: Policies) -> Iterator[str]:
    """Condition keys that statements about the action name and the request does not have."""
    for one in (*used.identity, *filter(None, (used.boundary, used.resource))):
        for statement in one.statements:
            for keys in statement.condition.values():
                if statement.concerns(ask.action):
                    yield from (key for key in keys if key.lower() not in ask.context)


def _page(results: Sequence[Mapping[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
    first, count = int(request.get("Marker") or 0), int(request.get("MaxItems") or DEFAULT_ITEMS)
    shown, more = results[first : first + count], first + count < len(results)
    return {"EvaluationResults": shown, "IsTruncated": more, **({"Marker": str(first + count)} if more else {})}
