"""Stop and start: everything of the stack and nothing of its neighbours, whole whatever call fails, back as it was."""

import json
from collections.abc import Callable

import pytest

from tests.unit.guardian.stage import Allowance, Stage
from tests.unit.localaws.aws import unique, wait_for
from tests.unit.localaws.hosting import model, variant

Stages = Callable[..., Stage]
CHANGING = ("put_object", "create_", "delete_", "register_", "put_scaling", "put_scheduled", "attach_")
"""Beginnings of the calls that change something."""


def test_a_stack_that_is_stopped_comes_back_as_it_was(stage: Stages) -> None:
    one = stage()
    name = one.up()
    before, scaling = one.aws.describe(name), one.scaling()
    stopped = one.fire("stop")
    assert (stopped["phase"], stopped["reason"]) == ("stopped", "by hand")
    assert one.gone() and one.scaling() == []
    assert one.topic.subjects == ["stopped (by hand)"]
    assert (
        "0.50 USD an hour" in one.topic.heard[0][1]
        and f"slipway resume --stack {one.facts.stack}" in one.topic.heard[0][1]
    )

    started = one.fire("start")
    assert started["phase"] == "starting" and started["left"]
    one.back()
    after = one.aws.describe(name)
    same = ("EndpointArn", "EndpointConfigName", "EndpointStatus")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert one.aws.client("sagemaker").list_tags(ResourceArn=after["EndpointArn"])["Tags"] == one.tags
    assert one.scaling() == scaling
    assert one.aws.invoke(name)["name"] == name
    assert one.memory()["stopped"] is None


def test_jobs_of_the_stack_end_and_those_of_its_neighbours_do_not(stage: Stages) -> None:
    one = stage()
    neighbour = one.facts.prefix + "-eu"
    own = [one.job(), one.job(unique("by-hand"), Tags=one.tags)]
    other_tags = [
        {"Key": "slipway:project", "Value": "demo"},
        {"Key": "slipway:stack", "Value": f"{one.facts.stack}-eu"},
    ]
    others = [
        one.job(one.run_name(neighbour)),
        one.job(unique("else"), Tags=other_tags),
        one.job(f"{one.facts.prefix}-mine"),
    ]
    one.aws.client("sagemaker").create_endpoint(EndpointName=neighbour, EndpointConfigName=one.aws.config(one.image))
    one.aws.settled(neighbour)

    stopped = one.fire("stop")
    assert sorted(stopped["did"]) == sorted(f"stopped training job {name}" for name in own)
    for name in own:
        assert one.aws.job_done(name)["TrainingJobStatus"] == "Stopped"
    assert [one.job_status(name) for name in others] == ["InProgress"] * 3
    assert one.status(neighbour) == "InService"
    for name in others:
        one.aws.client("sagemaker").stop_training_job(TrainingJobName=name)


@pytest.mark.parametrize("calls_that_fail", ["changing", pytest.param("all", marks=pytest.mark.rehearsal)])
def test_every_step_may_be_the_last_one(stage: Stages, calls_that_fail: str) -> None:
    """Whatever call fails, in a stop and in a start, another check or two end it, and nothing of the record is lost."""
    one = stage()
    name = one.up()
    scaling = one.scaling()
    for action, done in (("stop", "stopped"), ("start", "running")):
        for calls in range(200):
            allowance = Allowance(calls, only=CHANGING if calls_that_fail == "changing" else ())
            try:
                answer = one.fire(action, allowance)
            except Exception:  # the memory itself failed, as in a run that dies
                answer = {"problems": ["died"]}
            whole = allowance.calls >= 0 and not allowance.spent and not answer["problems"]
            one.advance(300)  # the lease of a run that died has ended by the next check
            _free(one)
            _until(one, action, done)
            assert one.status(name) == {"stop": "gone", "start": "InService"}[action], (action, calls)
            if action == "start":
                assert one.scaling() == scaling, calls
            if whole:
                break
            _undo(one, action)
        else:
            pytest.fail(f"{action} never came to its end")


