"""Monitoring under mocks: which alarms a mode has, when they fire, whom they tell, and what the dashboard shows."""

import json
import re
from typing import Any

import pytest

from infra.alarms import Watched, alarms
from infra.settings import Monitoring, Serving
from localaws.alarms.expressions import parse
from tests.infra.hosting import KEY, Hosted, hosted

COMMON = {"capacity", "memory"}


def whats(found: Hosted) -> set[str]:
    return {one.name.removeprefix("slipway-dev-alarm-") for one in found.all("MetricAlarm")}


@pytest.mark.parametrize(
    ("serving", "expected"),
    [
        ({}, {"5xx", "model-errors", "latency", "disk", *COMMON}),
        ({"mode": "serverless"}, {"5xx", "model-errors", "latency", *COMMON}),
        ({"mode": "async"}, {"failures", "disk", *COMMON}),
    ],
)
def test_each_mode_has_the_alarms_whose_metrics_it_publishes(serving: dict[str, Any], expected: set[str]) -> None:
    assert whats(hosted(serving)) == expected


def test_alarms_name_the_endpoint_and_do_not_wait_for_it() -> None:
    for one in hosted().all("MetricAlarm"):
        assert one.depends_on == ["monitoring-topic-policy", "slipway-dev-alarms"]
        assert "slipway-dev" in json.dumps(one.inputs)


def test_what_judges_a_deployment_decides_within_three_minutes() -> None:
    for mode in ("real_time", "serverless", "async"):
        found = alarms(Watched(endpoint="e", serving=Serving(mode=mode), monitoring=Monitoring()))
        judges = [one.inputs for one in found if one.rolls_back]
        assert judges
        for inputs in judges:
            assert (inputs["evaluation_periods"], inputs["datapoints_to_alarm"]) == (3, 2)
            periods = set(re.findall(r"'period': (\d+)", str(inputs)))
            assert periods == {"60"}


def test_thresholds_come_from_the_settings_in_the_metrics_units() -> None:
    found = hosted(monitoring={"p99_latency_ms": 250, "error_percent": 2, "disk_percent": 70, "memory_percent": 80})
    thresholds = {one.name.split("alarm-")[1]: one.inputs["threshold"] for one in found.all("MetricAlarm")}
    assert thresholds["latency"] == 250_000  # microseconds
    assert thresholds["5xx"] == thresholds["model-errors"] == 2
    assert (thresholds["disk"], thresholds["memory"]) == (70, 80)


def test_silence_is_no_alarm() -> None:
    assert {one.inputs["treatMissingData"] for one in hosted().all("MetricAlarm")} == {"notBreaching"}


def test_the_share_of_errors_is_metric_math_that_parses() -> None:
    queries = hosted().one("MetricAlarm", "5xx").inputs["metricQueries"]
    share, *metrics = queries
    assert share["returnData"] is True
    parse(share["expression"])
    assert {one["id"] for one in metrics} == {"errors", "calls"}
    assert all(one["id"] in share["expression"] for one in metrics)


@pytest.mark.parametrize(
    ("serving", "metric", "threshold"),
    [
        ({"scaling": {"target": 100}}, "InvocationsPerInstance", 120),
        ({"scaling": {"metric": "concurrency", "target": 5}}, "ConcurrentRequestsPerModel", 6),
        ({"mode": "serverless"}, "ServerlessConcurrentExecutionsUtilization", 1),
        ({"mode": "async"}, "HasBacklogWithoutCapacity", 1),
    ],
)
def test_too_little_capacity_is_load_that_scaling_does_not_take_away(
    serving: dict[str, Any], metric: str, threshold: float
) -> None:
    inputs = hosted(serving).one("MetricAlarm", "capacity").inputs
    assert (inputs["metricName"], inputs["threshold"]) == (metric, threshold)
    assert inputs["evaluationPeriods"] == 15
    assert ("VariantName" in inputs["dimensions"]) is (metric != "HasBacklogWithoutCapacity")


def test_only_this_stacks_alarms_may_publish_and_over_tls() -> None:
    allow, deny = json.loads(hosted().one("TopicPolicy").inputs["policy"])["Statement"]
    assert allow["Principal"] == {"Service": "cloudwatch.amazonaws.com"} and allow["Action"] == ["sns:Publish"]
    assert allow["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    source = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:slipway-dev-*"
    assert allow["Condition"]["ArnLike"] == {"aws:SourceArn": source}
    assert deny["Effect"] == "Deny" and deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_topic_has_our_key_or_none_since_alarms_cannot_use_sns_own() -> None:
    assert hosted(key=True).one("Topic").inputs["kmsMasterKeyId"] == KEY
    assert "kmsMasterKeyId" not in hosted().one("Topic").inputs


def test_each_address_is_told() -> None:
    found = hosted(monitoring={"emails": ["a@b.example", "c@d.example"]})
    assert [one.inputs["endpoint"] for one in found.all("TopicSubscription")] == ["a@b.example", "c@d.example"]


def test_without_alarms_the_dashboard_stays() -> None:
    found = hosted(monitoring={"alarms": False})
    assert whats(found) == set() and found.exports["alarms"] == []
    assert not [one for one in widgets(found) if one["type"] == "alarm"]


def widgets(found: Hosted) -> list[dict[str, Any]]:
    dashboard = found.one("Dashboard").inputs
    assert dashboard["dashboardName"] == "slipway-dev"
    shown: list[dict[str, Any]] = json.loads(dashboard["dashboardBody"])["widgets"]
    return shown


def titles(found: Hosted) -> list[str]:
    return [one["properties"]["title"] for one in widgets(found)]


def test_the_dashboard_shows_alarms_traffic_latency_errors_hosts_and_instances() -> None:
    found = hosted({"instances": {"min": 1, "max": 5}})
    assert [title.split(",")[0] for title in titles(found)] == [
        "Alarms",
        "Requests a minute",
        "Model latency",
        "Requests that failed",
        "Fullest instance",
        "Instances",
    ]
    text = found.one("Dashboard").inputs["dashboardBody"]
    assert "Invocation4XXErrors" in text  # for information: no alarm
    assert "4XX" not in json.dumps([one.inputs for one in found.all("MetricAlarm")])
    lines = widgets(found)[-1]["properties"]["annotations"]["horizontal"]
    assert [line["value"] for line in lines] == [1, 5]


def test_the_cost_is_instances_times_price_when_the_price_is_known() -> None:
    found = hosted({"instances": {"min": 1, "max": 4}}, price_per_hour=0.23)
    cost = widgets(found)[-1]["properties"]
    assert cost["metrics"][0][0]["expression"] == "instances * 0.23"
    assert cost["metrics"][1][-1]["id"] == "instances" and cost["metrics"][1][-1]["stat"] == "SampleCount"
    assert [line["value"] for line in cost["annotations"]["horizontal"]] == [0.23, 0.92]
    assert not [title for title in titles(hosted()) if "Cost" in title]


@pytest.mark.parametrize(("mode", "last"), [("async", "Requests that wait"), ("serverless", "Fullest instance")])
def test_each_mode_shows_what_it_has(mode: str, last: str) -> None:
    assert titles(hosted({"mode": mode}))[-1].startswith(last)


def test_no_two_widgets_overlap_and_the_body_is_the_same_each_time() -> None:
    found = hosted(price_per_hour=1.0)
    places = [(one["x"], one["y"]) for one in widgets(found)]
    assert len(set(places)) == len(places)
    again = hosted(price_per_hour=1.0)
    assert found.one("Dashboard").inputs == again.one("Dashboard").inputs
