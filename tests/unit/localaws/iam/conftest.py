"""A role with chosen permissions, its clients, and a bucket with something in it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.unit.localaws.aws import Aws, unique
from tests.unit.localaws.iam.policy_texts import document
from tests.unit.localaws.iam.role_clients import RoleClients

Worker = Callable[..., RoleClients]


@pytest.fixture
def worker(aws: Aws) -> Worker:
    """Makes a role with these statements that the jobs' services trust, and returns its clients."""

    def make(*statements: Mapping[str, Any], **more: Any) -> RoleClients:
        services = {"Service": ["sagemaker.amazonaws.com", "codebuild.amazonaws.com"]}
        trust = more.pop("trust", {"Effect": "Allow", "Principal": services, "Action": "sts:AssumeRole"})
        iam, name = aws.client("iam"), unique("worker")
        text = json.dumps(document(trust))
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=text, **more)["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(document(*statements)))
        return RoleClients(aws.url, role)

    return make
