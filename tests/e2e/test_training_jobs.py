"""Our `train` in localaws' training jobs: interrupted, stopped, on several hosts, failing.

The whole way from S3 to S3 through the emulator, without the Pulumi program around it. Minutes of CPU together: most of
it is the start of Python with torch, again and again, as in AWS.
"""

import hashlib
import json
import random
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.unit.localaws.aws import Aws
from tests.unit.localaws.test_training import channel, unpack

pytestmark = pytest.mark.rehearsal

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 240.0
TRAIN = f"#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m training\n"
# Host 2 dies as soon as it has saved nothing and said nothing of it: all its processes at once.
DIES = "(grep -q 'current_host.*algo-2' /opt/ml/input/config/resourceconfig.json && sleep 12 && kill -9 0) & "
DIGITS = {"epochs": "12", "report": "false", "log_every_steps": "1"}
INTERRUPTIONS = 4


@pytest.fixture(scope="module")
def image(aws: Aws) -> str:
    return aws.image({"train": TRAIN})


@pytest.fixture(scope="module")
def digits(aws: Aws) -> dict[str, Any]:
    content = (files("sklearn.datasets.data") / "digits.csv.gz").read_bytes()
    aws.put("digits/digits.csv.gz", content)
    return channel("train", f"s3://{aws.bucket}/digits/")


def _train(aws: Aws, image: str, digits: dict[str, Any], name: str, **extra: Any) -> str:
    hyperparameters = DIGITS | extra.pop("hyperparameters", {})
    checkpoints = {"S3Uri": f"s3://{aws.bucket}/checkpoints/{name}"}
    return aws.train(
        image, HyperParameters=hyperparameters, InputDataConfig=[digits], CheckpointConfig=checkpoints, **extra
    )


def _until(probe: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := probe()):
        assert time.monotonic() < deadline, f"{what} did not happen within {WAIT_SECONDS} s"
        time.sleep(0.05)
    return found


def _ended(aws: Aws, name: str) -> dict[str, Any]:
    return _until(
        lambda: (job := aws.job(name))["TrainingJobStatus"] in ("Completed", "Failed", "Stopped") and job, name
    )


def _programs(aws: Aws, job: dict[str, Any]) -> str:
    """sha256 of the exported program: it holds the weights, and equal programs are equal bytes."""
    return hashlib.sha256(unpack(aws.read(job["ModelArtifacts"]["S3ModelArtifacts"]))["model.pt2"]).hexdigest()


def _steps(aws: Aws, name: str) -> list[int]:
    return [
        int(line.split("step=")[1].split("/")[0]) for line in aws.job_log(name) if " step=" in line and "loss=" in line
    ]


def test_an_interrupted_spot_job_ends_with_the_bits_of_one_that_was_not(
    aws: Aws, image: str, digits: dict[str, Any]
) -> None:
    whole = _train(aws, image, digits, "whole")
    spot = _train(
        aws,
        image,
        digits,
        "spot",
        hyperparameters={"checkpoint_every_seconds": "0"},
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
    )
    draw = random.Random(1)
    for count in range(INTERRUPTIONS):
        seen = max(_steps(aws, spot), default=0)
        goal = min(seen + draw.randint(5, 60), 250)
        _until(lambda goal=goal: max(_steps(aws, spot), default=0) >= goal, f"step {goal} of attempt {count + 1}")
        notice = ("sigterm", "none")[count % 2]
        aws.post("/_localaws/interrupt", {"job": spot, "notice": notice})
        _until(lambda count=count: sum("first_step=" in line for line in aws.job_log(spot)) >= count + 2, "the restart")
    jobs = [_ended(aws, name) for name in (whole, spot)]
    assert [job["TrainingJobStatus"] for job in jobs] == ["Completed"] * 2, [job.get("FailureReason") for job in jobs]
    assert _programs(aws, jobs[0]) == _programs(aws, jobs[1])
    firsts = [int(line.split("first_step=")[1]) for line in aws.job_log(spot) if "first_step=" in line]
    assert len(firsts) == INTERRUPTIONS + 1 and firsts == sorted(firsts) and firsts[-1] > 1
    states = [item["Status"] for item in jobs[1]["SecondaryStatusTransitions"]]
    assert states.count("Interrupted") == INTERRUPTIONS
    assert jobs[1]["BillableTimeInSeconds"] < jobs[1]["TrainingTimeInSeconds"]


