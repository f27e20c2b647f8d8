"""Every rule both ways, and what holds for all of them."""

import importlib
import re
from typing import Any

import pytest
from pulumi_policy import EnforcementLevel
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from infra.policies import accelerated, hosting, jobs, permissions, placement, secret_values, storage, supporting
from infra.policies.pack import RULES
from infra.policies.rule import Rule
from tests.unit.policies import (
    permissions_cases,
    placement_cases,
    serving_cases,
    storage_cases,
    supporting_cases,
    training_cases,
)
from tests.unit.policies.judge import Case, Given, problems

TABLES = (permissions_cases, placement_cases, serving_cases, storage_cases, supporting_cases, training_cases)
CASES = [case for table in TABLES for case in table.CASES]
MODULES = (accelerated, hosting, jobs, permissions, placement, secret_values, storage, supporting)
BY_NAME = {rule.name: rule for rule in RULES}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rule_finds_what_is_wrong_and_nothing_else(case: Case) -> None:
    rule = BY_NAME[case.rule]
    assert all(rule.applies_to(one.type) for one in case.given), "the rule does not look at this type"
    found = problems(rule, case.given, case.config)
    if case.says is None:
        assert found == []
    else:
        assert len(found) == 1 and case.says in found[0][0], found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_is_tested_both_ways(rule: Rule) -> None:
    assert {case.says is None for case in CASES if case.rule == rule.name} == {True, False}


def test_every_rule_of_the_modules_is_in_the_pack_once() -> None:
    written = [one for module in MODULES for one in vars(module).values() if isinstance(one, Rule)]
    assert sorted(rule.name for rule in written) == sorted(rule.name for rule in RULES)
    assert len(RULES) >= 20


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_named_described_and_has_a_level(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name)
    assert rule.description.endswith(".") and rule.description[0].isupper()
    assert rule.level in (EnforcementLevel.MANDATORY, EnforcementLevel.ADVISORY)


@pytest.mark.parametrize("case", [case for case in CASES if case.says], ids=str)
def test_a_message_begins_with_the_resource_and_shows_no_secret(case: Case) -> None:
    for message, _ in problems(BY_NAME[case.rule], case.given, case.config):
        assert any(message.startswith(f"{one.name}: ") for one in case.given)
        assert "hunter2" not in message and training_cases.ACCESS_KEY not in message


def test_a_rule_leaves_other_types_alone() -> None:
    assert problems(BY_NAME["log-retention"], [Given(type="aws:s3/bucket:Bucket")]) == []


def test_a_stack_rule_points_at_the_resource() -> None:
    ((_, urn),) = problems(BY_NAME["bucket-guards"], [storage_cases.DATA])
    assert urn == storage_cases.DATA.urn


def test_a_value_that_is_not_known_yet_is_judged_by_the_update() -> None:
    group = Given(type="aws:cloudwatch/logGroup:LogGroup", inputs={"retentionInDays": UNKNOWN_STRING_VALUE})
    with pytest.raises(Exception, match=r"^$") as caught:  # how pulumi-policy marks a policy as not applicable
        problems(BY_NAME["log-retention"], [group])
    refusal: Any = caught.value
    assert refusal.reason.startswith("judged during the update: string value at .retentionInDays")


def test_every_type_that_a_rule_looks_at_exists() -> None:
    known = {one for rule in RULES for one in rule.types if one.count(":") == 2 and one.startswith("aws:")}
    for one in sorted(known):
        module, name = one.removeprefix("aws:").split("/")[0], one.rsplit(":", 1)[1]
        cls = getattr(importlib.import_module(f"pulumi_aws.{module}"), name)
        assert cls.pulumi_type == one
