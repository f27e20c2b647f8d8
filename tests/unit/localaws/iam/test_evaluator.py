"""AWS's policy evaluation logic, one rule a test."""

from typing import Any

import pytest

from localaws.cloud import ACCOUNT
from localaws.iam.evaluator import Verdict, explain
from localaws.iam.patterns import PolicyError
from localaws.iam.principals import ADMINISTRATOR, Principal
from tests.unit.localaws.iam.policy_texts import ROLE, ROOT, WORKER, allow, ask, decide, deny, made

BUCKET, KEY = "arn:aws:s3:::bucket", "arn:aws:s3:::bucket/data/a.csv"
READ = ask("s3:GetObject", KEY)
ALLOWED, DENIED, NOTHING = Verdict.ALLOWED, Verdict.EXPLICIT_DENY, Verdict.IMPLICIT_DENY


def to(principal: Any, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": "*", "Resource": "*", **more}


def test_what_nothing_allows_is_denied() -> None:
    decision = decide(READ)
    assert (decision.verdict, decision.lacking) == (NOTHING, "identity-based policy")


def test_an_identity_policy_allows() -> None:
    assert decide(READ, allow("s3:GetObject", KEY)).allowed


def test_an_explicit_deny_wins_over_any_allow() -> None:
    assert decide(READ, allow("*"), deny("s3:GetObject")).verdict is DENIED


@pytest.mark.parametrize("place", ["boundary", "session"])
def test_a_deny_in_a_boundary_or_a_session_policy_wins_too(place: str) -> None:
    decision = decide(READ, allow("*"), **{place: deny("s3:*")})
    assert decision.verdict is DENIED


@pytest.mark.parametrize(
    ("action", "matched"),
    [
        ("s3:GetObject", True),
        ("S3:getobject", True),
        ("s3:Get*", True),
        ("s3:Get?bject", True),
        ("s3:*", True),
        ("*", True),
        ("s3:PutObject", False),
        ("s3:GetObjectTagging", False),
        ("sqs:*", False),
    ],
)
def test_actions_match_with_wildcards_and_without_case(action: str, matched: bool) -> None:
    assert decide(READ, allow(action)).allowed is matched


@pytest.mark.parametrize(
    ("resource", "matched"),
    [
        (KEY, True),
        (f"{BUCKET}/*", True),
        (f"{BUCKET}/data/?.csv", True),
        ("arn:aws:s3:::buck*", True),
        ("*", True),
        (BUCKET, False),
        (KEY.upper(), False),
        (f"{BUCKET}/other/*", False),
    ],
)
def test_resources_match_with_wildcards_and_case(resource: str, matched: bool) -> None:
    assert decide(READ, allow("s3:GetObject", resource)).allowed is matched


def test_an_action_without_resource_is_covered_by_a_star_alone() -> None:
    everywhere = ask("s3:ListAllMyBuckets")
    assert decide(everywhere, allow("s3:*", "*")).allowed
    assert not decide(everywhere, allow("s3:*", "arn:aws:s3:::*")).allowed


def test_not_action_covers_all_others() -> None:
    statement = {"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}
    assert decide(READ, statement).allowed
    assert not decide(ask("iam:CreateRole"), statement).allowed


def test_not_resource_covers_all_others() -> None:
    statement = {"Effect": "Deny", "Action": "s3:*", "NotResource": [f"{BUCKET}/data/*"]}
    assert decide(READ, allow("*"), statement).allowed
    assert decide(ask("s3:GetObject", f"{BUCKET}/x"), allow("*"), statement).verdict is DENIED


def test_a_boundary_must_allow_as_well() -> None:
    decision = decide(READ, allow("*"), boundary=allow("sqs:*"))
    assert (decision.verdict, decision.lacking, decision.within_boundary) == (NOTHING, "permissions boundary", False)
    assert decide(READ, allow("*"), boundary=allow("s3:*")).allowed


def test_a_boundary_gives_nothing_by_itself() -> None:
    assert decide(READ, boundary=allow("*")).verdict is NOTHING


def test_a_session_policy_must_allow_as_well() -> None:
    decision = decide(READ, allow("*"), session=allow("sqs:*"))
    assert (decision.verdict, decision.lacking) == (NOTHING, "session policy")


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ROLE}, {"AWS": WORKER.arn}, {"AWS": ["x", ROLE]}])
def test_a_resource_policy_that_names_the_role_suffices_in_its_account(principal: Any) -> None:
    assert decide(READ, resource=to(principal)).allowed


@pytest.mark.parametrize("principal", [{"AWS": ROOT}, {"AWS": ACCOUNT}])
def test_a_resource_policy_for_the_account_leaves_it_to_the_identity_policies(principal: Any) -> None:
    assert decide(READ, resource=to(principal)).verdict is NOTHING
    assert decide(READ, allow("s3:*"), resource=to(principal)).allowed


@pytest.mark.parametrize("principal", [{"AWS": f"{ROLE}2"}, {"Service": "s3.amazonaws.com"}, {"AWS": "999999999999"}])
def test_a_resource_policy_for_others_gives_nothing(principal: Any) -> None:
    assert decide(READ, resource=to(principal)).verdict is NOTHING


def test_a_resource_policy_for_a_role_is_limited_by_the_boundary() -> None:
    decision = decide(READ, resource=to({"AWS": ROLE}), boundary=allow("sqs:*"))
    assert (decision.verdict, decision.lacking) == (NOTHING, "permissions boundary")


def test_a_resource_policy_for_a_session_is_not_limited_by_what_the_boundary_does_not_say() -> None:
    assert decide(READ, resource=to({"AWS": WORKER.arn}), boundary=allow("sqs:*")).allowed
    assert decide(READ, resource=to({"AWS": WORKER.arn}), boundary=deny("s3:*")).verdict is DENIED


