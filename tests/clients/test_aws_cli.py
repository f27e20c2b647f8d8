"""The real AWS CLI, from data to a prediction, with only AWS_ENDPOINT_URL set. A start of it costs about a second."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.localaws.aws import ECHO_SERVER, Aws, unique

TRAIN = "#!/bin/sh\nroot=${SAGEMAKER_BASE_DIR:-/opt/ml}\ncp $root/input/data/train/x $root/model/x\n"
CLI = Path(sys.executable).with_name("aws")


class Cli:
    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment = environment
        self._folder = folder

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [CLI, *words], env=self._environment, cwd=self._folder, capture_output=True, text=True, timeout=60
        )

    def __call__(self, *words: str) -> Any:
        done = self.run(*words, "--output", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    def create(self, kind: str, request: dict[str, Any]) -> Any:
        return self("sagemaker", f"create-{kind}", "--cli-input-json", json.dumps(request))


@pytest.fixture
def cli(client_environment: dict[str, str], tmp_path: Path) -> Cli:
    return Cli(client_environment, tmp_path)


def test_from_data_to_a_prediction(aws: Aws, cli: Cli, tmp_path: Path) -> None:
    name, image = unique("cli"), aws.image({"train": TRAIN, "serve": ECHO_SERVER})
    (tmp_path / "x").write_text("data")
    cli("s3", "cp", "x", f"s3://{aws.bucket}/{name}/x")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{aws.bucket}/{name}/"}
    cli.create(
        "training-job",
        {
            "TrainingJobName": name,
            "RoleArn": aws.role,
            "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
            "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
            "OutputDataConfig": {"S3OutputPath": f"s3://{aws.bucket}/out"},
            "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    )
    aws.job_done(name)
    cli("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", name)
    listed = cli("sagemaker", "list-training-jobs", "--name-contains", name)["TrainingJobSummaries"]
    assert [job["TrainingJobStatus"] for job in listed] == ["Completed"]
    artifact = f"s3://{aws.bucket}/out/{name}/output/model.tar.gz"
    container = {"Image": image, "ModelDataUrl": artifact}
    cli.create("model", {"ModelName": name, "PrimaryContainer": container, "ExecutionRoleArn": aws.role})
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1}
    cli.create("endpoint-config", {"EndpointConfigName": name, "ProductionVariants": [variant]})
    cli.create("endpoint", {"EndpointName": name, "EndpointConfigName": name})
    aws.settled(name)
    cli("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", name)
    call = ("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", name, "--body", "hello", "out.json")
    assert cli(*call)["InvokedProductionVariant"] == "v"
    answer = json.loads((tmp_path / "out.json").read_text())
    assert (answer["model"], answer["body"]) == (["x"], "hello")
    cli("sagemaker", "delete-endpoint", "--endpoint-name", name)


def test_errors_come_at_once_and_in_awss_words(cli: Cli) -> None:
    missing = cli.run("sagemaker", "stop-training-job", "--training-job-name", "nobody")
    assert "(ValidationException) when calling the StopTrainingJob operation: Requested resource" in missing.stderr
    refused = cli.run("sagemaker", "list-inference-components")
    assert "(NotImplementedException)" in refused.stderr
    assert "reached max retries" not in refused.stderr
