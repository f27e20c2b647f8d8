"""What counts as a stack's own, and that every place where something can be left is searched."""

from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from slipway.leaks import find_leaks, own_name
from slipway.project import Stack
from slipway.records import find_records
from slipway.searches import BY_NAME, BY_TAG

REGION = "eu-west-1"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def stack() -> Any:
    with mock_aws():
        yield Stack(root=Path(), project="slipway", name="dev", region=REGION, environment={})


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("slipway-dev", True),
        ("slipway-dev-data-0123abc", True),
        ("slipway-dev-build-0123abc", True),
        ("slipway-dev-office-start-0123abc", True),
        ("slipway-dev-build", False),  # a stack may be called that; the build project is known by more than this name
        ("slipway-dev-data", False),
        ("slipway-dev-0123456789ab-0123abc", True),
        ("slipway-dev-eu", False),
        ("slipway-dev-eu-data-0123abc", False),
        ("slipway-development", False),
        ("my-slipway-dev", False),
        ("slipway-dev-data-0123abc-copy", False),
    ],
)
def test_a_name_is_own_only_when_the_program_makes_it(name: str, own: bool) -> None:
    assert own_name("slipway-dev", name) is own


def test_an_empty_account_has_no_leaks(stack: Stack) -> None:
    searched: list[str] = []
    assert find_leaks(stack, searched.append) == []
    assert searched == [*BY_NAME, *BY_TAG, "tags"]
    assert find_records(stack) == []


def test_leftovers_are_found_by_name_in_every_kind_and_neighbours_are_not(stack: Stack) -> None:
    for owner in ("slipway-dev", "slipway-dev-eu", "other-dev"):
        boto3.client("s3", REGION).create_bucket(
            Bucket=f"{owner}-data-0123abc", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        boto3.client("iam", REGION).create_role(RoleName=f"{owner}-train-0123abc", AssumeRolePolicyDocument="{}")
        boto3.client("ecr", REGION).create_repository(repositoryName=f"{owner}-image-0123abc")
        boto3.client("logs", REGION).create_log_group(logGroupName=f"/aws/sagemaker/Endpoints/{owner}")
        boto3.client("application-autoscaling", REGION).register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=f"endpoint/{owner}/variant/m5-large",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=1,
            MaxCapacity=2,
        )
    found = {(item.kind, item.name) for item in find_leaks(stack)}
    assert found == {
        ("bucket", "slipway-dev-data-0123abc"),
        ("role", "slipway-dev-train-0123abc"),
        ("image repository", "slipway-dev-image-0123abc"),
        ("log group", "/aws/sagemaker/Endpoints/slipway-dev"),
        ("scalable target", "endpoint/slipway-dev/variant/m5-large"),
    }


def test_a_leftover_with_a_strange_name_is_found_by_its_tags(stack: Stack) -> None:
    s3 = boto3.client("s3", REGION)
    for name, owner in (("strange", "dev"), ("neighbour", "other")):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        tags = [{"Key": "slipway:project", "Value": "slipway"}, {"Key": "slipway:stack", "Value": owner}]
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    (found,) = find_leaks(stack)
    assert (found.kind, found.name, found.how) == ("bucket", "strange", "tag")


def test_the_logs_of_runs_are_records_not_leaks(stack: Stack) -> None:
    logs = boto3.client("logs", REGION)
    logs.create_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
    for name in ("slipway-dev-0123456789ab-0123abc/algo-1-1", "slipway-dev-eu-0123456789ab-0123abc/algo-1-1"):
        logs.create_log_stream(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=name)
    assert [record.name for record in find_records(stack)] == ["slipway-dev-0123456789ab-0123abc/algo-1-1"]
    assert find_leaks(stack) == []


def test_what_aws_is_already_deleting_is_not_a_leak(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    sagemaker = boto3.client("sagemaker", REGION)
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_model(ModelName="m", ExecutionRoleArn="arn:aws:iam::123456789012:role/abc", Containers=[])
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="slipway-dev", EndpointConfigName="c")
    assert [item.kind for item in find_leaks(stack)] == ["endpoint"]
    monkeypatch.setattr("slipway.leaks.being_deleted", lambda stack: ["slipway-dev"])
    assert find_leaks(stack) == []


@pytest.mark.parametrize("preset", ["dev", "prod", "pull_request"])
def test_every_name_that_the_program_makes_is_known_as_its_own(preset: str) -> None:
    golden = yaml.safe_load((ROOT / f"tests/infra/graph.{preset}.golden.yaml").read_text())
    logical = (key.split(" ", 1)[1].rstrip(":") for key in golden)
    # Dashboard and log group are called as the endpoint; the model package group is a record that is kept on purpose.
    otherwise = ("slipway-dev-dashboard", "slipway-dev-endpoint-logs", "slipway-dev-models", "slipway-dev-run-")
    auto = [name for name in logical if name.startswith("slipway-dev-") and not name.startswith(otherwise)]
    assert len(auto) > 12 and [name for name in auto if not own_name("slipway-dev", f"{name}-0123abc")] == []
