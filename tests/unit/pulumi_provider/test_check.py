"""Inputs: completed, and every fault found before AWS is called."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.pulumi_provider import naming
from localaws.pulumi_provider.check import check
from localaws.pulumi_provider.inputs import complete
from localaws.pulumi_provider.schema import AutoName
from localaws.pulumi_provider.values import UNKNOWN
from tests.unit.pulumi_provider.stub import row

ROLE = "arn:aws:iam::123456789012:role/worker"
OUTPUT = {"s3OutputPath": "s3://data/runs"}
VARIANT = {"variantName": "main", "modelName": "m", "instanceType": "ml.g5.xlarge", "initialInstanceCount": 1}


def faults(name: str, properties: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for fault in check(row(name), properties):
        found[fault.path] = f"{found.get(fault.path, '')}{fault.reason}"
    return found


def test_good_inputs_have_no_fault() -> None:
    assert faults("EndpointConfiguration", {"name": "c", "productionVariants": [VARIANT]}) == {}


def test_unknown_names_are_named_with_the_nearest_at_every_depth() -> None:
    found = faults("EndpointConfiguration", {"nmae": "c", "productionVariants": [{**VARIANT, "instanceTyp": "x"}]})
    assert "'name'" in found["nmae"] and "EndpointConfiguration" in found["nmae"]
    assert "did you mean 'instanceType'?" in found["productionVariants[0].instanceTyp"]


def test_what_pulumi_aws_has_and_we_refuse_is_said_so() -> None:
    assert "does not support it" in faults("Bucket", {"acl": "private"})["acl"]
    rules = [{"blockedEncryptionTypes": ["NONE"]}]
    found = faults("BucketServerSideEncryptionConfiguration", {"bucket": "b", "rules": rules})
    assert "does not support" in found["rules[0].blockedEncryptionTypes"]


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"instanceType": "ml.g5.huge"}, "instanceType", "'ml.g5.huge' is not allowed; did you mean 'ml.g5"),
        ({"initialInstanceCount": -1}, "initialInstanceCount", "-1 is out of range; allowed: 1 to any"),
        ({"initialInstanceCount": 1.5}, "initialInstanceCount", "expected a number (integer), got 1.5"),
        ({"variantName": "no spaces"}, "variantName", "does not match the API's pattern"),
        ({"variantName": "v" * 64}, "variantName", "has 64 characters; allowed: 0 to 63"),
        ({"enableSsmAccess": "maybe"}, "enableSsmAccess", "expected true or false"),
        (
            {"serverlessConfig": {"memorySizeInMb": 2048}},
            "serverlessConfig.maxConcurrency",
            "requires 'maxConcurrency'",
        ),
        ({"serverlessConfig": []}, "serverlessConfig", "expected an object, got []"),
        ({"routingConfigs": [{"routingStrategy": "RANDOM"}] * 2}, "routingConfigs", "has 2 items; the API takes one"),
        ({"modelName": {"a": 1}}, "modelName", "expected one string"),
    ],
)
def test_values_are_held_to_the_api_model(change: dict[str, Any], path: str, words: str) -> None:
    found = faults("EndpointConfiguration", {"name": "c", "productionVariants": [{**VARIANT, **change}]})
    assert words in found[f"productionVariants[0].{path}"]


def test_required_inputs_are_missed() -> None:
    assert faults("Role", {"name": "r"}) == {
        "assumeRolePolicy": "aws:iam/role:Role requires 'assumeRolePolicy'; set it"
    }


def test_unknown_values_pass() -> None:
    assert (
        faults("EndpointConfiguration", {"name": UNKNOWN, "productionVariants": [{**VARIANT, "modelName": UNKNOWN}]})
        == {}
    )
    assert faults("Role", {"name": "r", "assumeRolePolicy": UNKNOWN, "tags": {"a": UNKNOWN}}) == {}


def test_numbers_as_text_and_text_as_numbers_pass_as_with_pulumi_aws() -> None:
    steps = {"stepAdjustments": [{"scalingAdjustment": 1, "metricIntervalLowerBound": "0.5"}]}
    target = {
        "serviceNamespace": "sagemaker",
        "resourceId": "r",
        "scalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    assert (
        faults("appautoscaling/policy:Policy", {**target, "name": "p", "stepScalingPolicyConfiguration": steps}) == {}
    )
    job = {"trainingJobName": "j", "roleArn": ROLE, "hyperParameters": {"epochs": 3}, "outputDataConfig": OUTPUT}
    assert faults("TrainingJob", job) == {}


def test_bad_json_and_bad_tags_are_faults() -> None:
    found = faults("Role", {"name": "r", "assumeRolePolicy": "{bad", "tags": {"a": 1}})
    assert "is not valid JSON" in found["assumeRolePolicy"]
    assert "tag values are strings" in found["tags.a"]


def test_defaults_tags_names_and_documents_are_filled_in() -> None:
    new = {"assumeRolePolicy": {"Version": "2012-10-17"}, "tags": {"team": "own"}}
    done, failures = complete(row("Role"), "worker", {}, new, {"team": "default", "stack": "dev"}, b"seed")
    assert failures == []
    assert done["assumeRolePolicy"] == '{"Version":"2012-10-17"}'
    assert done["tags"] == {"team": "own", "stack": "dev"}
    assert (done["path"], done["maxSessionDuration"], done["forceDetachPolicies"]) == ("/", 3600, False)
    assert done["__defaults"] == ["forceDetachPolicies", "maxSessionDuration", "path", "name"]


def test_a_generated_name_is_kept_until_its_prefix_changes_or_it_was_not_generated() -> None:
    entry, new = row("Role"), {"assumeRolePolicy": "{}"}
    first, _ = complete(entry, "worker", {}, new, {}, b"one")
    again, _ = complete(entry, "worker", first, new, {}, b"two")
    assert again["name"] == first["name"]
    prefixed, _ = complete(entry, "worker", first, {**new, "namePrefix": "w-"}, {}, b"two")
    assert prefixed["name"].startswith("w-")
    fixed = {**first, "name": "mine", "__defaults": []}
    assert complete(entry, "worker", fixed, new, {}, b"two")[0]["name"] != "mine"


def test_unknown_default_parts_stay_unknown() -> None:
    new = {"assumeRolePolicy": {"Statement": [{"Resource": UNKNOWN}]}, "tags": UNKNOWN}
    done, _ = complete(row("Role"), "worker", {}, new, {"a": "b"}, b"")
    assert done["assumeRolePolicy"] is UNKNOWN
    assert done["tags"] is UNKNOWN


def test_generated_names() -> None:
    rule = AutoName(limit=20, lower=True)
    name = naming.generate(rule, "Data", {}, b"seed")
    assert name.startswith("data-") and len(name) == len("data-") + 7
    assert name == naming.generate(rule, "Data", {}, b"seed") != naming.generate(rule, "Data", {}, b"other")
    assert naming.generate(rule, "Data", {}, b"") != naming.generate(rule, "Data", {}, b"")
    assert naming.generate(AutoName(limit=9, random=False), "key", {}, b"") == "key"
    with pytest.raises(ValueError, match="has 28 characters and AWS allows 20; shorten"):
        naming.generate(rule, "x" * 20, {}, b"seed")


def test_too_long_a_name_is_a_fault_of_the_name() -> None:
    _, failures = complete(row("Endpoint"), "e" * 60, {}, {"endpointConfigName": "c"}, {}, b"seed")
    assert [fault.path for fault in failures] == ["name"]
