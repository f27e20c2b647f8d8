"""Checks: what is due, told once, in force until somebody lifts it; by the embedded AWS's clock."""

from datetime import UTC, datetime

import pytest

from infra.guardian.handler import FailedError
from infra.guardian.spend import start_of_month
from tests.unit.guardian.stage import DAY, HOUR, Allowance, Stage
from tests.unit.guardian.test_stop_and_start import Stages

DENY = "arn:aws:iam::aws:policy/AWSDenyAll"


def frozen(one: Stage) -> list[str]:
    iam = one.aws.client("iam")
    return [
        role
        for role in one.facts.roles
        if [item["PolicyArn"] for item in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]] == [DENY]
    ]


def iso(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def thaw(one: Stage) -> None:
    for role in one.facts.roles:
        one.aws.client("iam").detach_role_policy(RoleName=role, PolicyArn=DENY)


def test_the_endpoint_s_hours_use_the_budget_up_and_it_stays_stopped_until_a_person_resumes(stage: Stages) -> None:
    one = stage(budget_usd="1")
    one.into_a_month()
    one.up()
    first = one.fire()
    assert first["phase"] == "running" and first["limit_usd"] == "1.00"
    one.advance(1.9 * HOUR)
    assert one.fire()["phase"] == "running"
    one.advance(0.2 * HOUR)
    breached = one.fire()
    assert breached["reason"] == "breach" and one.gone()
    assert sorted(frozen(one)) == sorted(one.facts.roles)
    assert one.topic.subjects == ["stopped (breach)"]
    assert "of 1.00 USD were spent" in one.topic.heard[0][1]

    again = one.job()
    assert f"stopped training job {again}" in one.fire()["did"]
    assert one.topic.subjects == ["stopped (breach)"] * 2
    assert "budget is used up" in one.fire("start")["refused"]
    assert "the next check would stop it again" in one.fire("start", resume=True)["refused"]

    lifted = one.fire("start", resume=True, limit_usd="50")
    assert sorted(lifted["frozen"]) == sorted(one.facts.roles) and "frozen" in lifted["refused"]
    thaw(one)
    assert one.fire("start")["phase"] == "starting"
    one.back()
    assert one.fire()["phase"] == "running" and one.fire()["limit_usd"] == "50.00"


def test_a_running_job_counts_while_it_runs_and_roles_are_frozen_once_it_has_ended(stage: Stages) -> None:
    one = stage(budget_usd="10")
    one.into_a_month()
    name = one.job(resources={"InstanceCount": 1})
    one.fire()
    one.advance(5.1 * HOUR)
    breached = one.fire()
    assert breached["did"] == [f"stopped training job {name}"] and breached["phase"] == "stopping"
    assert frozen(one) == [], "the job saves its checkpoint with its role"
    one.aws.job_done(name)
    assert one.fire()["phase"] == "stopped" and len(frozen(one)) == 2
    spent = one.memory()["month"]["jobs"][name]
    assert spent["open"] is False and float(spent["usd"]) == pytest.approx(10.2, rel=0.01)


def test_the_budget_s_message_counts_for_what_the_budget_says(stage: Stages) -> None:
    one = stage(budget_usd="100", budget_name="b")
    one.into_a_month()
    one.up()
    event = {"Records": [{"EventSource": "aws:sns", "Sns": {"Subject": "AWS Budgets: b", "Message": "text"}}]}
    event["Records"][0]["Sns"]["Timestamp"] = iso(one.now)  # type: ignore[index]
    one.budgets.spent_usd = "80"
    assert "not at the limit" in one.send(event)["left"][0] and one.status() == "InService"
    one.budgets.spent_usd = "101.5"
    assert one.send(event)["reason"] == "breach" and one.gone()
    assert "101.50 USD of 100.00 USD" in one.topic.heard[0][1] and "AWS Budgets" in one.topic.heard[0][1]
    own = {"Records": [{"Sns": {"Subject": one.topic.heard[0][0], "Message": "text"}}]}
    assert one.send(own)["ignored"]


def test_time_that_is_over_is_warned_of_once_stops_everything_and_can_be_extended(stage: Stages) -> None:
    one = stage(time_to_live_hours=30, warn_hours=24)
    one.up()
    job = one.job()
    assert one.fire()["phase"] == "running" and one.topic.subjects == []
    one.advance(7 * HOUR)
    one.fire()
    one.fire()
    assert one.topic.subjects == ["its time ends"]
    assert one.fire("extend", hours=4)["ends"] > one.topic.heard[0][1][3:23]
    one.advance(24 * HOUR)
    assert one.fire()["phase"] == "running"
    one.advance(4 * HOUR)
    expired = one.fire()
    assert expired["reason"] == "expired" and one.gone()
    assert one.topic.subjects == ["its time ends"] * 2 + ["stopped (expired)"]
    assert one.aws.job_done(job)["TrainingJobStatus"] == "Stopped" and frozen(one) == []
    assert "slipway extend" in one.fire("start")["refused"]
    one.fire("extend", hours=8)
    assert one.fire("start")["phase"] == "starting"
    one.back()


def test_a_date_is_the_end_and_is_lived_through(stage: Stages) -> None:
    one = stage(expires="2000-01-01", time_to_live_hours=10**6)
    assert one.fire()["ends"] == "2000-01-02 00:00 UTC"


def test_a_stack_without_an_end_has_nothing_to_extend(stage: Stages) -> None:
    one = stage()
    assert "no end" in one.fire("extend", hours=4)["refused"]
    for hours in (0, -1, "x", 10**6, True):
        assert "allowed" in one.fire("extend", hours=hours)["refused"]


def test_an_idle_endpoint_is_switched_off_and_a_job_is_not(stage: Stages) -> None:
    one = stage(idle_minutes=60)
    name = one.up()
    job = one.job()
    one.advance(50 * 60)
    one.aws.invoke(name)
    one.advance(30 * 60)
    assert one.fire()["phase"] == "running", "somebody asked half an hour ago"
    one.advance(40 * 60)
    idle = one.fire()
    assert idle["reason"] == "idle" and one.gone() and one.job_status(job) == "InProgress"
    assert one.fire("start", reason="office hours")["phase"] == "starting"
    one.back()
    one.fire("stop")
    one.aws.job_done(job)


def test_office_hours_start_what_they_stopped_and_nothing_that_a_person_did(stage: Stages) -> None:
    one = stage()
    one.up()
    assert one.fire("stop", reason="office hours")["reason"] == "office hours" and one.gone()
    assert one.fire("start", reason="office hours")["phase"] == "starting"
    one.back()
    one.fire("stop")
    one.gone()
    assert one.fire("stop", reason="office hours")["reason"] == "by hand"
    assert "another reason" in one.fire("start", reason="office hours")["refused"]
    assert one.status() == "gone"


def test_what_has_no_price_is_named_and_not_counted_as_nothing(stage: Stages) -> None:
    one = stage(rates={}, budget_usd="1")
    one.up()
    one.fire()
    one.advance(10 * HOUR)
    assert one.fire()["unpriced"] == ["Hosting:ml.m5.large"]
    one.fire("stop")
    assert "Not counted, because there is no price for it here: Hosting:ml.m5.large" in one.topic.heard[-1][1]


def test_a_guardian_that_cannot_act_is_heard_of_once_and_fails_where_nobody_reads(stage: Stages) -> None:
    one = stage(time_to_live_hours=1, warn_hours=0)
    one.up()
    one.fire()
    one.advance(2 * HOUR)
    broken = Allowance(0, only=("delete_endpoint",))
    for _ in range(2):
        assert "try later" in one.fire(allowance=broken)["problems"][0]
    assert one.topic.subjects == ["stopped (expired)", "the guardian could not do all of it"]
    with pytest.raises(FailedError, match="try later"):
        one.fire(allowance=broken, attended=False)
    assert one.fire()["phase"] == "stopped" and one.gone()


def test_a_breach_of_last_month_is_lifted_without_a_word_about_money(stage: Stages) -> None:
    one = stage(budget_usd="1", roles=())
    one.into_a_month()
    one.up()
    one.advance(3 * HOUR)
    assert one.fire()["reason"] == "breach" and one.gone()
    one.advance(32 * DAY)
    assert one.fire("start", resume=True)["phase"] == "starting"
    one.back()


def test_what_no_one_could_be_told_is_told_by_the_next_check(stage: Stages) -> None:
    one = stage()
    one.up()
    one.fire("stop", Allowance(0, only=("publish",)))
    assert one.topic.subjects == []
    one.fire()
    assert one.topic.subjects[0] == "stopped (by hand)"


def test_a_new_month_begins_at_nothing(stage: Stages) -> None:
    one = stage(budget_usd="1000")
    one.up()
    one.advance(10 * HOUR)
    before = float(one.fire()["spent_usd"])
    assert before > 0
    one.advance(32 * DAY)
    month = one.fire()
    rest = one.now - start_of_month(one.now)
    assert float(month["spent_usd"]) == pytest.approx(0.5 * rest / HOUR, abs=0.02)
