"""The roles: every statement against AWS's own table of actions, who may assume them, and how they follow settings."""

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data

from infra.deploy_role import Scope, deploy_permissions
from infra.documents import Statement, document
from infra.permissions import DENY_ALL, PERMISSIONS, Known
from infra.teardown_role import teardown_permissions
from tests.infra.recorder import ACCOUNT, REGION, Declared

INLINE_LIMIT_CHARACTERS = 10_240  # of all inline policies of a role together (IAM's quotas)
MANAGED_LIMIT_CHARACTERS = 6_144
GLOBAL_KEYS = ("aws:SourceAccount", "aws:SourceArn", "aws:PrincipalAccount")
HERE = f"{REGION}:{ACCOUNT}"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/teams-limit"
GITHUB = "token.actions.githubusercontent.com"
SECRETS = (f"arn:aws:secretsmanager:{HERE}:secret:wandb-AbCdEf", f"arn:aws:ssm:{HERE}:parameter/team/token")


def known(**changes: Any) -> Known:
    """A stack with everything switched on, less what `changes` takes away."""
    facts: dict[str, Any] = {
        "project": "slipway",
        "stack": "dev",
        "account": ACCOUNT,
        "region": REGION,
        "bucket": "arn:aws:s3:::slipway-dev-data-abc1234",
        "data": "s3://lake/digits/",
        "incarnation": "abc1234",
        "key": f"arn:aws:kms:{HERE}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "artifacts": ("s3://models/m.tar.gz",),
        "tunes": True,
        "asynchronous": True,
        "captures": True,
        "notifies": True,
        "budgets": True,
        "training_secrets": SECRETS,
        "serving_secrets": SECRETS,
        "vpc": f"arn:aws:ec2:{HERE}:vpc/vpc-1",
        "subnets": (f"arn:aws:ec2:{HERE}:subnet/subnet-1",),
        "groups": (f"arn:aws:ec2:{HERE}:security-group/sg-1",),
    }
    return Known(**(facts | changes))


def deploy(stack: str = "dev", facts: Known | None = None) -> list[Statement]:
    return deploy_permissions(Scope(known=facts or known(), stack=stack, boundary=BOUNDARY, audits=True))


def teardown(stack: str = "dev", facts: Known | None = None) -> list[Statement]:
    return teardown_permissions(Scope(known=facts or known(), stack=stack, boundary=BOUNDARY, audits=True))


ROLES: dict[str, list[Statement]] = {
    **{job: statements(known()) for job, statements in PERMISSIONS.items()},
    "deploy": deploy(),
    "deploy-pr": deploy("pr-*"),
    "teardown": teardown(),
    "teardown-pr": teardown("pr-*"),
}
STATEMENTS = [pytest.param(one, id=f"{role}-{number}") for role in ROLES for number, one in enumerate(ROLES[role])]


def rows(action: str) -> list[dict[str, Any]]:
    """AWS's rows of one action: a resource type and its condition keys each; `*` for the action without one."""
    service, name = action.split(":")
    found = get_action_data(service, name)
    assert found, f"AWS has no action {action}"
    exact: list[dict[str, Any]] = [row for row in found[service] if row["action"] == action]
    assert exact, f"AWS spells {action} another way"
    return exact


def fits(resource: str, row: dict[str, Any]) -> bool:
    return overlap(resource, re.sub(r"\$\{[^}]+\}", "*", row["resource_arn_format"].replace("${Partition}", "aws")))