def _free(one: Stage) -> None:
    """The machine's clock ends a lease; a test does not wait for it."""
    s3, key = one.aws.client("s3"), "guard/state.json"
    if any(item["Key"] == key for item in s3.list_objects_v2(Bucket=one.facts.bucket).get("Contents", [])):
        state = one.memory() | {"lease": None}
        s3.put_object(Bucket=one.facts.bucket, Key=key, Body=json.dumps(state))


def _until(one: Stage, action: str, done: str) -> None:
    """The same once more, then checks, until it is done."""

    def over() -> bool:
        phase = one.fire()["phase"]
        return phase == done and one.status() in ("gone", "InService")

    if one.fire(action)["phase"] != done or one.status() == "Deleting":
        wait_for(over, f"{action} in the end")


def _undo(one: Stage, action: str) -> None:
    other, done = {"stop": ("start", "running"), "start": ("stop", "stopped")}[action]
    one.fire(other)
    _until(one, other, done)


def test_an_endpoint_that_changes_is_deleted_at_the_next_check(stage: Stages) -> None:
    one = stage()
    name = one.up()
    sagemaker = one.aws.client("sagemaker")
    new = unique(f"{name}-config")
    made = model(one.aws, one.image, {"NAME": "new"})
    sagemaker.create_endpoint_config(EndpointConfigName=new, ProductionVariants=[variant(made)])
    baking = {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 600}}
    sagemaker.update_endpoint(
        EndpointName=name, EndpointConfigName=new, DeploymentConfig={"BlueGreenUpdatePolicy": baking}
    )
    first = one.fire("stop")
    assert first["phase"] == "stopping" and "Updating" in first["left"][0]

    def moved() -> bool:
        one.advance(60)
        return one.status() == "InService"

    wait_for(moved, "the end of the update")
    assert one.fire()["phase"] == "stopped" and one.gone()
    assert one.memory()["stopped"]["endpoint"]["config"] == new


def test_an_endpoint_that_somebody_made_again_is_left_alone_and_the_record_forgotten(stage: Stages) -> None:
    one = stage()
    name = one.up()
    one.fire("stop")
    one.gone()
    newer = one.aws.config(one.image)
    one.aws.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=newer)
    one.aws.settled(name)
    assert one.fire()["did"] == [f"somebody has made endpoint {name} again"]
    assert one.fire("start")["phase"] == "running"
    assert one.aws.describe(name)["EndpointConfigName"] == newer


def test_a_start_never_brings_an_older_configuration_over_a_newer_one(stage: Stages) -> None:
    one = stage()
    name = one.up()
    one.fire("stop")
    one.gone()
    newer = one.aws.config(one.image)
    one.aws.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=newer)
    one.aws.settled(name)
    answer = one.fire("start")
    assert answer["phase"] == "running" and "another endpoint" in answer["did"][0]
    assert one.aws.describe(name)["EndpointConfigName"] == newer


def test_a_configuration_that_is_gone_is_a_sentence(stage: Stages) -> None:
    one = stage()
    one.up()
    one.fire("stop")
    one.gone()
    one.aws.client("sagemaker").delete_endpoint_config(EndpointConfigName=one.config)
    answer = one.fire("start")
    assert "pulumi up --refresh" in answer["refused"] and answer["phase"] == "starting"


def test_two_runs_at_once_are_one_after_the_other(stage: Stages) -> None:
    one = stage()
    one.up()
    one.fire()
    held = one.memory() | {"lease": {"by": "other", "until": 9e12}}
    one.aws.client("s3").put_object(Bucket=one.facts.bucket, Key="guard/state.json", Body=json.dumps(held))
    assert one.fire() == {"stack": one.facts.stack, "busy": True}
    assert one.fire("stop") == {"stack": one.facts.stack, "busy": True}
    assert one.status() == "InService"
