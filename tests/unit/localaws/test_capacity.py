"""AWS without free instances of a type: jobs fail or wait, endpoints fail or go back, and none of it bills."""

import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from localaws import capacity
from tests.unit.localaws.aws import ECHO_SERVER, Aws, running, unique, wait_for
from tests.unit.localaws.hosting import config, model, serving, variant

TYPE = "ml.m5.large"
DONE = "#!/bin/sh\necho done\n"


@pytest.fixture(scope="module")
def scarce() -> Iterator[Aws]:
    """A localaws of its own: a shortage concerns everybody. Its clock is stepped."""
    with running() as (url, _):
        found = Aws(url)
        found.post("/_localaws/clock", {"mode": "stepped"})
        yield found


@pytest.fixture
def short(scarce: Aws) -> Iterator[Any]:
    """Takes instances away; all of them come back afterwards."""

    def take(component: str = "Training", **more: Any) -> None:
        scarce.post("/_localaws/capacity", {"instance_type": TYPE, "component": component, "available": 0, **more})

    yield take
    for component in capacity.COMPONENTS:
        give(scarce, component)


def give(aws: Aws, component: str) -> None:
    aws.post("/_localaws/capacity", {"instance_type": TYPE, "component": component, "available": None})


@pytest.fixture(scope="module")
def image(scarce: Aws) -> str:
    return scarce.image({"train": DONE, "serve": ECHO_SERVER})


def spot(aws: Aws, image: str) -> str:
    limits = {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200}
    return aws.train(image, EnableManagedSpotTraining=True, StoppingCondition=limits)


def test_an_on_demand_job_fails_in_aws_words_and_bills_nothing(scarce: Aws, image: str, short: Any) -> None:
    short(spot=False)
    job = scarce.job_done(scarce.train(image))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == capacity.TRAINING_REASON
    assert "TrainingStartTime" not in job and "BillableTimeInSeconds" not in job
    assert scarce.job_done(spot(scarce, image))["TrainingJobStatus"] == "Completed", "only on-demand is short"


def test_a_spot_job_waits_for_capacity_and_then_runs(scarce: Aws, image: str, short: Any) -> None:
    short(spot=True)
    name = spot(scarce, image)
    wait_for(lambda: scarce.job(name)["SecondaryStatusTransitions"][0]["StatusMessage"] == capacity.WAITING, "a wait")
    scarce.post("/_localaws/clock", {"advance_seconds": 900})
    assert scarce.job(name)["SecondaryStatus"] == "Starting"
    give(scarce, "Training")
    short(spot=False)
    job = scarce.job_done(name)
    assert job["TrainingJobStatus"] == "Completed"
    assert job["TrainingTimeInSeconds"] < 900, "the wait is not trained time"


def test_a_spot_job_gives_up_after_its_wait(scarce: Aws, image: str, short: Any) -> None:
    short()
    name = spot(scarce, image)
    wait_for(lambda: scarce.job(name)["SecondaryStatusTransitions"][0]["StatusMessage"] == capacity.WAITING, "a wait")
    scarce.post("/_localaws/clock", {"advance_seconds": 1200})
    job = scarce.job_done(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert "TrainingStartTime" not in job and "BillableTimeInSeconds" not in job


def test_a_waiting_spot_job_can_be_stopped(scarce: Aws, image: str, short: Any) -> None:
    short()
    name = spot(scarce, image)
    scarce.client("sagemaker").stop_training_job(TrainingJobName=name)
    assert scarce.job_done(name)["SecondaryStatus"] == "Stopped"


def test_an_endpoint_fails_and_an_update_goes_back(scarce: Aws, image: str, short: Any) -> None:
    made = model(scarce, image)
    other = config(scarce, variant(made, InstanceType="ml.c5.large"))
    endpoint = serving(scarce, other)
    wanted = config(scarce, variant(made, name="wide"))
    short("Hosting")
    failed = scarce.settled(scarce.endpoint(wanted))
    assert (failed["EndpointStatus"], failed["FailureReason"]) == ("Failed", capacity.HOSTING_REASON)
    scarce.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=wanted)
    found = scarce.settled(endpoint)
    assert (found["EndpointConfigName"], found["FailureReason"]) == (other, capacity.HOSTING_REASON)
    give(scarce, "Hosting")
    scarce.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=wanted)
    found = scarce.settled(endpoint)
    assert found["EndpointConfigName"] == wanted and "FailureReason" not in found


def test_what_is_short_is_shown_and_given_back(scarce: Aws) -> None:
    wanted = {"instance_type": unique("ml.x"), "component": "Training", "spot": True}
    scarce.post("/_localaws/capacity", {**wanted, "available": 0})
    assert wanted in scarce.get("/_localaws/capacity")["shortages"]
    scarce.post("/_localaws/capacity", {**wanted, "spot": None, "available": None})  # null: both kinds
    assert wanted not in scarce.get("/_localaws/capacity")["shortages"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"instance_type": TYPE, "component": "Training"},
        {"instance_type": TYPE, "component": "Notebook", "available": 0},
        {"instance_type": TYPE, "component": "Training", "available": 2},
        {"instance_type": TYPE, "component": "Training", "available": 0, "spot": "yes"},
        {"instance_type": TYPE, "component": "Training", "available": 0, "region": "eu-west-1"},
    ],
)
def test_a_wrong_shortage_is_refused(scarce: Aws, wrong: dict[str, Any]) -> None:
    with pytest.raises(urllib.error.HTTPError):
        scarce.post("/_localaws/capacity", wrong)
