"""Each kind of constraint that the API models state, in AWS's words; and what answers may contain."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from localaws import wire
from localaws.errors import AwsError
from localaws.services import SERVICES

JOB: dict[str, Any] = {
    "TrainingJobName": "job",
    "RoleArn": "arn:aws:iam::123456789012:role/r",
    "AlgorithmSpecification": {"TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
}


def parse(**changes: Any) -> dict[str, Any]:
    return wire.parse("sagemaker", "CreateTrainingJob", json.dumps({**JOB, **changes}).encode())


def test_a_right_request_loses_only_unknown_members() -> None:
    assert parse(Unknown=1, Tags=None) == JOB


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"RoleArn": None}, "Value null at 'roleArn' failed to satisfy constraint: Member must not be null"),
        (
            {"AlgorithmSpecification": {"TrainingInputMode": "Tape"}},
            "Value 'Tape' at 'algorithmSpecification.trainingInputMode' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Pipe, File, FastFile]",
        ),
        (
            {"TrainingJobName": "a_b"},
            "Value 'a_b' at 'trainingJobName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
        ),
        ({"RoleArn": "short"}, "Member must have length greater than or equal to 20"),
        ({"TrainingJobName": "a" * 64}, "Member must have length less than or equal to 63"),
        (
            {"ResourceConfig": {**JOB["ResourceConfig"], "VolumeSizeInGB": -1}},
            "Value '-1' at 'resourceConfig.volumeSizeInGB' failed to satisfy constraint: "
            "Member must have value greater than or equal to 0",
        ),
        ({"RetryStrategy": {"MaximumRetryAttempts": 31}}, "Member must have value less than or equal to 30"),
        ({"Tags": [{"Key": "k", "Value": "v"}, {"Key": "k"}]}, "Value null at 'tags.2.member.value'"),
        ({"HyperParameters": {"k": "v" * 2501}}, "at 'hyperParameters.k.member'"),
    ],
)
def test_broken_constraints(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AwsError) as caught:
        parse(**changes)
    assert caught.value.code == "ValidationException"
    assert sentence in caught.value.message


def test_all_broken_constraints_are_told_at_once() -> None:
    with pytest.raises(AwsError, match=r"2 validation errors detected: .*; "):
        parse(RoleArn=None, TrainingJobName=None)


@pytest.mark.parametrize("body", [b"{", b'{"TrainingJobName": 5}', b"[]", b'{"TrainingJobName": true}'])
def test_wrong_types_are_serialization_errors(body: bytes) -> None:
    with pytest.raises(AwsError, match=r"SerializationException"):
        wire.parse("sagemaker", "DescribeTrainingJob", body)


def test_times_are_read_as_numbers_and_as_text() -> None:
    body = b'{"CreationTimeAfter": "2026-11-21T00:00:00Z", "CreationTimeBefore": 5}'
    parsed = wire.parse("sagemaker", "ListTrainingJobs", body)
    assert parsed == {"CreationTimeAfter": datetime(2026, 11, 21, tzinfo=UTC).timestamp(), "CreationTimeBefore": 5.0}


def test_answers_hold_only_what_the_model_knows() -> None:
    record = {
        "TrainingJobName": "job",
        "CreationTime": datetime(1970, 1, 2, tzinfo=UTC),
        "Secret": 1,
        "VpcConfig": None,
    }
    status, headers, body = wire.answer("sagemaker", "DescribeTrainingJob", record)
    assert (status, json.loads(body)) == (200, {"TrainingJobName": "job", "CreationTime": 86400.0})
    assert dict(headers)["Content-Type"] == "application/x-amz-json-1.1"


def test_errors_carry_their_code_twice() -> None:
    status, headers, body = wire.failure(AwsError("ResourceInUse", "taken"))
    assert (status, json.loads(body)["__type"], dict(headers)["x-amzn-ErrorType"]) == (
        400,
        "ResourceInUse",
        "ResourceInUse",
    )
    assert (
        wire.xml_failure(AwsError("A", "a < b"), wrapped=False)[2]
        == b"<Error><Code>A</Code><Message>a &lt; b</Message></Error>"
    )


@pytest.mark.parametrize("service", [service.name for service in SERVICES])
def test_every_pattern_of_our_models_is_understood(service: str) -> None:
    model = wire.model(service)
    patterns = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names} - {None}
    for pattern in patterns:
        wire._pattern(pattern)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_our_operations_exist_in_the_models(service: Any) -> None:
    assert set(service.operations) <= set(wire.model(service.name).operation_names)
