"""CodeBuild and ECR: an uploaded source really becomes an image that runs."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import ACCOUNT, REGION, REGISTRY, Aws, unique, wait_for

DOCKERFILE = """FROM python:3.11
ENV PATH="/opt/program:$PATH"
COPY train.sh /opt/program/train
RUN chmod +x /opt/program/train
"""
TRAIN = "#!/bin/sh\necho trained in an image\n"
PUSH = """
version: 0.2
env: {variables: {GREETING: from the spec}, exported-variables: [IMAGE]}
phases:
  pre_build:
    commands:
      - export IMAGE=$REPOSITORY:$TAG
      - aws ecr get-login-password --region $AWS_REGION | docker login --username AWS --password-stdin $REPOSITORY
  build:
    commands:
      - echo "$GREETING in $(basename $PWD) number $CODEBUILD_BUILD_NUMBER"
      - docker build -t $IMAGE .
  post_build:
    commands: [docker push $IMAGE]
"""


def project(aws: Aws, buildspec: str, files: Mapping[str, str] | None = None, **variables: str) -> str:
    name, buffer = unique("project"), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in (files or {"x": ""}).items():
            archive.writestr(path, text)
    aws.put(f"{name}.zip", buffer.getvalue())
    aws.client("codebuild").create_project(
        name=name,
        source={"type": "S3", "location": f"{aws.bucket}/{name}.zip", "buildspec": buildspec},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": key, "value": value} for key, value in variables.items()],
        },
        serviceRole=aws.role,
    )
    return name


def run(aws: Aws, name: str, **overrides: Any) -> dict[str, Any]:
    codebuild = aws.client("codebuild")
    build = codebuild.start_build(projectName=name, **overrides)["build"]["id"]
    return wait_for(
        lambda: (it := codebuild.batch_get_builds(ids=[build])["builds"][0])["buildComplete"] and it,
        f"the end of {build}",
    )


def phases(build: Mapping[str, Any]) -> dict[str, str]:
    return {phase["phaseType"]: phase.get("phaseStatus", "") for phase in build["phases"]}


def repository(aws: Aws, **settings: Any) -> str:
    name = unique("built")
    aws.client("ecr").create_repository(repositoryName=name, **settings)
    return name


def log(aws: Aws, build: Mapping[str, Any]) -> str:
    return "\n".join(aws.log(build["logs"]["groupName"], build["logs"]["streamName"]))


def test_source_to_image_to_training(aws: Aws) -> None:
    target = repository(aws)
    files = {"Dockerfile": DOCKERFILE, "train.sh": TRAIN}
    name = project(aws, PUSH, files, REPOSITORY=f"{REGISTRY}/{target}", TAG="no")
    build = run(aws, name, environmentVariablesOverride=[{"name": "TAG", "value": "one"}])
    assert build["buildStatus"] == "SUCCEEDED", log(aws, build)
    assert set(phases(build).values()) == {"SUCCEEDED"}
    assert list(phases(build))[-1] == "COMPLETED"
    assert build["exportedEnvironmentVariables"] == [{"name": "IMAGE", "value": f"{REGISTRY}/{target}:one"}]
    assert (build["logs"]["groupName"], build["id"]) == (
        f"/aws/codebuild/{name}",
        f"{name}:{build['logs']['streamName']}",
    )
    text = log(aws, build)
    assert "from the spec in src number 1" in text
    assert "RUN is not run" in text
    (image,) = aws.client("ecr").describe_images(repositoryName=target)["imageDetails"]
    assert image["imageTags"] == ["one"]
    job = aws.job_done(aws.train(f"{REGISTRY}/{target}:one"))
    assert aws.job_log(job["TrainingJobName"]) == ["trained in an image"]
    by_digest = aws.job_done(aws.train(f"{REGISTRY}/{target}@{image['imageDigest']}"))
    assert by_digest["TrainingJobStatus"] == "Completed"
    again = run(aws, name, environmentVariablesOverride=[{"name": "TAG", "value": "two"}])
    assert again["buildNumber"] == 2
    (image_again,) = aws.client("ecr").describe_images(repositoryName=target)["imageDetails"]
    assert (image_again["imageDigest"], sorted(image_again["imageTags"])) == (image["imageDigest"], ["one", "two"])


def test_a_failing_build_still_runs_post_build(aws: Aws) -> None:
    spec = "version: 0.2\nphases:\n  build:\n    commands: ['echo a; exit 3', 'echo never']\n"
    spec += "  post_build:\n    commands: ['echo succeeding=$CODEBUILD_BUILD_SUCCEEDING']\n"
    build = run(aws, project(aws, spec))
    assert build["buildStatus"] == "FAILED"
    assert (phases(build)["BUILD"], phases(build)["POST_BUILD"]) == ("FAILED", "SUCCEEDED")
    context = next(phase for phase in build["phases"] if phase["phaseType"] == "BUILD")["contexts"][0]
    assert context["statusCode"] == "COMMAND_EXECUTION_ERROR"
    assert "Error while executing command" in context["message"]
    assert "exit status 3" in context["message"]
    assert "succeeding=0" in log(aws, build)
    assert "never" not in log(aws, build).replace("Running command", "")


def test_a_failing_pre_build_ends_it(aws: Aws) -> None:
    spec = "version: 0.2\nphases:\n  pre_build:\n    commands: ['false']\n  build:\n    commands: ['echo never']\n"
    build = run(aws, project(aws, spec))
    assert "BUILD" not in phases(build)
    assert build["buildStatus"] == "FAILED"


@pytest.mark.parametrize(
    ("overrides", "phase", "code"),
    [
        ({"buildspecOverride": "version: 0.2\nphases: [\n"}, "DOWNLOAD_SOURCE", "YAML_FILE_ERROR"),
        ({"buildspecOverride": "other.yml"}, "DOWNLOAD_SOURCE", "YAML_FILE_ERROR"),
        ({"sourceLocationOverride": "nothing/here.zip"}, "DOWNLOAD_SOURCE", "CLIENT_ERROR"),
    ],
)
def test_source_errors(aws: Aws, overrides: dict[str, str], phase: str, code: str) -> None:
    build = run(aws, project(aws, PUSH), **overrides)
    failed = next(it for it in build["phases"] if it["phaseType"] == phase)
    assert (failed["phaseStatus"], failed["contexts"][0]["statusCode"]) == ("FAILED", code)


def push(aws: Aws, target: str, text: str) -> str:
    spec = f"version: 0.2\nphases:\n  build:\n    commands: ['docker build -t {target} .', 'docker push {target}']\n"
    build = run(aws, project(aws, spec, {"Dockerfile": f"FROM a\nLABEL text={text}\n"}))
    return f"{build['buildStatus']} {log(aws, build)}"


def test_pushes_need_a_repository_and_respect_its_tags(aws: Aws) -> None:
    assert "name unknown: The repository with name 'nowhere' does not exist" in push(aws, f"{REGISTRY}/nowhere:a", "x")
    target = f"{REGISTRY}/{repository(aws, imageTagMutability='IMMUTABLE')}:a"
    assert push(aws, target, "x").startswith("SUCCEEDED")
    assert push(aws, target, "x").startswith("SUCCEEDED")
    refused = push(aws, target, "y")
    assert refused.startswith("FAILED")
    assert "tag invalid: The image tag 'a' already exists" in refused
    assert "cannot be overwritten because the tag is immutable" in refused


def test_projects(aws: Aws) -> None:
    codebuild, name = aws.client("codebuild"), project(aws, PUSH)
    found = codebuild.batch_get_projects(names=[name, "nobody"])
    assert [it["name"] for it in found["projects"]] == [name]
    assert found["projectsNotFound"] == ["nobody"]
    assert found["projects"][0]["arn"] == f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{name}"
    updated = codebuild.update_project(name=name, description="new")["project"]
    assert (updated["description"], updated["serviceRole"]) == ("new", aws.role)
    assert name in codebuild.list_projects()["projects"]
    with pytest.raises(ClientError, match=r"InvalidInputException.*not authorized to perform: sts:AssumeRole"):
        codebuild.update_project(name=name, serviceRole=aws.role + "x")
    codebuild.delete_project(name=name)
    with pytest.raises(ClientError, match=r"ResourceNotFoundException.*Project cannot be found"):
        codebuild.start_build(projectName=name)


def test_a_build_can_be_stopped(aws: Aws) -> None:
    codebuild = aws.client("codebuild")
    spec = json.dumps({"version": 0.2, "phases": {"build": {"commands": ["echo begun", "sleep 600"]}}})
    name = project(aws, spec)
    build = codebuild.start_build(projectName=name)["build"]
    wait_for(lambda: "begun" in log(aws, build), "the first command")
    assert codebuild.stop_build(id=build["id"])["build"]["buildStatus"] == "STOPPED"
