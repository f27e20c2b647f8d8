"""Differences: paths, kinds, what replaces, and what only looks different."""

from __future__ import annotations

import json
from typing import Any

from localaws.pulumi_provider import documents
from localaws.pulumi_provider.diff import changes, delete_before_replace
from localaws.pulumi_provider.refresh import imported_inputs, refreshed_inputs
from localaws.pulumi_provider.values import ASSET, SIGNATURE, UNKNOWN
from tests.unit.pulumi_provider.stub import row


def found(name: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    return {change.path: (change.kind.value, change.replaces) for change in changes(row(name), old, new)}


def asset(path: str, digest: str) -> dict[str, str]:
    return {SIGNATURE: ASSET, "path": path, "hash": digest}


def test_paths_and_kinds() -> None:
    old = {"tags": {"team:a": "1", "b": "2"}, "retentionInDays": 7, "name": "g"}
    new = {"tags": {"team:a": "9", "c": "3"}, "name": "h"}
    assert found("LogGroup", old, new) == {
        'tags["team:a"]': ("update", False),
        "tags.b": ("delete", False),
        "tags.c": ("add", False),
        "retentionInDays": ("delete", False),
        "name": ("update", True),
    }


def test_list_items_are_compared_by_position() -> None:
    old = {"productionVariants": [{"modelName": "a"}]}
    new = {"productionVariants": [{"modelName": "b"}, {"modelName": "c"}]}
    assert found("EndpointConfiguration", old, new) == {
        "productionVariants[0].modelName": ("update", True),
        "productionVariants[1]": ("add", True),
    }


def test_an_updatable_member_of_a_replacing_input_does_not_replace() -> None:
    old = {"resourceConfig": {"instanceCount": 1, "keepAlivePeriodInSeconds": 0}}
    new = {"resourceConfig": {"instanceCount": 1, "keepAlivePeriodInSeconds": 60}}
    assert found("TrainingJob", old, new) == {"resourceConfig.keepAlivePeriodInSeconds": ("update", False)}
    new["resourceConfig"]["instanceCount"] = 2
    assert found("TrainingJob", old, new)["resourceConfig.instanceCount"] == ("update", True)


def test_equal_meaning_is_no_difference() -> None:
    one = {"Version": "2012-10-17", "Statement": [{"Action": ["s3:Get", "s3:Put"], "Resource": ["*"]}]}
    other = {"Statement": {"Resource": "*", "Action": ["s3:Put", "s3:Get"]}, "Version": "2012-10-17"}
    assert found("BucketPolicy", {"policy": json.dumps(one)}, {"policy": json.dumps(other, indent=1)}) == {}
    assert found("LogGroup", {"retentionInDays": 7}, {"retentionInDays": 7.0}) == {}
    assert found("BucketObjectv2", {"source": asset("a", "1")}, {"source": asset("b", "1")}) == {}
    assert (
        found("Bucket", {"forceDestroy": False, "__defaults": []}, {"forceDestroy": False, "__defaults": ["x"]}) == {}
    )


def test_different_meaning_is() -> None:
    old = {"policy": '{"Statement":[{"Action":"s3:Get"}]}'}
    assert found("BucketPolicy", old, {"policy": '{"Statement":[{"Action":"s3:Put"}]}'}) == {
        "policy": ("update", False)
    }
    assert found("BucketObjectv2", {"source": asset("a", "1")}, {"source": asset("a", "2")}) == {
        "source": ("update", False)
    }
    assert found("Bucket", {"forceDestroy": 1}, {"forceDestroy": True}) == {"forceDestroy": ("update", False)}


def test_unknown_counts_as_changed() -> None:
    assert found("Model", {"executionRoleArn": "a"}, {"executionRoleArn": UNKNOWN}) == {
        "executionRoleArn": ("update", True)
    }


def test_only_a_fixed_and_kept_name_is_deleted_first() -> None:
    model = row("Model")
    assert delete_before_replace(model, {"name": "m"}, {"name": "m", "__defaults": []})
    assert not delete_before_replace(model, {"name": "m"}, {"name": "n", "__defaults": []})
    assert not delete_before_replace(model, {"name": "m-1234567"}, {"name": "m-1234567", "__defaults": ["name"]})
    assert not delete_before_replace(row("TrainingJob"), {"trainingJobName": "j"}, {"trainingJobName": "j"})


def test_documents() -> None:
    assert documents.same('{"a": 1}', {"a": 1})
    assert not documents.same('{"NotSet": ["a", "b"]}', '{"NotSet": ["b", "a"]}')
    assert not documents.same("{bad", "{worse")
    assert documents.problem("[]") is None


def test_refresh_compares_only_what_the_program_set() -> None:
    inputs = {
        "name": "c",
        "__defaults": ["name"],
        "productionVariants": [{"variantName": "main", "initialInstanceCount": 1, "routingConfigs": []}],
        "tags": {"a": "b"},
    }
    variant = {"variantName": "main", "initialInstanceCount": 3, "initialVariantWeight": 1.0}
    actual = {"name": "c", "productionVariants": [variant, {"variantName": "other"}], "tags": {"a": "c"}, "arn": "x"}
    assert refreshed_inputs(row("EndpointConfiguration"), inputs, actual) == {
        "name": "c",
        "__defaults": ["name"],
        "productionVariants": [
            {"variantName": "main", "initialInstanceCount": 3, "routingConfigs": []},
            {"variantName": "other"},
        ],
        "tags": {"a": "c"},
    }


def test_refresh_takes_no_notice_of_order_spelling_or_things_switched_off() -> None:
    policy = '{"Statement": [{"Action": ["a"]}]}'
    kept = {"bucket": "b", "policy": policy}
    assert (
        refreshed_inputs(row("BucketPolicy"), kept, {"bucket": "b", "policy": '{"Statement":[{"Action":"a"}]}'}) == kept
    )
    model = {"name": "m", "enableNetworkIsolation": False, "vpcConfig": {"subnets": ["s1", "s2"]}}
    actual = {"name": "m", "vpcConfig": {"subnets": ["s2", "s1"], "securityGroupIds": ["g"]}}
    assert refreshed_inputs(row("Model"), model, actual) == model


def test_refresh_drops_what_was_taken_away() -> None:
    assert refreshed_inputs(row("LogGroup"), {"name": "g", "retentionInDays": 7}, {"name": "g"}) == {"name": "g"}


def test_import_takes_everything_that_is_set() -> None:
    actual = {"name": "g", "retentionInDays": 7, "kmsKeyId": "", "arn": "x", "region": "r", "tags": {}}
    assert imported_inputs(row("LogGroup"), actual) == {"name": "g", "retentionInDays": 7, "skipDestroy": False}
