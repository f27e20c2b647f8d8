"""Interruptions of spot jobs at a rate, without notice, and what is reported of them."""

import json
import statistics
import urllib.error
from collections.abc import Iterator

import pytest

from localaws.__main__ import parse_args
from localaws.sagemaker.interruptions import Rate
from localaws.sagemaker.spot import BILLED_SHARE
from tests.unit.localaws.aws import Aws, unique, wait_for
from tests.unit.localaws.test_spot import COUNTING, spot, started, steps

# Says whether it was asked to end; its checkpoint "late" is written then.
LISTENING = """#!/usr/bin/env python3
import os, pathlib, signal, threading
ml = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
def stop(*_):
    (ml / "checkpoints/late").write_text("x")
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
print(*sorted(path.name for path in (ml / "checkpoints").iterdir()), "-", flush=True)
(ml / "checkpoints/early").write_text("x")
threading.Event().wait()
"""


@pytest.fixture
def rate(stepped: Aws) -> Iterator[Rate]:
    """Two interruptions per hour, capacity after 100 s, as long as the test runs."""
    wanted = {"interruptions_per_hour": 2, "capacity_after_seconds": 100, "seed": 5}
    stepped.post("/_localaws/spot", wanted)
    yield Rate(**wanted)
    stepped.post("/_localaws/spot", {"interruptions_per_hour": 0})


def advance(aws: Aws, seconds: float) -> None:
    aws.post("/_localaws/clock", {"advance_seconds": seconds})


def interrupted(aws: Aws, name: str) -> None:
    wait_for(lambda: aws.job(name)["SecondaryStatus"] == "Interrupted", "the interruption")


def past(aws: Aws, job: str) -> list[dict[str, object]]:
    return [item for item in aws.get("/_localaws/spot")["interruptions"] if item["job"] == job]


def test_intervals_are_exponential_with_the_rate_and_repeat_with_the_seed() -> None:
    rate = Rate(interruptions_per_hour=4, seed=1)
    found = [rate.seconds_to_next("job", attempt) for attempt in range(4000)]
    assert statistics.fmean(found) == pytest.approx(900, rel=0.05)
    assert statistics.stdev(found) == pytest.approx(900, rel=0.05)
    assert found[:3] == [rate.seconds_to_next("job", attempt) for attempt in range(3)]
    assert found[0] != Rate(interruptions_per_hour=4, seed=2).seconds_to_next("job", 0)
    assert Rate().seconds_to_next("job", 1) == float("inf")


def test_a_rate_interrupts_running_spot_jobs_on_the_clock(stepped: Aws, rate: Rate) -> None:
    """Guide, "Managed Spot Training Lifecycle": Training, Interrupted, Starting, Downloading, Training, ...

    API reference, DescribeTrainingJob: TrainingTimeInSeconds covers all attempts, and the savings are
    1 - BillableTimeInSeconds / TrainingTimeInSeconds.
    """
    aws, name = stepped, unique("rate")
    first, second = rate.seconds_to_next(name, 1), rate.seconds_to_next(name, 2)
    spot(aws, aws.image({"train": COUNTING}), 100_000, 100_000, Environment={"FOREVER": "yes"}, TrainingJobName=name)
    started(aws, name)
    advance(aws, first * 0.9)
    assert aws.job(name)["SecondaryStatus"] == "Training"
    advance(aws, first * 0.1 + 1)
    interrupted(aws, name)
    advance(aws, 101)
    started(aws, name, lines=2)
    advance(aws, second + 1)
    interrupted(aws, name)
    aws.client("sagemaker").stop_training_job(TrainingJobName=name)
    job = aws.job_done(name)
    again = ["Starting", "Downloading", "Training", "Interrupted"]
    assert steps(job) == [*again, *again, "Stopping", "Stopped"]
    trained = job["TrainingTimeInSeconds"]
    assert trained == pytest.approx(first + second, abs=5)  # without the wait for capacity
    assert job["BillableTimeInSeconds"] == pytest.approx(trained * BILLED_SHARE, abs=1)
    found = [(item["attempt"], item["notice"], item["capacity_after_seconds"]) for item in past(aws, name)]
    assert found == [(1, "sigterm", 100), (2, "sigterm", 100)]


