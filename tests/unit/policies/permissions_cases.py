"""Cases for the rules of infra/policies/permissions.py."""

import json
from typing import Any

from infra.policies.permissions import ATTACHMENT, ROLE
from tests.unit.policies.judge import Given, bad, good

ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ACCOUNT = "123456789012"
HOST = "token.actions.githubusercontent.com"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/edge"
MANAGED = "arn:aws:iam::aws:policy/"


def may(actions: Any, resources: Any, **more: Any) -> Given:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources, **more}
    return Given(type=ROLE_POLICY, inputs={"policy": json.dumps({"Statement": statement})})


def inline(actions: Any, resources: Any) -> Given:
    policy = may(actions, resources).inputs
    return Given(type=ROLE, inputs={"inlinePolicies": [policy]})


def trusts(principal: dict[str, Any], condition: dict[str, Any] | None = None) -> Given:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition or {}}
    return Given(type=ROLE, inputs={"assumeRolePolicy": json.dumps({"Statement": [statement]})})


def ci(subject: Any, audience: Any = "sts.amazonaws.com", operator: str = "StringEquals") -> Given:
    conditions: dict[str, Any] = {"StringEquals": {f"{HOST}:aud": audience}} if audience else {}
    if subject:
        conditions[operator] = {**conditions.get(operator, {}), f"{HOST}:sub": subject}
    return trusts({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"}, conditions)


SAGEMAKER = {"Service": "sagemaker.amazonaws.com"}
CASES = [
    good("iam-no-wildcard-action", may(["s3:GetObject"], "*")),
    bad("iam-no-wildcard-action", "allows s3:*", may(["s3:*", "s3:GetObject"], "arn:aws:s3:::data")),
    bad("iam-no-wildcard-action", "allows *", inline("*", "arn:aws:s3:::data")),
    bad("iam-no-wildcard-action", "all but NotAction", may([], "*", NotAction="iam:*")),
    good(
        "iam-no-wildcard-resource",
        may("s3:GetObject", ["arn:aws:s3:::data/*"]),
        may(["ecr:GetAuthorizationToken", "CloudWatch:PutMetricData"], "*"),
    ),
    bad("iam-no-wildcard-resource", "s3:GetObject is allowed on every", may("s3:GetObject", "*")),
    bad("iam-no-wildcard-resource", "s3:GetObject is", may(["s3:GetObject", "ecr:GetAuthorizationToken"], ["*"])),
    bad("iam-no-wildcard-resource", "every resource", may("s3:GetObject", "arn:aws:s3:::*")),
    bad("iam-no-wildcard-resource", "every resource", inline("logs:PutLogEvents", "arn:aws:logs:*:*:*")),
    good("iam-no-broad-managed-policy", Given(type=ATTACHMENT, inputs={"policyArn": BOUNDARY})),
    bad(
        "iam-no-broad-managed-policy",
        "AmazonSageMakerFullAccess is attached",
        Given(type=ATTACHMENT, inputs={"policyArn": f"{MANAGED}AmazonSageMakerFullAccess"}),
    ),
    bad(
        "iam-no-broad-managed-policy",
        "AdministratorAccess",
        Given(type=ROLE, inputs={"managedPolicyArns": [f"{MANAGED}AdministratorAccess"]}),
    ),
    good(
        "service-trust-names-account",
        trusts(SAGEMAKER, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        trusts({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    ),
    bad("service-trust-names-account", "sagemaker.amazonaws.com may assume", trusts(SAGEMAKER)),
    bad(
        "service-trust-names-account",
        "aws:SourceAccount",
        trusts(SAGEMAKER, {"StringLike": {"aws:SourceAccount": "*"}}),
    ),
    good("oidc-trust-is-pinned", ci("repo:org/name:environment:prod"), trusts(SAGEMAKER)),
    bad("oidc-trust-is-pinned", "sub is repo:org/*", ci("repo:org/*", operator="StringLike")),
    bad("oidc-trust-is-pinned", "sub is not pinned", ci(None)),
    bad("oidc-trust-is-pinned", "aud is not pinned", ci("repo:org/name:pull_request", audience=None)),
    bad("oidc-trust-is-pinned", "aud is other", ci("repo:org/name:pull_request", audience="other")),
    bad("oidc-trust-is-pinned", "sub is not pinned", ci("repo:org/name:pull_request", operator="StringNotEquals")),
    good("role-boundary", Given(type=ROLE)),
    good("role-boundary", Given(type=ROLE, inputs={"permissionsBoundary": BOUNDARY}), config={"arn": BOUNDARY}),
    bad("role-boundary", f"is None; allowed: {BOUNDARY}", Given(type=ROLE), config={"arn": BOUNDARY}),
]
