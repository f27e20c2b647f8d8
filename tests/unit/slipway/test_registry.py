"""Approving, going back, and listing runs, against moto's registry."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from slipway.errors import SlipwayError
from slipway.project import Stack
from slipway.registry import approve, packages, reject_newest
from slipway.runs import find_runs

REGION = "eu-west-1"
GROUP = "slipway-dev-models-0123abc"
OLD, NEW = "slipway-dev-0123456789ab-0123abc", "slipway-dev-ba9876543210-0123abc"


def register(run: str, status: str) -> None:
    boto3.client("sagemaker", REGION).create_model_package(
        ModelPackageGroupName=GROUP,
        ModelPackageDescription=run,
        ModelApprovalStatus=status,
        InferenceSpecification={"Containers": [{"Image": "i", "ModelDataUrl": f"s3://b/runs/{run}/model.tar.gz"}]},
        CustomerMetadataProperties={"run": run, "test_accuracy": "0.99"},
    )


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        sagemaker = boto3.client("sagemaker", REGION)
        for group in (GROUP, "slipway-dev-eu-models-0123abc"):
            sagemaker.create_model_package_group(ModelPackageGroupName=group, ModelPackageGroupDescription="x")
        yield Stack(root=Path(), project="slipway", name="dev", region=REGION, environment={})


def statuses(stack: Stack) -> dict[str, str]:
    """By run, which the artifact's path tells: moto's UpdateModelPackage loses the metadata that it is not given."""
    return {package.artifact.split("/")[4]: package.status for package in packages(stack)}


def test_a_promoted_run_is_the_newest_approved_one(stack: Stack) -> None:
    register(OLD, "PendingManualApproval")
    register(NEW, "Approved")
    assert approve(stack, OLD).run == OLD
    assert statuses(stack) == {OLD: "Approved", NEW: "Rejected"}


def test_a_run_that_is_not_registered_is_named_beside_those_that_are(stack: Stack) -> None:
    register(OLD, "Approved")
    with pytest.raises(SlipwayError, match=re.escape(OLD)) as caught:
        approve(stack, "nonsense")
    assert caught.value.exit_code == 2


def test_rollback_rejects_the_newest_approved_and_names_the_one_before(stack: Stack) -> None:
    register(OLD, "Approved")
    register(NEW, "Approved")
    bad, good = reject_newest(stack)
    assert (bad.run, good.run) == (NEW, OLD)
    assert statuses(stack) == {OLD: "Approved", NEW: "Rejected"}


def test_there_is_nothing_to_go_back_to_with_one_approved_run_and_nothing_changes(stack: Stack) -> None:
    register(OLD, "Approved")
    register(NEW, "PendingManualApproval")
    with pytest.raises(SlipwayError, match="nothing to go back to"):
        reject_newest(stack)
    assert statuses(stack) == {OLD: "Approved", NEW: "PendingManualApproval"}


def test_a_run_whose_job_is_gone_is_listed_from_the_registry(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    register(OLD, "Approved")
    monkeypatch.setattr("slipway.runs.tuning_jobs", lambda stack: [])
    monkeypatch.setattr("slipway.runs.served_artifact", lambda stack: f"s3://b/runs/{OLD}/model.tar.gz")
    job: dict[str, Any] = {
        "TrainingJobName": NEW,
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "i"},
        "RoleArn": "arn:aws:iam::123456789012:role/train",
        "OutputDataConfig": {"S3OutputPath": "s3://b/runs"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    boto3.client("sagemaker", REGION).create_training_job(**job)
    boto3.client("sagemaker", REGION).create_training_job(**job | {"TrainingJobName": "slipway-dev-eu-run"})
    newest, oldest = find_runs(stack)
    assert (newest.name, newest.instance, newest.approval, newest.served) == (NEW, "1 x ml.m5.large", "", False)
    assert (oldest.name, oldest.approval, oldest.served) == (OLD, "Approved", True)
    assert oldest.metrics == {"test_accuracy": "0.99"}
