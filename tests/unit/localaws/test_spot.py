"""Managed spot training: AWS's rules for it, interruptions with checkpoints, the wait limit, what is billed."""

import json
import urllib.error

import pytest
from botocore.exceptions import ClientError

from localaws.sagemaker.spot import BILLED_SHARE
from tests.unit.localaws.aws import Aws, wait_for

# Counts its starts in the checkpoint folder; ends by itself at the second one.
COUNTING = """#!/usr/bin/env python3
import os, pathlib, signal, threading
ml = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
starts = len(list((ml / "checkpoints").glob("start-*")))
(ml / "checkpoints" / f"start-{starts + 1}").write_text("x")
def stop(*_):
    (ml / "checkpoints/last-words").write_text("saved")
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
print(f"found {starts}", sorted(p.name for p in (ml / "model").iterdir()), flush=True)
(ml / "model/weights").write_text(str(starts))
if starts == 0 or os.environ.get("FOREVER"):
    threading.Event().wait()
"""


def spot(aws: Aws, image: str, max_wait_seconds: int = 7200, max_runtime_seconds: int = 3600, **extra: object) -> str:
    limits = {"MaxRuntimeInSeconds": max_runtime_seconds, "MaxWaitTimeInSeconds": max_wait_seconds}
    return aws.train(image, EnableManagedSpotTraining=True, StoppingCondition=limits, **extra)


def started(aws: Aws, name: str, lines: int = 1) -> None:
    wait_for(lambda: len(aws.job_log(name)) >= lines and aws.job(name)["SecondaryStatus"] == "Training", "the start")


def steps(job: dict[str, object]) -> list[str]:
    return [step["Status"] for step in job["SecondaryStatusTransitions"]]  # type: ignore[index, attr-defined]


def refusal(aws: Aws, body: object) -> str:
    with pytest.raises(urllib.error.HTTPError) as caught:
        aws.post("/_localaws/interrupt", body)
    message: str = json.load(caught.value)["message"]
    return message


@pytest.mark.parametrize(
    ("request_part", "message"),
    [
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true",
        ),
        (
            {"EnableManagedSpotTraining": True},
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds",
        ),
        (
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59},
            },
            "It must be present and be greater than or equal to MaxRuntimeInSeconds",
        ),
        (
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
                "resources": {"KeepAlivePeriodInSeconds": 60},
            },
            "warm pools cannot hold spot instances",
        ),
    ],
)
def test_rules_of_spot_training(aws: Aws, request_part: dict[str, object], message: str) -> None:
    with pytest.raises(ClientError, match="ValidationException") as caught:
        aws.train("public.ecr.aws/x/y:1", **request_part)
    assert message in str(caught.value)


