"""The capacity ladder: which rung a run is on, by what AWS knows, and what is said when there is no instance."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from infra.capacity import KnownRun, NoCapacity, known_runs, reason_of
from infra.ladder import ROUNDS, Place, ladder, plan, usd_per_hour
from infra.settings import SettingsError
from infra.training_section import Training
from infra.waiting import ActionFailed
from slipway.errors import SlipwayError
from slipway.ladder import ONWARD, REFUSED, climb
from slipway.prices.book import load
from tests.infra.recorder import REGION, FakeActions
from tests.infra.test_training import only

Declare = Callable[..., Any]
BASE = {"instance_type": "ml.g5.xlarge", "spot": True, "hyperparameters": {"model": "cnn"}}
FALLBACKS = [{"instance_type": "ml.g5.xlarge"}, {"instance_type": "ml.g4dn.xlarge"}]
LADDER = BASE | {"fallbacks": FALLBACKS}
RUNGS, _ = ladder(Training.model_validate(LADDER), REGION)
BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
REASON = "CapacityError: Unable to provision requested ML compute capacity."


def name(place: Place) -> str:
    return f"{place.round}/{place.rung.number}"


def run(content: str, *, refused: bool = True, minutes: int = 0, age_minutes: int = 5) -> KnownRun:
    created = BEGIN + timedelta(minutes=minutes)
    return KnownRun(content=content, created=created, refused=refused, age=timedelta(minutes=age_minutes))


@pytest.mark.parametrize(
    ("known", "chosen"),
    [
        ([], "0/1"),
        ([run("0/1")], "0/2"),
        ([run("0/1"), run("0/2")], "0/3"),
        ([run("0/2")], "0/3"),  # the record of the one before is gone
        ([run("0/1"), run("0/2"), run("0/3")], "1/1"),
        ([run("0/1"), run("0/2", refused=False)], "0/2"),  # under way, completed, or failed by itself: kept
        ([run("0/2", refused=False)], "0/2"),  # after the update that it succeeded with
        ([run("1/1", refused=False)], "1/1"),
        ([run("0/1", refused=False), run("0/3", refused=False, minutes=9)], "0/3"),
        ([run("0/1", age_minutes=61)], "1/1"),
        ([run("0/1", age_minutes=90), run("0/2", age_minutes=5)], "0/3"),
        ([run("0/3", age_minutes=61)], "1/1"),
        ([run("1/2", age_minutes=-600)], "1/3"),  # an embedded AWS whose clock is ahead of this machine's
        ([run(f"{ROUNDS - 1}/3")], f"{ROUNDS - 1}/3"),
    ],
)
def test_the_place_is_chosen_by_what_aws_knows(known: list[KnownRun], chosen: str) -> None:
    assert name(plan(RUNGS, name, lambda contents: [one for one in known if one.content in contents])) == chosen


def test_without_a_ladder_the_run_keeps_its_name_and_aws_is_not_asked(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, _ = declare(training=LADDER)
    monkeypatch.delattr(FakeActions, "known_runs")
    _, plain, _ = declare(training=BASE)
    _, priced, _ = declare(training=BASE | {"max_usd_per_hour": 5})
    assert plain["run"] == first["run"] == priced["run"]


def contents(declare: Declare, monkeypatch: pytest.MonkeyPatch, known: list[int]) -> Any:
    """The training job when the runs at these places were refused, and what it is called."""
    seen: list[str] = []

    def look(self: FakeActions, prefix: str, asked: list[str]) -> list[KnownRun]:
        seen.extend(asked)
        return [run(asked[number]) for number in known]

    monkeypatch.setattr(FakeActions, "known_runs", look)
    declared, exports, _ = declare(training=LADDER)
    job = only(declared, "TrainingJob")
    assert exports["run"].split("-")[2] in seen and job.name.endswith(exports["run"].split("-")[2])
    assert len(set(seen)) == len(seen) == ROUNDS * 3
    return job, exports["run"]


def test_each_rung_is_a_run_of_its_own_on_its_own_instances(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [contents(declare, monkeypatch, list(range(refused))) for refused in range(4)]
    assert len({run_name for _, run_name in made}) == 4
    types = [job.inputs["resourceConfig"]["instanceType"] for job, _ in made]
    assert types == ["ml.g5.xlarge", "ml.g5.xlarge", "ml.g4dn.xlarge", "ml.g5.xlarge"]
    assert [job.inputs.get("enableManagedSpotTraining", False) for job, _ in made] == [True, False, False, True]
    waits = ["maxWaitTimeInSeconds" in job.inputs["stoppingCondition"] for job, _ in made]
    assert waits == [True, False, False, True]


def test_a_refused_run_says_what_was_tried_and_what_comes_next(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: FakeActions, job: str, resource: Any) -> str:
        raise NoCapacity(job, REASON)

    monkeypatch.setattr(FakeActions, "trained_model", refuse)
    with pytest.raises(ActionFailed) as caught:
        declare(training=LADDER)
    text = str(caught.value)
    price = load().instance(REGION, "Training", "ml.g5.xlarge").usd
    assert f"no instances: rung 1 of 3: 1 x ml.g5.xlarge, spot, at most USD {price.normalize():f}/hour" in text
    onward = ONWARD.search(text)
    assert onward is not None and onward["number"] == "2"
    assert onward["rung"] == f"rung 2 of 3: 1 x ml.g5.xlarge, USD {price.normalize():f}/hour"
    refused = REFUSED.search(text)
    assert refused is not None and refused["reason"] == REASON
    with pytest.raises(NoCapacity, match=r"name them: slipway:training\.fallbacks"):
        declare(training=BASE)


def test_the_last_rung_lists_all_and_names_none_to_go_on_with() -> None:
    text = Place(rung=RUNGS[-1], rungs=RUNGS).refusal("run", REASON)
    assert text.count("no instances: rung") == 3 and "No rung is left" in text
    assert ONWARD.search(text) is None


def test_slipway_goes_on_by_itself_until_no_rung_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [Place(rung=rung, rungs=RUNGS).refusal("run-x", REASON) for rung in RUNGS]
    steps = FakeSteps()
    monkeypatch.setattr("slipway.ladder.up", lambda *words, **more: failing(said))
    with pytest.raises(SlipwayError, match="No rung is left"):
        climb(None, steps, "--policy-pack", "p")  # type: ignore[arg-type]
    assert said == []
    price = load().instance(REGION, "Training", "ml.g4dn.xlarge").usd.normalize()
    assert steps.results == [
        f"run-x: {REASON}; going on with {RUNGS[1]}",
        f"run-x: {REASON}; going on with rung 3 of 3: 1 x ml.g4dn.xlarge, USD {price:f}/hour",
    ]


def test_another_failure_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ["run x failed: AlgorithmError", "must not be reached"]
    monkeypatch.setattr("slipway.ladder.up", lambda *words, **more: failing(said))
    with pytest.raises(SlipwayError, match="AlgorithmError"):
        climb(None, FakeSteps())  # type: ignore[arg-type]
    assert said == ["must not be reached"]


def failing(said: list[str]) -> None:
    raise SlipwayError(said.pop(0))


class FakeSteps:
    def __init__(self) -> None:
        self.results: list[str] = []
        self.result = ""

    def step(self, title: str) -> "FakeSteps":
        return self

    def __enter__(self) -> "FakeSteps":
        return self

    def __exit__(self, *error: object) -> None:
        self.results.append(self.result)


# max_usd_per_hour: ml.g5.xlarge costs 1.408 USD an hour, ml.g4dn.xlarge less.


def test_a_fallback_above_the_ceiling_is_skipped_and_said(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr("pulumi.warn", warned.append)
    own = usd_per_hour(Training.model_validate(BASE), REGION)
    assert own is not None
    dear = [{"instance_type": "ml.g5.12xlarge"}, {"instance_type": "ml.g4dn.xlarge"}]
    declare(training=BASE | {"fallbacks": dear, "max_usd_per_hour": str(own)})
    (text,) = [one for one in warned if "max_usd_per_hour" in one]
    assert f"max_usd_per_hour is {own}: rung 2 of 3: 1 x ml.g5.12xlarge, USD " in text
    training = Training.model_validate(BASE | {"fallbacks": dear, "max_usd_per_hour": str(own)})
    usable, above = ladder(training, REGION)
    assert [rung.number for rung in usable] == [1, 3] and [rung.number for rung in above] == [2]


def test_the_price_is_of_all_instances_of_the_job() -> None:
    one, three = (usd_per_hour(Training.model_validate(BASE | {"instance_count": n}), REGION) for n in (1, 3))
    assert one is not None and three == 3 * one


@pytest.mark.parametrize(
    ("training", "told"),
    [
        (
            {"max_usd_per_hour": "0.01"},
            r"max_usd_per_hour is 0\.01, but rung 1 of 1: 1 x ml\.g5\.xlarge, spot, at most",
        ),
        ({"max_usd_per_hour": 0}, "max_usd_per_hour"),
        (
            {"max_usd_per_hour": 9, "fallbacks": [{"instance_type": "ml.p99.xlarge"}]},
            r"which ml\.p99\.xlarge cannot be held against: no price of Training:ml\.p99\.xlarge",
        ),
        ({"fallbacks": [{"instance_type": "ml.g5.xlarge", "spot": True}]}, "spot, which is tried before it"),
        ({"fallbacks": FALLBACKS[:1] * 2}, r"fallbacks\[1\] is ml\.g5\.xlarge on demand, which is tried before it"),
        (
            {"fallbacks": FALLBACKS, "spot": False, "tuning": {"integer": {"width": [8, 16]}}},
            "one instance type for all",
        ),
        ({"fallbacks": [{"instance_type": "g5"}]}, r"slipway:training\.fallbacks\[0\]\.instance_type is 'g5'"),
        (
            {"spot": False, "warm_pool_minutes": 5, "fallbacks": [{"instance_type": "ml.g5.xlarge", "spot": True}]},
            "no warm pool of spot instances",
        ),
    ],
)
def test_a_ladder_that_cannot_be_is_an_error_in_the_configuration(
    declare: Declare, training: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        declare(training=BASE | training)


def test_spot_on_a_fallback_may_wait(declare: Declare) -> None:
    spot_later = {"spot": False, "max_wait_minutes": 90, "fallbacks": [{"instance_type": "ml.g5.xlarge", "spot": True}]}
    declare(training=BASE | spot_later)


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ({"FailureReason": REASON}, REASON),
        ({"FailureReason": "AlgorithmError: exit 1"}, ""),
        ({"SecondaryStatus": "MaxWaitTimeExceeded", "StoppingCondition": {"MaxWaitTimeInSeconds": 60}}, "within 60 s"),
        ({"SecondaryStatus": "MaxWaitTimeExceeded", "TrainingStartTime": BEGIN}, ""),
        ({"SecondaryStatus": "Completed"}, ""),
    ],
)
def test_what_counts_as_no_capacity(job: dict[str, Any], reason: str) -> None:
    assert reason in reason_of(job) if reason else reason_of(job) == ""


class OneJob:
    """A SageMaker with one refused job, whose list has more than our prefix."""

    def get_paginator(self, operation: str) -> "OneJob":
        assert operation == "list_training_jobs"
        return self

    def paginate(self, NameContains: str) -> list[dict[str, Any]]:  # noqa: N803
        names = [f"{NameContains}abc-1234567", f"{NameContains}def-1234567", f"other-{NameContains}abc-1"]
        return [{"TrainingJobSummaries": [{"TrainingJobName": one} for one in names]}]

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803
        assert TrainingJobName == "slipway-dev-abc-1234567"
        headers = {"date": "Tue, 01 Jan 2030 02:00:00 GMT"}
        facts = {"CreationTime": BEGIN, "LastModifiedTime": BEGIN + timedelta(minutes=30), "FailureReason": REASON}
        return {**facts, "ResponseMetadata": {"HTTPHeaders": headers}}


def test_a_refusal_is_as_old_as_aws_clock_says() -> None:
    (found,) = known_runs(lambda service: OneJob(), "slipway-dev", ["abc"])
    assert found == KnownRun(content="abc", created=BEGIN, refused=True, age=timedelta(minutes=90))


def test_a_role_of_ci_may_list_runs_only_where_there_is_a_ladder(declare: Declare) -> None:
    access = {"deploy": {"repository": "me/mine", "subjects": ["ref:refs/heads/main"]}}

    def policy(training: dict[str, Any]) -> str:
        declared, _, _ = declare(training=training, access=access)
        (found,) = [one for one in declared if one.name == "access-deploy"]
        return str(found.inputs["policy"])

    assert '"sagemaker:ListTrainingJobs"' in policy(LADDER)
    assert '"sagemaker:ListTrainingJobs"' not in policy(BASE)


def test_decimals_are_what_was_written() -> None:
    assert Training.model_validate(BASE | {"max_usd_per_hour": 1.408}).max_usd_per_hour == Decimal("1.408")
