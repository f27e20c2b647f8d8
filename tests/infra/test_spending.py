"""Spending under mocks: what a setting declares, what the guardian is told, and which settings are refused."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from infra.guardian.facts import Facts
from infra.guardian.memory import LEASE_SECONDS
from infra.settings import SettingsError, read_settings
from infra.spending import TIMEOUT_SECONDS
from infra.spending_section import OfficeHours, Spending
from tests.infra.recorder import ACCOUNT, Declared

Declare = Callable[..., Any]
LOCAL = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}


def found(declared: list[Declared], kind: str) -> list[Declared]:
    return [one for one in declared if one.type.endswith(f":{kind}")]


def told(declared: list[Declared]) -> dict[str, Any]:
    (function,) = found(declared, "Function")
    facts: dict[str, Any] = json.loads(function.inputs["environment"]["variables"]["GUARDIAN"])
    return facts


def test_without_a_budget_there_is_a_guardian_and_no_budget(declare: Declare) -> None:
    declared, exports, _ = declare()
    assert found(declared, "Budget") == [] and "budget" not in exports
    assert exports["guardian"].startswith("slipway-dev-guard")
    assert [one.name for one in found(declared, "Schedule")] == ["slipway-dev-check"]


def test_the_guardian_reads_what_the_program_tells_it(declare: Declare) -> None:
    spending = {"budget_usd": 12.5, "breach_percent": 90, "idle_minutes": 30, "warn_hours": 2}
    declared, _, _ = declare(spending=spending, expires="2030-01-31")
    facts = Facts(**told(declared))
    assert (facts.budget_usd, facts.breach_percent, facts.idle_minutes) == ("12.5", 90, 30)
    assert (facts.expires, facts.prefix, facts.account) == ("2030-01-31", "slipway-dev", ACCOUNT)
    assert facts.budget_name == "slipway-dev-budget-abc1234"
    assert list(facts.roles) == [f"slipway-dev-{job}-abc1234" for job in ("train", "serve", "build")]


def test_the_budget_counts_the_stack_and_tells_the_topic(declare: Declare) -> None:
    declared, _, _ = declare(spending={"budget_usd": 200, "notify_percent": [80, 25]})
    (budget,) = found(declared, "Budget")
    (filters,) = budget.inputs["costFilters"]
    assert filters == {"name": "TagKeyValue", "values": ["user:slipway:project$slipway", "user:slipway:stack$dev"]}
    notices = [(one["notificationType"], one["threshold"]) for one in budget.inputs["notifications"]]
    assert notices == [("ACTUAL", 25), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)]
    (topic,) = [one for one in found(declared, "Topic") if one.name == "slipway-dev-spending"]
    assert {one["subscriberSnsTopicArns"][0].rsplit(":", 1)[1] for one in budget.inputs["notifications"]} == {
        f"{topic.name}-abc1234"
    }


def test_office_hours_are_two_schedules_in_their_own_time_zone(declare: Declare) -> None:
    hours = {"start": "07:30", "stop": "18:05", "days": ["mon", "wed"], "timezone": "Europe/Paris"}
    declared, _, _ = declare(spending={"office_hours": hours})
    calls = {one.name: one.inputs for one in found(declared, "Schedule")}
    start, stop = calls["slipway-dev-office-start"], calls["slipway-dev-office-stop"]
    assert start["scheduleExpression"] == "cron(30 7 ? * MON,WED *)"
    assert stop["scheduleExpression"] == "cron(5 18 ? * MON,WED *)"
    assert {one["scheduleExpressionTimezone"] for one in (start, stop)} == {"Europe/Paris"}
    event = json.loads(stop["target"]["input"])
    assert event == {"action": "stop", "reason": "office hours", "time": "<aws.scheduler.scheduled-time>"}


def test_nothing_that_serves_waits_for_the_guardian(declare: Declare) -> None:
    declared, _, _ = declare(spending={"budget_usd": 1})
    own = {one.name for one in declared if one.parent == "spending"}
    serving = [one for one in declared if one.parent in ("serving", "training", "monitoring")]
    assert own and serving and not [one.name for one in serving if own & set(one.depends_on)]


def test_the_topic_s_people_are_those_of_the_alarms(declare: Declare) -> None:
    declared, _, _ = declare(monitoring={"emails": ["a@example.org"]})
    mails = [one for one in found(declared, "TopicSubscription") if one.inputs["protocol"] == "email"]
    assert sorted(one.parent for one in mails) == ["monitoring", "spending"]


def test_a_lease_outlives_the_function() -> None:
    assert LEASE_SECONDS > TIMEOUT_SECONDS


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"budget_usd": 0}, "greater than 0"),
        ({"notify_percent": [80, 80]}, "each share once"),
        ({"notify_percent": [60], "breach_percent": 50}, "smaller shares"),
        ({"notify_percent": [1, 2, 3, 4]}, "at most 3"),
        ({"idle_minutes": 5}, "0 (never), or at least 10"),
        ({"office_hours": {"start": "20:00", "stop": "08:00"}}, "is not after start"),
        ({"office_hours": {"start": "8:00"}}, '"HH:MM"'),
        ({"office_hours": {"days": []}}, "at least one"),
        ({"office_hours": {"days": ["mon", "mon"]}}, "at most once"),
        ({"office_hours": {"timezone": "Mars/Olympus"}}, "IANA"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_allowed(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Spending.model_validate(given)
    assert words in str(refused.value)


def test_a_time_that_yaml_reads_as_a_number_is_the_time() -> None:
    assert OfficeHours.model_validate({"start": 510, "stop": 1110}) == OfficeHours(start="08:30", stop="18:30")
    assert Spending.model_validate({"budget_usd": "19.99"}).budget_usd == Decimal("19.99")


def read(**own: Any) -> Any:
    config = {"aws:region": "eu-west-1", "slipway:owner": "me"}
    config |= {f"slipway:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in own.items()}
    return read_settings(config, "slipway", "local", LOCAL)[0]


def test_a_stack_that_is_not_prod_has_an_end() -> None:
    assert read().spending.time_to_live_hours == 168
    assert read(preset="prod").spending.time_to_live_hours is None
    assert read(spending={"time_to_live_hours": None}, expires="2030-01-31").expires == "2030-01-31"
    with pytest.raises(SettingsError, match="has an end, and this one has none"):
        read(spending={"time_to_live_hours": None})