def test_an_interrupted_job_starts_again_with_its_checkpoints_and_nothing_else(aws: Aws) -> None:
    where = f"s3://{aws.bucket}/spot-one"
    name = spot(aws, aws.image({"train": COUNTING}), CheckpointConfig={"S3Uri": where})
    started(aws, name)
    answer = aws.post("/_localaws/interrupt", {"job": name})
    assert answer == {"job": name, "capacity_after_seconds": 0, "notice": "sigterm"}
    job = aws.job_done(name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    again = ["Starting", "Downloading", "Training"]
    assert steps(job) == [*again, "Interrupted", *again, "Uploading", "Completed"]
    assert aws.job_log(name) == ["found 0 []", "found 1 []"]  # the first attempt's model folder is gone
    assert aws.read(f"{where}/last-words") == b"saved"  # SIGTERM came first, then the last sync
    assert "has no instances that could be interrupted" in refusal(aws, {"job": name})


def test_without_checkpoints_an_interrupted_job_begins_from_nothing(aws: Aws) -> None:
    name = spot(aws, aws.image({"train": COUNTING}))
    started(aws, name)
    aws.post("/_localaws/interrupt", {"job": name})
    started(aws, name, lines=2)
    assert aws.job_log(name)[1] == "found 0 []"
    aws.client("sagemaker").stop_training_job(TrainingJobName=name)
    assert aws.job_done(name)["TrainingJobStatus"] == "Stopped"


def test_the_wait_for_capacity_counts_toward_the_wait_limit_and_is_not_billed(stepped: Aws) -> None:
    aws, image = stepped, stepped.image({"train": COUNTING})
    name = spot(aws, image, 5000, Environment={"FOREVER": "yes"})
    started(aws, name)
    aws.post("/_localaws/clock", {"advance_seconds": 1000})
    aws.post("/_localaws/interrupt", {"job": name, "capacity_after_seconds": 3000})
    wait_for(lambda: aws.job(name)["SecondaryStatus"] == "Interrupted", "the interruption")
    aws.post("/_localaws/clock", {"advance_seconds": 3000})
    started(aws, name, lines=2)
    aws.post("/_localaws/clock", {"advance_seconds": 1500})
    job = wait_for(lambda: (it := aws.job(name))["TrainingJobStatus"] == "Stopped" and it, "the limit")
    assert job["SecondaryStatus"] == "MaxWaitTimeExceeded"
    assert steps(job)[-3:] == ["Stopping", "Uploading", "MaxWaitTimeExceeded"]
    trained = job["TrainingTimeInSeconds"]
    assert 2500 <= trained <= 2510  # the two attempts, without the 3000 s between them
    assert job["BillableTimeInSeconds"] == pytest.approx(trained * BILLED_SHARE, abs=1)


def test_capacity_that_does_not_come_back_in_time_ends_the_job(stepped: Aws) -> None:
    aws, image = stepped, stepped.image({"train": COUNTING})
    name = spot(aws, image, 4000)
    started(aws, name)
    aws.post("/_localaws/interrupt", {"job": name, "capacity_after_seconds": 10_000})
    wait_for(lambda: aws.job(name)["SecondaryStatus"] == "Interrupted", "the interruption")
    aws.post("/_localaws/clock", {"advance_seconds": 5000})
    wait_for(lambda: aws.job(name)["TrainingJobStatus"] == "Stopped", "the limit")
    assert steps(aws.job(name))[-3:] == ["Interrupted", "Stopping", "MaxWaitTimeExceeded"]


def test_the_runtime_limit_counts_all_attempts_together(stepped: Aws) -> None:
    aws, image = stepped, stepped.image({"train": COUNTING})
    name = spot(aws, image, 100_000, Environment={"FOREVER": "yes"})
    started(aws, name)
    aws.post("/_localaws/clock", {"advance_seconds": 3000})
    aws.post("/_localaws/interrupt", {"job": name})
    started(aws, name, lines=2)
    aws.post("/_localaws/clock", {"advance_seconds": 700})  # 3700 s in all; MaxRuntimeInSeconds is 3600
    wait_for(lambda: aws.job(name)["TrainingJobStatus"] == "Stopped", "the limit")
    assert aws.job(name)["SecondaryStatus"] == "MaxRuntimeExceeded"


def test_a_stop_while_waiting_for_capacity(stepped: Aws) -> None:
    aws, image = stepped, stepped.image({"train": COUNTING})
    name = spot(aws, image)
    started(aws, name)
    aws.post("/_localaws/interrupt", {"job": name, "capacity_after_seconds": 60})
    wait_for(lambda: aws.job(name)["SecondaryStatus"] == "Interrupted", "the interruption")
    aws.client("sagemaker").stop_training_job(TrainingJobName=name)
    job = wait_for(lambda: (it := aws.job(name))["TrainingJobStatus"] == "Stopped" and it, "the stop")
    assert steps(job)[-3:] == ["Interrupted", "Stopping", "Stopped"]


def test_only_a_spot_job_can_be_interrupted(aws: Aws) -> None:
    name = aws.train(aws.image({"train": COUNTING}), Environment={"FOREVER": "yes"})
    started(aws, name)
    assert "is not a spot job" in refusal(aws, {"job": name})
    assert "there is no training job 'nobody'" in refusal(aws, {"job": "nobody"})
    assert "needed: job" in refusal(aws, {"name": name})
    assert "give a number >= 0" in refusal(aws, {"job": name, "capacity_after_seconds": -1})
    aws.client("sagemaker").stop_training_job(TrainingJobName=name)