@cache
def overlap(one: str, other: str) -> bool:
    """Whether some text matches both patterns of literals and `*`."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return one[0] == other[0] and overlap(one[1:], other[1:])


def keys_of(statement: Statement) -> set[str]:
    return {key for operator in statement.get("Condition", {}).values() for key in operator}


def generic(key: str) -> str:
    """aws:ResourceTag/slipway:stack as the table has it: aws:ResourceTag/${TagKey}."""
    return re.sub(r"(aws:\w+Tag)/.*", r"\1/${TagKey}", key)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_names_resources_of_its_actions_wherever_aws_can(statement: Statement) -> None:
    resources = statement["Resource"]
    for action in statement["Action"]:
        typed = [row for row in rows(action) if row["resource_arn_format"] != "*"]
        if resources == ["*"]:
            assert not typed, f"{action} takes a resource: {typed[0]['resource_arn_format']}"
        else:
            assert any(fits(one, row) for one in resources for row in typed), f"{action} is not about {resources}"
    if resources != ["*"]:
        every = [row for action in statement["Action"] for row in rows(action)]
        idle = [one for one in resources if not any(fits(one, row) for row in every)]
        assert not idle, f"no action of {statement['Action']} is about {idle}"


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_condition_is_one_that_aws_evaluates_for_the_action(statement: Statement) -> None:
    for action in statement["Action"]:
        supported = {key.lower() for row in rows(action) for key in row["condition_keys"]}
        for key in keys_of(statement):
            assert key in GLOBAL_KEYS or generic(key).lower() in supported, f"{action} has no condition key {key}"


def test_policies_fit_in_a_role_for_the_longest_names() -> None:
    longest = known(project="p" * 20, stack="s" * 20, region="ap-southeast-1")
    policies = {
        **{job: statements(longest) for job, statements in PERMISSIONS.items()},
        "deploy": deploy("s" * 20, longest),
        "deploy-pr": deploy("pr-*", longest),
    }
    sizes = {role: len(document(statements)) for role, statements in policies.items()}
    assert max(sizes.values()) <= INLINE_LIMIT_CHARACTERS, sizes
    assert len(document(teardown("s" * 20, longest))) <= MANAGED_LIMIT_CHARACTERS


def actions(statements: list[Statement]) -> set[str]:
    return {action for one in statements if one["Effect"] == "Allow" for action in one["Action"]}


@pytest.mark.parametrize(
    ("job", "without", "gone"),
    [
        ("train", {"key": ""}, "kms:Decrypt"),
        ("train", {"vpc": ""}, "ec2:CreateNetworkInterface"),
        ("train", {"training_secrets": ()}, "secretsmanager:GetSecretValue"),
        ("serve", {"asynchronous": False, "captures": False}, "s3:PutObject"),
        ("serve", {"notifies": False}, "sns:Publish"),
        ("serve", {"serving_secrets": ()}, "ssm:GetParameter"),
        ("build", {"key": ""}, "kms:Decrypt"),
        ("guard", {"budgets": False}, "budgets:ViewBudget"),
        ("guard", {"asynchronous": False}, "cloudwatch:PutMetricAlarm"),
    ],
)
def test_a_permission_is_there_only_with_the_setting_that_needs_it(job: str, without: Any, gone: str) -> None:
    assert gone in actions(PERMISSIONS[job](known()))
    assert gone not in actions(PERMISSIONS[job](known(**without)))


def test_the_guard_can_only_freeze() -> None:
    own = [one for one in ROLES["guard"] if any(action.startswith("iam:") for action in one["Action"])]
    freeze, look = own
    assert look["Action"] == ["iam:ListAttachedRolePolicies"]
    assert freeze["Action"] == ["iam:AttachRolePolicy"]
    assert freeze["Condition"] == {"ArnEquals": {"iam:PolicyARN": DENY_ALL}}
    assert not [one for one in freeze["Resource"] if "guard" in one or one.endswith("role/*")]


def test_jobs_use_the_key_through_a_service_only() -> None:
    for job in PERMISSIONS:
        for one in ROLES[job]:
            used = {action for action in one["Action"] if action.startswith("kms:")} - {"kms:DescribeKey"}
            if used:
                assert keys_of(one) & {"kms:ViaService", "kms:GrantIsForAWSResource"}, one


def test_ci_cannot_change_its_own_role_and_creates_roles_with_the_boundary_only() -> None:
    (refused,) = [one for one in ROLES["deploy"] if one["Effect"] == "Deny"]
    assert refused["Resource"] == [f"arn:aws:iam::{ACCOUNT}:role/slipway-dev-deploy-*"]
    assert {"iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"} <= set(refused["Action"])
    for one in ROLES["deploy"]:
        if one["Effect"] == "Allow" and {"iam:CreateRole", "iam:PutRolePolicy"} & set(one["Action"]):
            assert one["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    assert "iam:DeleteRolePermissionsBoundary" not in actions(ROLES["deploy"])


def test_the_role_of_pull_requests_changes_nothing_of_the_stack_that_makes_it() -> None:
    mine = [
        one
        for one in ROLES["deploy-pr"]
        if any("slipway-dev" in resource or "slipway/dev" in resource for resource in one["Resource"])
    ]
    assert actions(mine) == {"s3:GetObject"}


Declare = Callable[..., Any]
DEPLOY = {"repository": "team/models", "subjects": ["environment:prod", "pull_request"]}


def roles(declared: list[Declared]) -> dict[str, Declared]:
    found = [one for one in declared if one.type == "aws:iam/role:Role"]
    return {one.name.removeprefix("slipway-dev-"): one for one in found}


def trusted(role: Declared) -> Statement:
    (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    return dict(statement)


def test_each_job_has_a_role_that_only_its_service_and_this_account_may_use(declare: Declare) -> None:
    declared, _, _ = declare(access={"permissions_boundary": BOUNDARY})
    services = {job: trusted(role)["Principal"]["Service"] for job, role in roles(declared).items()}
    assert services == {
        "train": "sagemaker.amazonaws.com",
        "serve": "sagemaker.amazonaws.com",
        "build": "codebuild.amazonaws.com",
        "guard": "lambda.amazonaws.com",
        "schedule": "scheduler.amazonaws.com",
    }
    for role in roles(declared).values():
        assert trusted(role)["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
        assert role.inputs["permissionsBoundary"] == BOUNDARY


def test_there_is_no_build_role_for_an_image_of_the_users_own(declare: Declare) -> None:
    declared, _, _ = declare(image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/model:1")
    assert "build" not in roles(declared)


def test_ci_assumes_its_roles_by_whole_subjects(declare: Declare) -> None:
    declared, _, _ = declare(access={"deploy": DEPLOY})
    (provider,) = [one for one in declared if one.type.endswith(":OpenIdConnectProvider")]
    assert (provider.inputs["url"], provider.inputs["clientIdLists"]) == (f"https://{GITHUB}", ["sts.amazonaws.com"])
    assert "thumbprintLists" not in provider.inputs
    subjects = {"deploy": "repo:team/models:environment:prod", "deploy-pr": "repo:team/models:pull_request"}
    for job, subject in subjects.items():
        statement = trusted(roles(declared)[job])
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert statement["Condition"] == {
            "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": [subject]}
        }


def test_the_accounts_own_identity_provider_is_used_when_it_is_named(declare: Declare) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"
    declared, _, _ = declare(access={"deploy": DEPLOY | {"subjects": ["environment:prod"], "oidc_provider_arn": arn}})
    assert not [one for one in declared if one.type.endswith(":OpenIdConnectProvider")]
    assert trusted(roles(declared)["deploy"])["Principal"] == {"Federated": arn}
    assert "deploy-pr" not in roles(declared)


def test_a_shadow_from_elsewhere_can_be_read(declare: Declare) -> None:
    declared, _, _ = declare(serving={"shadow": {"model": "s3://elsewhere/shadow.tar.gz"}})
    (policy,) = [one for one in declared if one.name == "access-serve"]
    assert "arn:aws:s3:::elsewhere/shadow.tar.gz*" in policy.inputs["policy"]


def test_preview_declares_the_same_roles(declare: Declare) -> None:
    changes = {"access": {"deploy": DEPLOY}, "storage": {"kms_key": "own"}, "network": {"private": True}}
    up, _, _ = declare(**changes)
    preview, _, _ = declare(preview=True, **changes)

    def inputs(declared: list[Declared]) -> dict[str, set[str]]:
        return {one.name: set(one.inputs) for one in declared if one.type.startswith("aws:iam")}

    assert inputs(preview) == inputs(up)