@pytest.mark.parametrize("principal", ["*", {"AWS": ROOT}, {"AWS": ROLE}])
def test_a_deny_in_a_resource_policy_reaches_everybody_it_covers(principal: Any) -> None:
    decision = decide(READ, allow("*"), resource=to(principal, "Deny"))
    assert decision.verdict is DENIED
    assert explain(READ, WORKER, decision).endswith("with an explicit deny in a resource-based policy")


def test_not_principal_leaves_out_only_who_is_listed_with_role_and_account() -> None:
    def lockdown(*names: str) -> dict[str, Any]:
        return {"Effect": "Deny", "NotPrincipal": {"AWS": list(names)}, "Action": "*", "Resource": "*"}

    assert decide(READ, allow("*"), resource=lockdown(WORKER.arn, ROLE, ROOT)).allowed
    assert decide(READ, allow("*"), resource=lockdown(ROLE)).verdict is DENIED
    assert decide(READ, allow("*"), resource=lockdown("arn:aws:iam::1:root")).verdict is DENIED


def test_a_key_is_closed_to_whom_its_own_policy_does_not_let_in() -> None:
    decrypt = ask("kms:Decrypt", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1")
    decision = decide(decrypt, allow("*"), resource=to({"AWS": f"{ROLE}2"}), owns=True)
    assert (decision.verdict, decision.lacking) == (NOTHING, "resource-based policy")
    assert decide(decrypt, resource=to({"AWS": ROLE}), owns=True).allowed


def test_a_key_policy_for_the_account_delegates_to_identity_policies() -> None:
    decrypt = ask("kms:Decrypt", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1")
    assert decide(decrypt, allow("kms:Decrypt"), resource=to({"AWS": ROOT}), owns=True).allowed
    decision = decide(decrypt, resource=to({"AWS": ROOT}), owns=True)
    assert (decision.verdict, decision.lacking) == (NOTHING, "identity-based policy")


def test_a_service_principal_is_named_by_service() -> None:
    sagemaker = Principal(arn="sagemaker.amazonaws.com", kind="Service", account="")
    what = ask("sts:AssumeRole", ROLE)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}
    assert decide(what, who=sagemaker, resource=trust, owns=True).allowed
    other = {**trust, "Principal": {"Service": ["lambda.amazonaws.com"]}}
    assert not decide(what, who=sagemaker, resource=other, owns=True).allowed
    assert not decide(what, who=sagemaker, resource={**trust, "Principal": {"AWS": ROOT}}, owns=True).allowed


@pytest.mark.parametrize(
    ("resource", "name", "matched"),
    [
        ("arn:aws:s3:::bucket/${aws:username}/*", "ann", True),
        ("arn:aws:s3:::bucket/${aws:username}/*", "bob", False),
        ("arn:aws:s3:::bucket/${aws:USERNAME}/*", "ann", True),
        ("arn:aws:s3:::bucket/${aws:PrincipalTag/team, 'ann'}/*", "", True),
        ("arn:aws:s3:::bucket/${aws:PrincipalTag/team}/*", "", False),
        ("arn:aws:s3:::bucket/ann${*}*", "", False),
        ("arn:aws:s3:::bucket/${aws:username}/*", "*", False),
    ],
)
def test_variables_stand_for_the_requests_values(resource: str, name: str, matched: bool) -> None:
    what = ask("s3:GetObject", "arn:aws:s3:::bucket/ann/x", **({"aws__username": name} if name else {}))
    assert decide(what, allow("s3:GetObject", resource)).allowed is matched


def test_before_2012_a_variable_is_plain_text() -> None:
    old = {"Version": "2008-10-17", "Statement": [allow("s3:GetObject", "arn:aws:s3:::bucket/${aws:username}")]}
    from localaws.iam.evaluator import Policies, evaluate
    from localaws.iam.statements import policy

    literal = ask("s3:GetObject", "arn:aws:s3:::bucket/${aws:username}", aws__username="ann")
    assert evaluate(literal, WORKER, Policies(identity=[policy("old", old)])).allowed


def test_a_variable_that_no_key_can_be_is_an_error_that_names_it() -> None:
    with pytest.raises(PolicyError, match=r"policy variable \$\{whoever\} is not known"):
        decide(READ, allow("s3:GetObject", "arn:aws:s3:::bucket/${whoever}"))


@pytest.mark.parametrize("broken", ["{", "[]", '{"Statement": [{"Effect": "Maybe", "Action": "*"}]}', "{}"])
def test_what_is_no_policy_is_an_error(broken: str) -> None:
    from localaws.iam.statements import policy

    with pytest.raises(PolicyError, match="policy p is not a policy document"):
        policy("p", broken)


def test_the_sentence_is_aws_own() -> None:
    what = ask("sagemaker:ListModels")
    assert explain(what, WORKER, decide(what)) == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/worker/job is not authorized to perform: sagemaker:ListModels "
        "on resource: * because no identity-based policy allows the sagemaker:ListModels action"
    )
    refused = explain(READ, WORKER, decide(READ, deny("*")))
    assert refused.endswith(f'on resource: "{KEY}" with an explicit deny in an identity-based policy')


def test_the_statement_that_decided_is_told() -> None:
    decision = decide(READ, allow("s3:*", Sid="Reads"), deny("s3:Delete*"))
    assert [match.statement.sid for match in decision.matches] == ["Reads"]


def test_the_administrator_is_of_the_account() -> None:
    assert decide(READ, allow("*"), who=ADMINISTRATOR, resource=to({"AWS": ROOT}, "Deny")).verdict is DENIED
    assert made(allow("*")).statements[0].number == 0