def test_on_demand_jobs_are_not_interrupted(stepped: Aws, rate: Rate) -> None:
    aws = stepped
    limit = {"StoppingCondition": {"MaxRuntimeInSeconds": 100_000}}
    name = aws.train(aws.image({"train": COUNTING}), Environment={"FOREVER": "yes"}, **limit)
    started(aws, name)
    advance(aws, 20 * 3600)
    assert aws.job(name)["SecondaryStatus"] == "Training"
    aws.client("sagemaker").stop_training_job(TrainingJobName=name)
    aws.job_done(name)
    assert past(aws, name) == []


def test_without_notice_nothing_more_is_saved(stepped: Aws) -> None:
    """AWS promises no signal before an interruption (guide, "Managed Spot Training"): what S3 has is what counts."""
    aws, where = stepped, f"s3://{stepped.bucket}/unannounced"
    name = spot(aws, aws.image({"train": LISTENING}), CheckpointConfig={"S3Uri": where})
    started(aws, name)
    advance(aws, 2)  # and the checkpoint "early" goes to S3
    wait_for(lambda: "Contents" in aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix="unannounced/"), "sync")
    for notice in ("none", "sigterm"):
        aws.post("/_localaws/interrupt", {"job": name, "notice": notice})
        wait_for(lambda: len(aws.job_log(name)) == len(past(aws, name)) + 1, "the next attempt")
        started(aws, name)
    aws.client("sagemaker").stop_training_job(TrainingJobName=name)
    aws.job_done(name)
    assert aws.job_log(name) == ["-", "early -", "early late -"]


def test_a_job_beyond_its_wait_limit_is_stopping_until_it_has_ended(stepped: Aws) -> None:
    """Guide, "Managed Spot Training Lifecycle": TrainingJobStatus is Stopping while SecondaryStatus is."""
    aws = stepped
    name = spot(aws, aws.image({"train": "#!/bin/sh\ntrap '' TERM\necho on\nsleep 600\n"}), 7200, 7200)
    started(aws, name)
    aws.post("/_localaws/interrupt", {"job": name, "capacity_after_seconds": 10, "notice": "none"})
    interrupted(aws, name)
    advance(aws, 10)
    started(aws, name, lines=2)
    advance(aws, 7195)  # 7205 s of waiting and running; 7195 s of running
    wait_for(lambda: aws.job(name)["TrainingJobStatus"] == "Stopping", "the limit")
    assert aws.job(name)["SecondaryStatus"] == "Stopping"
    advance(aws, 121)
    assert aws.job_done(name)["TrainingJobStatus"] == "Stopped"


def test_a_fast_clock_brings_interruptions_until_the_wait_limit(stepped: Aws) -> None:
    """Guide, "Managed Spot Training Lifecycle": ... Interrupted, ..., Stopping, and Stopped: MaxWaitTimeExceeded."""
    aws, image = stepped, stepped.image({"train": COUNTING})
    aws.post("/_localaws/spot", {"interruptions_per_hour": 30})
    aws.post("/_localaws/clock", {"mode": "scaled", "factor": 3600})
    try:
        job = aws.job_done(spot(aws, image, 3600, Environment={"FOREVER": "yes"}))
    finally:
        aws.post("/_localaws/clock", {"mode": "stepped"})
        aws.post("/_localaws/spot", {"interruptions_per_hour": 0})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert steps(job).count("Interrupted") == len(past(aws, job["TrainingJobName"])) >= 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"per_hour": 1},
            "given: per_hour; needed: interruptions_per_hour; allowed: capacity_after_seconds, notice, seed",
        ),
        ({"interruptions_per_hour": -1}, "interruptions_per_hour is -1; give a number >= 0"),
        ({"interruptions_per_hour": 1, "notice": "mail"}, "notice is 'mail'; allowed: sigterm, none"),
        ({"interruptions_per_hour": 1, "seed": "x"}, "seed is 'x'; give a whole number"),
    ],
)
def test_a_wrong_rate_is_explained(
    aws: Aws, capsys: pytest.CaptureFixture[str], body: dict[str, object], message: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        aws.post("/_localaws/spot", body)
    assert message in json.load(caught.value)["message"]
    with pytest.raises(SystemExit):
        parse_args(["--spot", json.dumps(body)])
    assert message in capsys.readouterr().err
