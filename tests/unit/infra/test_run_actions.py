"""Tuning, registration and approval by API: what is asked, what comes back, and what the errors say."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from infra import waiting
from infra.run_actions import (
    NO_ARTIFACT_YET,
    NOT_YET,
    approved_artifact,
    awaits_first_approval,
    baseline_artifact,
    best_of_tuning,
    register,
)
from infra.waiting import ActionFailed

GROUP, RUN, IMAGE = "slipway-dev-models-abc1234", "slipway-dev-0123456789ab-abc1234", "image:1"
ARTIFACT = f"s3://bucket/runs/{RUN}/output/model.tar.gz"


class SageMaker:
    """Moto's registry, beside training and tuning jobs that the test describes."""

    def __init__(self, tuning: list[dict[str, Any]] | None = None) -> None:
        self._moto = boto3.client("sagemaker", "eu-west-1")
        self._tuning = iter(tuning or [])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._moto, name)

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803 (boto3's)
        return {
            "ModelArtifacts": {"S3ModelArtifacts": ARTIFACT.replace(RUN, TrainingJobName)},
            "FinalMetricDataList": [{"MetricName": "test:accuracy", "Value": 0.9972222}],
        }

    def describe_hyper_parameter_tuning_job(self, HyperParameterTuningJobName: str) -> dict[str, Any]:  # noqa: N803
        found = next(self._tuning, None)
        if found is None:
            error = {"Error": {"Code": "ResourceNotFound", "Message": "no such tuning job"}}
            raise ClientError(error, "DescribeHyperParameterTuningJob")
        return {"TrainingJobStatusCounters": {"Completed": 1, "InProgress": 1}, **found}


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.001)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        boto3.client("sagemaker", "eu-west-1").create_model_package_group(
            ModelPackageGroupName=GROUP, ModelPackageGroupDescription="x"
        )
        yield


BEST = {
    "BestTrainingJob": {
        "TrainingJobName": "tune-002",
        "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "test:accuracy", "Value": 0.99},
    }
}
RUNNING = {"HyperParameterTuningJobStatus": "InProgress"}
COMPLETED = {"HyperParameterTuningJobStatus": "Completed", **BEST}
SILENT: list[str] = []


def test_a_passed_run_is_registered_once_with_its_metrics() -> None:
    sagemaker = SageMaker()
    arn = register(lambda service: sagemaker, GROUP, RUN, IMAGE, approve=False)
    assert register(lambda service: sagemaker, GROUP, RUN, IMAGE, approve=False) == arn
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["CustomerMetadataProperties"] == {"run": RUN, "test_accuracy": "0.997222"}
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == ARTIFACT


def test_the_newest_approved_package_is_served() -> None:
    sagemaker = SageMaker()
    register(lambda service: sagemaker, GROUP, RUN, IMAGE, approve=True)
    register(lambda service: sagemaker, GROUP, RUN + "-pending", IMAGE, approve=False)
    assert approved_artifact(lambda service: sagemaker, GROUP, wait=True) == ARTIFACT
    assert baseline_artifact(lambda service: sagemaker, GROUP, wait=True) == ARTIFACT


def test_without_an_approved_run_there_is_no_baseline_and_no_error() -> None:
    sagemaker = SageMaker()
    assert baseline_artifact(lambda service: sagemaker, GROUP, wait=True) == ""
    register(lambda service: sagemaker, GROUP, RUN, IMAGE, approve=False)
    assert baseline_artifact(lambda service: sagemaker, GROUP, wait=True) == ""
    assert baseline_artifact(lambda service: sagemaker, "a-group-to-be", wait=False) == ""


def test_a_stack_awaits_its_first_approval_until_it_serves_or_a_run_is_approved() -> None:
    sagemaker = SageMaker()
    register(lambda service: sagemaker, GROUP, RUN, IMAGE, approve=False)
    assert awaits_first_approval(lambda service: sagemaker, "slipway-dev")
    role = "arn:aws:iam::123456789012:role/serve"
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": IMAGE})
    variant = {"VariantName": "a", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="one", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="slipway-dev", EndpointConfigName="one")
    assert not awaits_first_approval(lambda service: sagemaker, "slipway-dev")
    sagemaker.delete_endpoint(EndpointName="slipway-dev")
    register(lambda service: sagemaker, GROUP, RUN + "-passed", IMAGE, approve=True)
    assert not awaits_first_approval(lambda service: sagemaker, "slipway-dev")
    assert awaits_first_approval(lambda service: sagemaker, "slipway-dev-2"), "another stack's approval"


def test_nothing_approved_names_what_is_registered_and_how_to_approve_it() -> None:
    sagemaker = SageMaker()
    register(lambda service: sagemaker, GROUP, RUN, IMAGE, approve=False)
    with pytest.raises(ActionFailed, match=f"run {RUN}") as caught:
        approved_artifact(lambda service: sagemaker, GROUP, wait=True)
    assert "slipway promote RUN" in str(caught.value)
    assert approved_artifact(lambda service: sagemaker, GROUP, wait=False) == NO_ARTIFACT_YET


def test_the_best_of_a_tuning_job_is_waited_for_with_a_line_each_time_it_moves() -> None:
    said: list[str] = []
    sagemaker = SageMaker([RUNNING, RUNNING, COMPLETED])
    found = best_of_tuning(lambda service: sagemaker, "tune", said.append, True)
    assert found == ("tune-002", ARTIFACT.replace(RUN, "tune-002"))
    assert said == [
        "tuning tune: 1 done, 1 running, 0 failed",
        "tuning tune: 1 done, 1 running, 0 failed, best test:accuracy 0.99",
    ]


def test_a_preview_takes_the_best_so_far_and_waits_for_nothing() -> None:
    for states, expected in ([[], NOT_YET], [[RUNNING], NOT_YET], [[RUNNING | BEST], "tune-002"]):
        sagemaker = SageMaker(states)  # type: ignore[arg-type]
        assert best_of_tuning(lambda service, client=sagemaker: client, "tune", SILENT.append, False)[0] == expected


@pytest.mark.parametrize("status", ["Failed", "Stopped", "Completed"])
def test_a_tuning_job_without_a_passed_run_fails_the_update(status: str) -> None:
    sagemaker = SageMaker([{"HyperParameterTuningJobStatus": status}])
    with pytest.raises(ActionFailed, match=f"tuning job tune {status.lower()}: no training job passed"):
        best_of_tuning(lambda service: sagemaker, "tune", SILENT.append, True)
