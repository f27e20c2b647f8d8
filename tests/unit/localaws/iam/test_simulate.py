"""The policy simulator answers what enforcement does."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, unique
from tests.unit.localaws.iam.conftest import Worker
from tests.unit.localaws.iam.policy_texts import allow, deny, document
from tests.unit.localaws.iam.role_clients import RoleClients, denied


def text(*statements: Any) -> str:
    return json.dumps(document(*statements))


def custom(aws: Aws, *policies: str, actions: list[str], **more: Any) -> list[str]:
    answer = aws.client("iam").simulate_custom_policy(PolicyInputList=list(policies), ActionNames=actions, **more)
    return [result["EvalDecision"] for result in answer["EvaluationResults"]]


def test_a_custom_policy(aws: Aws) -> None:
    found = custom(
        aws, text(allow("s3:*"), deny("s3:Delete*")), actions=["s3:GetObject", "s3:DeleteObject", "sqs:SendMessage"]
    )
    assert found == ["allowed", "explicitDeny", "implicitDeny"]


def test_a_boundary_and_a_resource_policy(aws: Aws) -> None:
    boundary, owner = text(allow("s3:Get*")), text({**allow("s3:*"), "Principal": "*"})
    assert custom(
        aws, text(allow("s3:*")), actions=["s3:GetObject"], PermissionsBoundaryPolicyInputList=[boundary]
    ) == ["allowed"]
    answer = aws.client("iam").simulate_custom_policy(
        PolicyInputList=[text(allow("s3:*"))],
        ActionNames=["s3:PutObject"],
        PermissionsBoundaryPolicyInputList=[boundary],
    )["EvaluationResults"][0]
    assert answer["EvalDecision"] == "implicitDeny"
    assert answer["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    assert custom(aws, text(allow("sqs:*")), actions=["s3:GetObject"], ResourcePolicy=owner) == ["allowed"]


def test_context_entries_and_those_that_are_missing(aws: Aws) -> None:
    policy = text(allow("s3:ListBucket", Condition={"StringLike": {"s3:prefix": "mine/*"}}))
    simulate = aws.client("iam").simulate_custom_policy
    without = simulate(PolicyInputList=[policy], ActionNames=["s3:ListBucket"])["EvaluationResults"][0]
    assert (without["EvalDecision"], without["MissingContextValues"]) == ("implicitDeny", ["s3:prefix"])
    entry = {"ContextKeyName": "s3:prefix", "ContextKeyValues": ["mine/a"], "ContextKeyType": "string"}
    assert custom(aws, policy, actions=["s3:ListBucket"], ContextEntries=[entry]) == ["allowed"]


def test_pages(aws: Aws) -> None:
    iam, names = aws.client("iam"), [f"s3:Get{number}" for number in range(5)]
    pages = list(
        iam.get_paginator("simulate_custom_policy").paginate(
            PolicyInputList=[text(allow("s3:*"))], ActionNames=names, PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["EvaluationResults"]) for page in pages] == [2, 2, 1]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]


def test_every_pair_of_action_and_resource_is_answered(aws: Aws) -> None:
    arns = ["arn:aws:s3:::a/k", "arn:aws:s3:::b/k"]
    answer = aws.client("iam").simulate_custom_policy(
        PolicyInputList=[text(allow("s3:GetObject", arns[0]))], ActionNames=["s3:GetObject"], ResourceArns=arns
    )["EvaluationResults"]
    assert [(item["EvalResourceName"], item["EvalDecision"]) for item in answer] == [
        (arns[0], "allowed"),
        (arns[1], "implicitDeny"),
    ]
    assert answer[0]["MatchedStatements"][0]["SourcePolicyType"] == "IAM Policy"


def test_wrong_policies_and_roles_are_errors(aws: Aws) -> None:
    with pytest.raises(ClientError, match=r"InvalidInput.*condition operator StringMatches is not known"):
        custom(aws, text(allow("s3:*", Condition={"StringMatches": {"a": "b"}})), actions=["s3:GetObject"])
    with pytest.raises(ClientError, match="NoSuchEntity"):
        aws.client("iam").simulate_principal_policy(
            PolicySourceArn="arn:aws:iam::123456789012:role/nobody", ActionNames=["s3:GetObject"]
        )


def test_the_simulator_and_enforcement_agree(aws: Aws, worker: Worker) -> None:
    aws.put("mine/a", "1")
    aws.put("other/a", "1")
    boundary = aws.client("iam").create_policy(
        PolicyName=unique("b"), PolicyDocument=text(allow(["s3:*", "logs:*"]), deny("logs:*"))
    )["Policy"]["Arn"]
    bucket = f"arn:aws:s3:::{aws.bucket}"
    clients = worker(
        allow("s3:GetObject", f"{bucket}/mine/*"),
        allow(["logs:DescribeLogGroups", "sagemaker:ListModels", "s3:ListAllMyBuckets"]),
        PermissionsBoundary=boundary,
    )
    s3 = clients.client("s3")
    calls: list[tuple[str, str, Callable[[], object]]] = [
        ("s3:GetObject", f"{bucket}/mine/a", lambda: s3.get_object(Bucket=aws.bucket, Key="mine/a")),
        ("s3:GetObject", f"{bucket}/other/a", lambda: s3.get_object(Bucket=aws.bucket, Key="other/a")),
        ("s3:PutObject", f"{bucket}/mine/a", lambda: s3.put_object(Bucket=aws.bucket, Key="mine/a", Body=b"")),
        ("s3:ListAllMyBuckets", "*", lambda: s3.list_buckets()),
        ("logs:DescribeLogGroups", "*", lambda: clients.client("logs").describe_log_groups()),
        ("sagemaker:ListModels", "*", lambda: clients.client("sagemaker").list_models()),
    ]
    for action, resource, call in calls:
        said = aws.client("iam").simulate_principal_policy(
            PolicySourceArn=clients.role, ActionNames=[action], ResourceArns=[resource]
        )["EvaluationResults"][0]["EvalDecision"]
        assert (said == "allowed") is _allowed(call), f"{action} on {resource}: the simulator says {said}"


def _allowed(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError:
        denied(call)
        return False
    return True


def test_a_role_may_ask_only_with_permission(worker: Worker) -> None:
    clients: RoleClients = worker()
    iam = clients.client("iam")
    refused = denied(lambda: iam.simulate_principal_policy(PolicySourceArn=clients.role, ActionNames=["s3:GetObject"]))
    assert f"iam:SimulatePrincipalPolicy on resource: {clients.role}" in refused