@pytest.mark.parametrize("distributed", ["ddp", "fsdp"])
def test_two_hosts_train_one_model_and_one_of_them_writes_it(
    aws: Aws, image: str, digits: dict[str, Any], distributed: str
) -> None:
    hyperparameters = {"model": "mlp", "distributed": distributed, "epochs": "4", "log_every_steps": "0"}
    name = _train(aws, image, digits, distributed, hyperparameters=hyperparameters, resources={"InstanceCount": 2})
    job = _ended(aws, name)
    log = aws.job_log(name)
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), log)
    assert sum(line.startswith("hosts=2 ") for line in log) == 2
    assert sum("epoch=4/4" in line for line in log) == 1 and any("processes=2" in line for line in log)
    files_of_model = unpack(aws.read(job["ModelArtifacts"]["S3ModelArtifacts"]))
    assert sorted(files_of_model) == ["manifest.json", "model.pt2"]
    assert json.loads(files_of_model["manifest.json"])["metrics"]["test_accuracy"] > 0.8


def test_a_stopped_job_of_two_processes_saves_and_the_next_one_goes_on(
    aws: Aws, image: str, digits: dict[str, Any]
) -> None:
    hyperparameters = {"processes": "2", "epochs": "2000", "model": "mlp", "width": "2"}
    first = _train(aws, image, digits, "stopped", hyperparameters=hyperparameters)
    _until(lambda: max(_steps(aws, first), default=0) >= 20, "step 20")
    aws.client("sagemaker").stop_training_job(TrainingJobName=first)
    assert _ended(aws, first)["SecondaryStatus"] == "Stopped"
    stopped = next(line for line in aws.job_log(first) if line.startswith("stopped by SIGTERM at step "))
    step = int(stopped.split(" at step ")[1].split("/")[0])
    second = _train(aws, image, digits, "stopped", hyperparameters=hyperparameters | {"processes": "1"})
    resumed = _until(lambda: next((line for line in aws.job_log(second) if "first_step=" in line), ""), "the second")
    assert resumed.endswith(f"first_step={step + 1}")
    aws.client("sagemaker").stop_training_job(TrainingJobName=second)
    _ended(aws, second)


def test_a_host_that_dies_fails_the_job_and_its_peers_end(aws: Aws, image: str, digits: dict[str, Any]) -> None:
    dying = TRAIN.replace("exec ", DIES + "exec ")
    name = _train(
        aws,
        aws.image({"train": dying}),
        digits,
        "dying",
        hyperparameters={"epochs": "100000", "model": "mlp", "width": "2"},
        resources={"InstanceCount": 2},
    )
    job = _ended(aws, name)
    assert job["TrainingJobStatus"] == "Failed" and "exit code" in job["FailureReason"], job


@pytest.mark.parametrize(
    ("hyperparameters", "reason"),
    [
        (
            {"epoch": "3", "batch_size": "x"},
            "ConfigError: hyperparameters: epoch: unknown; did you mean 'epochs'?; batch",
        ),
        ({"batch_size": "5000"}, "ConfigError: batch_size: 5000 is more than the 1437 training examples; use less"),
        ({"learning_rate": "10", "optimizer": "sgd", "momentum": "0.99"}, "DivergedError: the loss is "),
        ({"min_accuracy": "1", "epochs": "1", "width": "1"}, "is below the limit 1 (hyperparameter min_accuracy)"),
    ],
)
def test_the_cause_reaches_the_failure_reason(
    aws: Aws, image: str, digits: dict[str, Any], hyperparameters: dict[str, str], reason: str
) -> None:
    job = _ended(aws, _train(aws, image, digits, "bad", hyperparameters=hyperparameters))
    assert job["TrainingJobStatus"] == "Failed" and reason in job["FailureReason"].splitlines()[0], job
