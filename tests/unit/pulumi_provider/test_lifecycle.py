"""Create, read, update and delete against scripted answers: what is sent, waited for, and kept."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.pulumi_provider import lifecycle, waiters
from localaws.pulumi_provider.aws import CallError
from localaws.pulumi_provider.values import UNKNOWN
from tests.unit.pulumi_provider.stub import row, scripted

ARN = "arn:aws:sagemaker:us-east-1:123456789012:"
ROLE = "arn:aws:iam::123456789012:role/worker"
MISSING = ("ValidationException", 'Could not find endpoint "live".')


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "FIRST_PAUSE_SECONDS", 0.0)


def endpoint(status: str, **more: Any) -> dict[str, Any]:
    return {
        "EndpointName": "live",
        "EndpointArn": f"{ARN}endpoint/live",
        "EndpointConfigName": "one",
        "EndpointStatus": status,
        "CreationTime": 0,
        "LastModifiedTime": 0,
        **more,
    }


def job(status: str) -> dict[str, Any]:
    return {
        "TrainingJobName": "job",
        "TrainingJobArn": f"{ARN}training-job/job",
        "ModelArtifacts": {"S3ModelArtifacts": ""},
        "TrainingJobStatus": status,
        "SecondaryStatus": "Training",
        "StoppingCondition": {},
        "CreationTime": 0,
    }


def test_endpoint_creation_waits_until_it_serves() -> None:
    with scripted("Endpoint") as (context, script):
        tags = [{"Key": "team", "Value": "ml"}]
        script.answer(
            "CreateEndpoint",
            {"EndpointName": "live", "EndpointConfigName": "one", "Tags": tags},
            {"EndpointArn": f"{ARN}endpoint/live"},
        )
        for status in ("Creating", "InService", "InService"):  # the last one is the read
            script.answer("DescribeEndpoint", {"EndpointName": "live"}, endpoint(status))
        script.answer("ListTags", {"ResourceArn": f"{ARN}endpoint/live"}, {"Tags": tags})
        inputs = {"name": "live", "endpointConfigName": "one", "tags": {"team": "ml"}, "__defaults": []}
        resource_id, state = lifecycle.create(context, inputs)
    assert resource_id == "live"
    assert state["arn"] == f"{ARN}endpoint/live"
    assert state["tagsAll"] == {"team": "ml"}
    assert "__defaults" not in state


def test_failed_endpoint_is_an_error_with_its_reason_and_not_kept() -> None:
    with scripted("Endpoint") as (context, script):
        script.answer(
            "CreateEndpoint",
            {"EndpointName": "live", "EndpointConfigName": "one"},
            {"EndpointArn": f"{ARN}endpoint/live"},
        )
        script.answer("DescribeEndpoint", {"EndpointName": "live"}, endpoint("Failed", FailureReason="no such image"))
        with pytest.raises(waiters.WaitError, match="Failed instead of InService: no such image"):
            lifecycle.create(context, {"name": "live", "endpointConfigName": "one"})


def test_endpoint_moves_to_another_configuration_in_place() -> None:
    with scripted("Endpoint") as (context, script):
        script.answer(
            "UpdateEndpoint",
            {"EndpointName": "live", "EndpointConfigName": "two"},
            {"EndpointArn": f"{ARN}endpoint/live"},
        )
        for status in ("Updating", "InService", "InService"):
            script.answer("DescribeEndpoint", {"EndpointName": "live"}, endpoint(status))
        script.answer("ListTags", {"ResourceArn": f"{ARN}endpoint/live"}, {"Tags": []})
        old = {"name": "live", "endpointConfigName": "one"}
        state = lifecycle.update(context, old, {**old, "arn": "a"}, {"name": "live", "endpointConfigName": "two"})
    # AWS rolled back to `one`, and like the real provider this one reports what was asked for.
    assert state["endpointConfigName"] == "two"


def test_endpoint_deletion_ends_when_aws_no_longer_finds_it() -> None:
    with scripted("Endpoint") as (context, script):
        script.answer("DeleteEndpoint", {"EndpointName": "live"})
        script.answer("DescribeEndpoint", {"EndpointName": "live"}, endpoint("InService"))
        script.fail("DescribeEndpoint", {"EndpointName": "live"}, *MISSING)
        lifecycle.delete(context, {"name": "live"})


def test_deleting_what_is_gone_is_fine() -> None:
    with scripted("Endpoint") as (context, script):
        script.fail("DeleteEndpoint", {"EndpointName": "live"}, *MISSING)
        lifecycle.delete(context, {"name": "live"})


def test_other_errors_of_a_deletion_are_errors() -> None:
    with scripted("Endpoint") as (context, script):
        script.fail(
            "DeleteEndpoint", {"EndpointName": "live"}, "ValidationException", "Cannot update in-progress endpoint"
        )
        with pytest.raises(CallError, match="DeleteEndpoint: ValidationException: Cannot update"):
            lifecycle.delete(context, {"name": "live"})


def test_reading_what_is_gone_gives_none() -> None:
    with scripted("Endpoint") as (context, script):
        script.fail("DescribeEndpoint", {"EndpointName": "live"}, *MISSING)
        assert lifecycle.read(context, {"name": "live"}) is None


def test_running_job_is_stopped_awaited_and_then_deleted() -> None:
    with scripted("TrainingJob") as (context, script):
        key = {"TrainingJobName": "job"}
        script.answer("DescribeTrainingJob", key, job("InProgress"))
        script.answer("StopTrainingJob", key)
        for status in ("Stopping", "Stopped"):
            script.answer("DescribeTrainingJob", key, job(status))
        script.answer("DeleteTrainingJob", key)
        lifecycle.delete(context, {"trainingJobName": "job"})


def test_ended_job_is_deleted_at_once() -> None:
    with scripted("TrainingJob") as (context, script):
        script.answer("DescribeTrainingJob", {"TrainingJobName": "job"}, job("Completed"))
        script.answer("DeleteTrainingJob", {"TrainingJobName": "job"})
        lifecycle.delete(context, {"trainingJobName": "job"})


def test_job_update_sends_only_what_update_takes() -> None:
    old = {"trainingJobName": "job", "resourceConfig": {"instanceType": "ml.m5.large", "keepAlivePeriodInSeconds": 0}}
    new = {**old, "resourceConfig": {"instanceType": "ml.m5.large", "keepAlivePeriodInSeconds": 60}}
    with scripted("TrainingJob") as (context, script):
        script.answer(
            "UpdateTrainingJob",
            {"TrainingJobName": "job", "ResourceConfig": {"KeepAlivePeriodInSeconds": 60}},
            {"TrainingJobArn": f"{ARN}training-job/job"},
        )
        script.answer("DescribeTrainingJob", {"TrainingJobName": "job"}, job("InProgress"))
        script.answer("ListTags", {"ResourceArn": f"{ARN}training-job/job"}, {"Tags": []})
        lifecycle.update(context, old, old, new)


def test_project_sends_nested_defaults_and_clears_a_removed_description() -> None:
    old = {
        "name": "build",
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {"computeType": "BUILD_GENERAL1_SMALL", "image": "i", "type": "LINUX_CONTAINER"},
        "serviceRole": ROLE,
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        "description": "old",
    }
    new = {name: value for name, value in old.items() if name != "description"}
    new["logsConfig"] = {"cloudwatchLogs": {"groupName": "builds"}}
    sent = {
        "name": "build",
        "artifacts": {"type": "NO_ARTIFACTS"},
        "description": "",
        "environment": {"computeType": "BUILD_GENERAL1_SMALL", "image": "i", "type": "LINUX_CONTAINER"},
        "logsConfig": {"cloudWatchLogs": {"groupName": "builds", "status": "ENABLED"}},
        "serviceRole": ROLE,
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2"},
    }
    with scripted("Project") as (context, script):
        script.answer("UpdateProject", sent)
        script.answer("BatchGetProjects", {"names": ["build"]}, {"projects": [{"name": "build", "arn": "arn:build"}]})
        assert lifecycle.update(context, old, old, new)["arn"] == "arn:build"


def test_a_resource_that_cannot_be_completed_is_reported_with_what_was_done() -> None:
    with scripted("LogGroup") as (context, script):
        script.answer("CreateLogGroup", {"logGroupName": "g"})
        script.fail(
            "PutRetentionPolicy", {"logGroupName": "g", "retentionInDays": 14}, "OperationAbortedException", "busy"
        )
        with pytest.raises(lifecycle.PartlyCreatedError, match="PutRetentionPolicy: OperationAborted") as caught:
            lifecycle.create(context, {"name": "g", "retentionInDays": 14, "__defaults": []})
    assert caught.value.resource_id == "g"
    assert "retentionInDays" not in caught.value.inputs


def test_bucket_is_emptied_only_if_its_state_says_so() -> None:
    with scripted("Bucket") as (context, script):
        script.answer("ListObjectVersions", {"Bucket": "data"}, {"Versions": [{"Key": "a", "VersionId": "1"}]})
        script.answer(
            "DeleteObjects",
            {"Bucket": "data", "Delete": {"Objects": [{"Key": "a", "VersionId": "1"}], "Quiet": True}},
        )
        script.answer("ListMultipartUploads", {"Bucket": "data"}, {"Uploads": [{"Key": "b", "UploadId": "u"}]})
        script.answer("AbortMultipartUpload", {"Bucket": "data", "Key": "b", "UploadId": "u"})
        script.answer("DeleteBucket", {"Bucket": "data"})
        lifecycle.delete(context, {"bucket": "data", "forceDestroy": True})
    with scripted("Bucket") as (context, script):
        script.fail("DeleteBucket", {"Bucket": "data"}, "BucketNotEmpty", "it holds objects")
        with pytest.raises(CallError, match="BucketNotEmpty"):
            lifecycle.delete(context, {"bucket": "data"})


def test_a_wait_ends_with_its_limit_and_with_cancellation() -> None:
    with scripted("Endpoint") as (context, _):
        with pytest.raises(waiters.WaitError, match="did not happen within 0"):
            waiters.until(context, "rain", 0.0, lambda: None)
        context.cancelled.set()
        with pytest.raises(waiters.WaitError, match="cancelled"):
            waiters.until(context, "rain", 60.0, lambda: None)


def test_preview_knows_the_inputs_and_nothing_else() -> None:
    state = lifecycle.preview_create(row("Model"), {"name": "m", "tags": {"a": "b"}})
    assert state == {"arn": UNKNOWN, "name": "m", "tags": {"a": "b"}, "tagsAll": {"a": "b"}}


def test_preview_of_an_update_keeps_outputs_unless_content_moves_them() -> None:
    entry = row("BucketObjectv2")
    old = {"bucket": "b", "key": "k", "arn": "arn:k", "etag": "1"}
    retagged = lifecycle.preview_update(entry, old, {"bucket": "b", "key": "k"}, ["tags"])
    assert (retagged["arn"], retagged["etag"]) == ("arn:k", "1")
    assert lifecycle.preview_update(entry, old, {"bucket": "b", "key": "k"}, ["source"])["etag"] is UNKNOWN


def test_import_ids() -> None:
    target = row("Target")
    found = lifecycle.key_of(target, "sagemaker/endpoint/live/variant/main/sagemaker:variant:DesiredInstanceCount", {})
    assert found == {
        "serviceNamespace": "sagemaker",
        "resourceId": "endpoint/live/variant/main",
        "scalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    assert lifecycle.key_of(row("Project"), "arn:aws:codebuild:us-east-1:1:project/build", {}) == {"name": "build"}
    with pytest.raises(ValueError, match="no import id of aws:iam/rolePolicy:RolePolicy"):
        lifecycle.key_of(row("RolePolicy"), "no-colon", {})
