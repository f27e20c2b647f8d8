"""Values between Pulumi, the API and the engine's wire."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import struct_pb2  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from localaws.pulumi_provider import assets
from localaws.pulumi_provider.bind import bind, pulumi_name
from localaws.pulumi_provider.convert import from_api, request
from localaws.pulumi_provider.values import (
    ARCHIVE,
    ASSET,
    OUTPUT,
    RESOURCE,
    SECRET,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_TEXT,
    from_struct,
    to_struct,
)
from tests.unit.pulumi_provider.stub import row

CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "EndpointConfiguration",
        {
            "name": "c",
            "kmsKeyArn": "k",
            "productionVariants": [
                {
                    "variantName": "v",
                    "initialVariantWeight": 1.0,
                    "volumeSizeInGb": 5,
                    "enableSsmAccess": True,
                    "routingConfigs": [{"routingStrategy": "RANDOM"}],
                }
            ],
        },
        {
            "EndpointConfigName": "c",
            "KmsKeyId": "k",
            "ProductionVariants": [
                {
                    "VariantName": "v",
                    "InitialVariantWeight": 1.0,
                    "VolumeSizeInGB": 5,
                    "EnableSSMAccess": True,
                    "RoutingConfig": {"RoutingStrategy": "RANDOM"},
                }
            ],
        },
    ),
    (
        "Model",
        {"name": "m", "primaryContainer": {"image": "i", "environment": {"my_KEY": "1", "other-key": "2"}}},
        {"ModelName": "m", "PrimaryContainer": {"Image": "i", "Environment": {"my_KEY": "1", "other-key": "2"}}},
    ),
    (
        "BucketLifecycleConfiguration",
        {"bucket": "b", "rules": [{"id": "r", "status": "Enabled", "filter": {"and": {"tags": {"a": "b"}}}}]},
        {
            "Bucket": "b",
            "LifecycleConfiguration": {
                "Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"And": {"Tags": [{"Key": "a", "Value": "b"}]}}}]
            },
        },
    ),
    (
        "BucketOwnershipControls",
        {"bucket": "b", "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"Bucket": "b", "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
    ),
    (
        "Repository",
        {"name": "r", "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": "k"}]},
        {"repositoryName": "r", "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "k"}},
    ),
]


@pytest.mark.parametrize(("name", "properties", "params"), CASES, ids=[case[0] for case in CASES])
def test_requests_and_back(name: str, properties: dict[str, Any], params: dict[str, Any]) -> None:
    entry = row(name)
    assert request(entry, properties) == params
    for prop, bound in bind(entry).items():
        value: Any = params
        for part in bound.api.split("."):
            value = value.get(part) if value else None
        assert from_api(bound.node, value) == properties.get(prop)


def test_scalars_take_the_type_of_the_api() -> None:
    job = {"hyperParameters": {"epochs": 3, "amp": True}, "stoppingCondition": {"maxRuntimeInSeconds": "60"}}
    assert request(row("TrainingJob"), job) == {
        "HyperParameters": {"epochs": "3", "amp": "true"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("SSEAlgorithm", "sseAlgorithm"),
        ("VolumeSizeInGB", "volumeSizeInGb"),
        ("ID", "id"),
        ("S3Uri", "s3Uri"),
        ("serviceRole", "serviceRole"),
        ("MFADelete", "mfaDelete"),
    ],
)
def test_pulumi_names(member: str, name: str) -> None:
    assert pulumi_name(member) == name


PLAIN = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), PLAIN))
def test_plain_values_survive_the_wire(properties: dict[str, Any]) -> None:
    assert from_struct(to_struct(properties)) == properties


def test_signed_values_on_the_wire() -> None:
    asset = {SIGNATURE: ASSET, "path": "a.txt", "hash": "abc"}
    struct = struct_pb2.Struct()
    struct.update(
        {
            "secret": {SIGNATURE: SECRET, "value": "s"},
            "output": {SIGNATURE: OUTPUT, "value": 1, "secret": True},
            "later": {SIGNATURE: OUTPUT},
            "resource": {SIGNATURE: RESOURCE, "urn": "u", "id": "i"},
            "unknown": UNKNOWN_TEXT,
            "asset": asset,
            "nothing": None,
        }
    )
    plain = from_struct(struct)
    assert plain == {
        "secret": "s",
        "output": 1,
        "later": UNKNOWN,
        "resource": "i",
        "unknown": UNKNOWN,
        "asset": asset,
    }
    assert from_struct(to_struct(plain)) == plain
    with pytest.raises(TypeError, match="type object cannot be sent"):
        to_struct({"a": object()})


def test_bodies(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    file = assets.body({"source": {SIGNATURE: ASSET, "path": str(tmp_path / "a.txt")}})
    assert not isinstance(file, bytes)
    with file:
        assert file.read() == b"a"
    assert assets.body({"source": {SIGNATURE: ASSET, "text": "t"}}) == b"t"
    assert assets.body({"content": "c"}) == b"c"
    assert assets.body({"contentBase64": "YWI="}) == b"ab"
    assert assets.body({}) == b""
    with pytest.raises(ValueError, match="a local file, a text or an archive"):
        assets.body({"source": {SIGNATURE: ASSET, "uri": "https://example.com"}})


def test_archives_depend_on_names_and_contents_only(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    folder = assets.body({"source": {SIGNATURE: ARCHIVE, "path": str(tmp_path)}})
    members = {
        "b.txt": {SIGNATURE: ASSET, "text": "b"},
        "sub": {SIGNATURE: ARCHIVE, "assets": {"a.txt": {SIGNATURE: ASSET, "text": "a"}}},
    }
    assert folder == assets.body({"source": {SIGNATURE: ARCHIVE, "assets": members}})
    assert isinstance(folder, bytes)
    assert zipfile.ZipFile(io.BytesIO(folder)).namelist() == ["b.txt", "sub/a.txt"]
