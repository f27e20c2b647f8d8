"""Build, wait and clear: what they call, when they call nothing, and what their errors say."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pulumi
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from infra import waiting
from infra.actions import Actions
from infra.waiting import ActionFailed

URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/slipway-dev-image-abc1234:tag"
JOB = "slipway-dev-0123456789ab-abc1234"
MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class Scripted:
    """A client whose operations are given; what is called is kept."""

    def __init__(self, **operations: Callable[..., Any]) -> None:
        self.calls: list[str] = []
        for name, operation in operations.items():
            setattr(self, name, self._kept(name, operation))

    def _kept(self, name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.calls.append(name)
            return operation(**arguments)

        return call


class WithScripted(Actions):
    """Actions with some services scripted; the others go to moto."""

    def __init__(self, **services: Scripted) -> None:
        super().__init__("eu-west-1")
        self._services = services

    def _client(self, service: str) -> Any:
        return self._services.get(service) or super()._client(service)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(pulumi.log, "info", lambda *words, **options: None)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def failing(code: str, message: str) -> Callable[..., Any]:
    def call(**arguments: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": message}}, "Operation")

    return call


def log(group: str, stream: str, *lines: str) -> None:
    logs = boto3.client("logs", "eu-west-1")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": int(time.time() * 1000) + number, "message": line} for number, line in enumerate(lines)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def builds(status: str) -> Scripted:
    states = iter([{"buildComplete": False}, {"buildComplete": True}])
    facts = {
        "id": "project:1",
        "buildStatus": status,
        "phases": [{"phaseType": "BUILD", "contexts": [{"message": "docker build: exit status 1"}]}],
        "logs": {"groupName": "/aws/codebuild/project", "streamName": "1"},
    }
    return Scripted(
        start_build=lambda **_: {"build": {"id": "project:1"}},
        batch_get_builds=lambda **_: {"builds": [facts | next(states)]},
    )


def test_an_image_that_exists_is_not_built() -> None:
    ecr = boto3.client("ecr", "eu-west-1")
    ecr.create_repository(repositoryName="slipway-dev-image-abc1234")
    ecr.put_image(repositoryName="slipway-dev-image-abc1234", imageManifest=json.dumps(MANIFEST), imageTag="tag")
    codebuild = builds("SUCCEEDED")
    assert asyncio.run(WithScripted(codebuild=codebuild).built_image(URI, "project", None)) == URI  # type: ignore[arg-type]
    assert codebuild.calls == []


def test_an_absent_image_is_built_and_waited_for() -> None:
    boto3.client("ecr", "eu-west-1").create_repository(repositoryName="slipway-dev-image-abc1234")
    codebuild = builds("SUCCEEDED")
    assert asyncio.run(WithScripted(codebuild=codebuild).built_image(URI, "project", None)) == URI  # type: ignore[arg-type]
    assert codebuild.calls == ["start_build", "batch_get_builds", "batch_get_builds"]


def test_a_failed_build_tells_phase_reason_and_the_end_of_its_log() -> None:
    boto3.client("ecr", "eu-west-1").create_repository(repositoryName="slipway-dev-image-abc1234")
    log("/aws/codebuild/project", "1", "step 1", "COPY failed")
    with pytest.raises(ActionFailed) as caught:
        asyncio.run(WithScripted(codebuild=builds("FAILED")).built_image(URI, "project", None))  # type: ignore[arg-type]
    assert "BUILD: docker build: exit status 1" in str(caught.value)
    assert "COPY failed" in str(caught.value)


def runs(**end: Any) -> Scripted:
    states = iter([{"TrainingJobStatus": "InProgress", "SecondaryStatus": "Training"}, end])
    return Scripted(describe_training_job=lambda **_: next(states))


def test_the_artifact_of_a_completed_run_is_returned() -> None:
    end = {"TrainingJobStatus": "Completed", "SecondaryStatus": "Completed"}
    sagemaker = runs(**end, ModelArtifacts={"S3ModelArtifacts": "s3://b/model.tar.gz"})
    uri = asyncio.run(WithScripted(sagemaker=sagemaker).trained_model(JOB, None))  # type: ignore[arg-type]
    assert uri == "s3://b/model.tar.gz"


@pytest.mark.parametrize("logged", [True, False])
def test_a_failed_run_tells_its_cause_its_log_and_what_to_do(logged: bool) -> None:
    if logged:
        log(LOG_GROUP, f"{JOB}/algo-1-1", "epoch=1/2 loss=1", "ValueError: no data")
    sagemaker = runs(
        TrainingJobStatus="Failed", SecondaryStatus="Failed", FailureReason="AlgorithmError: ValueError: no data"
    )
    with pytest.raises(ActionFailed) as caught:
        asyncio.run(WithScripted(sagemaker=sagemaker).trained_model(JOB, None))  # type: ignore[arg-type]
    text = str(caught.value)
    assert f"run {JOB} failed: AlgorithmError: ValueError: no data" in text
    assert ("epoch=1/2 loss=1" in text) is logged
    assert "slipway train --again" in text and f"slipway logs --run {JOB}" in text


def endpoints(status: str, stack: str) -> Scripted:
    tags = [{"Key": "slipway:project", "Value": "slipway"}, {"Key": "slipway:stack", "Value": stack}]

    class Waiter:
        def wait(self, **arguments: Any) -> None:
            assert arguments["EndpointName"] == "slipway-dev"

    scripted = Scripted(
        describe_endpoint=lambda **_: {"EndpointStatus": status, "EndpointArn": "arn"},
        list_tags=lambda **_: {"Tags": tags},
        delete_endpoint=lambda **_: None,
    )
    scripted.get_waiter = lambda name: Waiter()  # type: ignore[attr-defined]
    return scripted


@pytest.mark.parametrize(
    ("status", "stack", "deleted"),
    [("Failed", "dev", True), ("Failed", "other", False), ("InService", "dev", False), ("Creating", "dev", False)],
)
def test_only_a_failed_endpoint_of_this_stack_is_cleared(status: str, stack: str, deleted: bool) -> None:
    sagemaker = endpoints(status, stack)
    asyncio.run(WithScripted(sagemaker=sagemaker).free_endpoint_name("slipway-dev", "slipway-dev"))
    assert ("delete_endpoint" in sagemaker.calls) is deleted


def test_a_name_that_nobody_holds_is_free() -> None:
    sagemaker = Scripted(describe_endpoint=failing("ValidationException", "Could not find endpoint"))
    actions = WithScripted(sagemaker=sagemaker)
    assert asyncio.run(actions.free_endpoint_name("slipway-dev", "slipway-dev")) == "slipway-dev"


def test_another_refusal_is_not_taken_for_a_free_name() -> None:
    sagemaker = Scripted(describe_endpoint=failing("AccessDeniedException", "not authorized"))
    with pytest.raises(ClientError, match="not authorized"):
        asyncio.run(WithScripted(sagemaker=sagemaker).free_endpoint_name("slipway-dev", "slipway-dev"))


def test_an_endpoint_that_was_rolled_back_fails_the_update_with_its_reason_and_log() -> None:
    log("/aws/sagemaker/Endpoints/slipway-dev", "m5-large/i-1", "the manifest is missing")
    found = {"EndpointStatus": "InService", "EndpointArn": "arn", "EndpointConfigName": "old"}
    found |= {"FailureReason": "did not pass the ping health check"}
    actions = WithScripted(sagemaker=Scripted(describe_endpoint=lambda **_: found))
    with pytest.raises(ActionFailed) as caught:
        asyncio.run(actions.moved_endpoint("slipway-dev", "new"))
    text = str(caught.value)
    assert "did not move to new; it still serves old: did not pass the ping health check" in text
    assert "the manifest is missing" in text
    assert asyncio.run(actions.moved_endpoint("slipway-dev", "old")) == "slipway-dev"


def test_an_endpoint_that_the_guardian_has_stopped_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(pulumi, "warn", warned.append)
    sagemaker = Scripted(describe_endpoint=failing("ValidationException", "Could not find endpoint"))
    assert asyncio.run(WithScripted(sagemaker=sagemaker).moved_endpoint("slipway-dev", "old")) == "slipway-dev"
    assert "slipway resume" in warned[0] and "pulumi up --refresh" in warned[0]
