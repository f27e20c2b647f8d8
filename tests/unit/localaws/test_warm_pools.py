"""Warm pools by the clock, and what UpdateTrainingJob and DeleteTrainingJob make of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, running, wait_for

DONE = "#!/bin/sh\necho done\n"
FAILING = "#!/bin/sh\nexit 1\n"
WAITING = "#!/usr/bin/env python3\nimport threading\nprint('on', flush=True)\nthreading.Event().wait()\n"


@pytest.fixture(scope="module")
def stepped() -> Iterator[Aws]:
    """A localaws of its own, because its clock is stepped."""
    with running() as (url, _):
        aws = Aws(url)
        aws.post("/_localaws/clock", {"mode": "stepped"})
        yield aws


@pytest.fixture(scope="module")
def image(stepped: Aws) -> str:
    return stepped.image({"train": DONE})


def trained(aws: Aws, image: str, keep_alive_seconds: int | None = 600, **extra: Any) -> str:
    resources = extra.pop("resources", {})
    if keep_alive_seconds is not None:
        resources = {**resources, "KeepAlivePeriodInSeconds": keep_alive_seconds}
    name = aws.train(image, resources=resources, **extra)
    aws.job_done(name)
    return name


def pool(aws: Aws, name: str) -> dict[str, Any] | None:
    return aws.job(name).get("WarmPoolStatus")


def advance(aws: Aws, seconds: float) -> None:
    aws.post("/_localaws/clock", {"advance_seconds": seconds})


def update(aws: Aws, name: str, seconds: int) -> None:
    resources = {"KeepAlivePeriodInSeconds": seconds}
    aws.client("sagemaker").update_training_job(TrainingJobName=name, ResourceConfig=resources)


def test_a_pool_is_available_until_its_period_is_over(stepped: Aws, image: str) -> None:
    name = trained(stepped, image)
    assert pool(stepped, name) == {"Status": "Available", "ResourceRetainedBillableTimeInSeconds": 0}
    advance(stepped, 400)
    assert pool(stepped, name) == {"Status": "Available", "ResourceRetainedBillableTimeInSeconds": 400}
    advance(stepped, 400)
    assert pool(stepped, name) == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 600}


def test_a_job_without_a_period_has_no_pool(stepped: Aws, image: str) -> None:
    assert pool(stepped, trained(stepped, image, None)) is None
    assert pool(stepped, trained(stepped, image, 0)) is None


def test_a_running_job_has_its_pool_in_use(stepped: Aws) -> None:
    name = stepped.train(stepped.image({"train": WAITING}), resources={"KeepAlivePeriodInSeconds": 60})
    assert pool(stepped, name) == {"Status": "InUse"}
    wait_for(lambda: bool(stepped.job_log(name)), "the first line")
    stepped.client("sagemaker").stop_training_job(TrainingJobName=name)
    stepped.job_done(name)
    assert (pool(stepped, name) or {})["Status"] == "Available"  # kept after a stop
    update(stepped, name, 0)


def test_a_pool_outlives_an_error_of_the_algorithm(stepped: Aws) -> None:
    name = trained(stepped, stepped.image({"train": FAILING}))
    assert stepped.job(name)["TrainingJobStatus"] == "Failed"
    assert (pool(stepped, name) or {})["Status"] == "Available"
    update(stepped, name, 0)


def test_a_matching_job_moves_into_the_pool(stepped: Aws, image: str) -> None:
    first = trained(stepped, image)
    advance(stepped, 100)
    other = trained(stepped, image, resources={"VolumeSizeInGB": 2})
    assert (pool(stepped, first) or {})["Status"] == "Available"  # another volume does not match
    second = trained(stepped, image)
    reused = {"Status": "Reused", "ReusedByJob": second, "ResourceRetainedBillableTimeInSeconds": 100}
    assert pool(stepped, first) == reused
    assert (pool(stepped, second) or {})["Status"] == "Available"
    for name in (other, second):
        update(stepped, name, 0)


def test_an_available_pool_refuses_the_deletion_until_it_is_ended(stepped: Aws, image: str) -> None:
    name, sagemaker = trained(stepped, image), stepped.client("sagemaker")
    with pytest.raises(ClientError, match=r"ResourceInUse.*retains an Available warm pool"):
        sagemaker.delete_training_job(TrainingJobName=name)
    advance(stepped, 50)
    update(stepped, name, 0)
    assert pool(stepped, name) == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 50}
    sagemaker.delete_training_job(TrainingJobName=name)


def test_the_period_can_be_changed_while_the_pool_is_available_only(stepped: Aws, image: str) -> None:
    name = trained(stepped, image)
    update(stepped, name, 1000)
    advance(stepped, 900)
    assert stepped.job(name)["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 1000
    assert (pool(stepped, name) or {})["Status"] == "Available"
    advance(stepped, 200)
    with pytest.raises(ClientError, match=r"ValidationException.*is not Available \(its status: Terminated\)"):
        update(stepped, name, 1000)


def test_jobs_are_listed_by_the_status_of_their_pool(stepped: Aws, image: str) -> None:
    name = trained(stepped, image)
    listed = stepped.client("sagemaker").list_training_jobs(WarmPoolStatusEquals="Available")["TrainingJobSummaries"]
    assert [(item["TrainingJobName"], item["WarmPoolStatus"]["Status"]) for item in listed] == [(name, "Available")]
    update(stepped, name, 0)
