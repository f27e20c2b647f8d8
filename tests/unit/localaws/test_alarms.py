"""Alarms through the API, on a localaws whose clock is stepped by hand."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError

from tests.unit.localaws.aws import Aws, running, unique


@pytest.fixture(scope="module")
def stepped() -> Iterator[Aws]:
    with running() as (url, _):
        aws = Aws(url)
        aws.post("/_localaws/clock", {"mode": "stepped"})
        yield aws


def now(aws: Aws) -> datetime:
    return datetime.fromtimestamp(aws.get("/_localaws/clock")["now"], UTC)


def advance(aws: Aws, seconds: float) -> None:
    aws.post("/_localaws/clock", {"advance_seconds": seconds})


def to_the_minute(aws: Aws) -> None:
    """So that what follows falls into one minute."""
    advance(aws, 60 - aws.get("/_localaws/clock")["now"] % 60 + 1)


def put(aws: Aws, metric: str, *values: float, **extra: Any) -> None:
    data = [{"MetricName": metric, "Value": value, **extra} for value in values]
    aws.client("cloudwatch").put_metric_data(Namespace="Test", MetricData=data)


def alarm(aws: Aws, metric: str, **extra: Any) -> str:
    name = extra.pop("AlarmName", None) or unique("alarm")
    plain = {"Namespace": "Test", "MetricName": metric, "Period": 60, "Statistic": "Sum"}
    if "Metrics" in extra or "ExtendedStatistic" in extra:
        plain.pop("Statistic")
    request = {
        "AlarmName": name,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **({} if "Metrics" in extra else plain),
        **extra,
    }
    aws.client("cloudwatch").put_metric_alarm(**request)
    return str(name)


def described(aws: Aws, name: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    return found


def state(aws: Aws, name: str) -> str:
    return str(described(aws, name)["StateValue"])


def test_an_alarm_without_data(stepped: Aws) -> None:
    name = alarm(stepped, unique("m"))
    assert state(stepped, name) == "INSUFFICIENT_DATA"
    calm = alarm(stepped, unique("m"), TreatMissingData="notBreaching")
    found = described(stepped, calm)
    assert found["StateValue"] == "OK"
    assert found["StateReason"].endswith("1 missing datapoint was treated as [NonBreaching].")


def test_data_raise_it_and_their_absence_clears_it(stepped: Aws) -> None:
    to_the_minute(stepped)
    metric = unique("m")
    name = alarm(stepped, metric, TreatMissingData="notBreaching")
    put(stepped, metric, 1.0, 1.0)
    assert state(stepped, name) == "OK"  # the minute is not over
    advance(stepped, 60)
    found = described(stepped, name)
    assert found["StateValue"] == "ALARM"
    assert found["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [2.0 (")
    assert json.loads(found["StateReasonData"])["recentDatapoints"] == [2.0]
    advance(stepped, 600)
    assert state(stepped, name) == "OK"


def test_every_minute_of_a_jump_is_evaluated(stepped: Aws) -> None:
    to_the_minute(stepped)
    metric = unique("m")
    name = alarm(stepped, metric, TreatMissingData="notBreaching")
    put(stepped, metric, 5.0)
    advance(stepped, 1800)
    assert state(stepped, name) == "OK"
    history = stepped.client("cloudwatch").describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")
    changes = [item["HistorySummary"] for item in history["AlarmHistoryItems"]][::-1]
    assert changes[-2:] == ["Alarm updated from OK to ALARM", "Alarm updated from ALARM to OK"]


def test_m_out_of_n(stepped: Aws) -> None:
    metric = unique("m")
    name = alarm(stepped, metric, EvaluationPeriods=3, DatapointsToAlarm=2)
    states = []
    to_the_minute(stepped)
    for value in (5.0, 0.0, 5.0, 0.0, 0.0):
        put(stepped, metric, value)
        advance(stepped, 60)
        states.append(state(stepped, name))
    assert states == ["INSUFFICIENT_DATA", "OK", "ALARM", "OK", "OK"]


def test_percentiles(stepped: Aws) -> None:
    to_the_minute(stepped)
    metric = unique("m")
    slow = alarm(stepped, metric, ExtendedStatistic="p99", Threshold=50.0)
    fast = alarm(stepped, metric, ExtendedStatistic="p50", Threshold=50.0)
    stepped.client("cloudwatch").put_metric_data(
        Namespace="Test", MetricData=[{"MetricName": metric, "Values": [1.0, 100.0], "Counts": [97.0, 3.0]}]
    )
    advance(stepped, 60)
    assert (state(stepped, slow), state(stepped, fast)) == ("ALARM", "OK")


def test_metric_math_alarm(stepped: Aws) -> None:
    to_the_minute(stepped)
    errors, calls = unique("e"), unique("c")

    def stat(query: str, metric: str) -> dict[str, Any]:
        wanted = {"Metric": {"Namespace": "Test", "MetricName": metric}, "Period": 60, "Stat": "Sum"}
        return {"Id": query, "MetricStat": wanted, "ReturnData": False}

    math = {"Id": "percent", "Expression": "100*m1/m2", "Label": "errors in percent", "ReturnData": True}
    queries = [math, stat("m1", errors), stat("m2", calls)]
    name = alarm(stepped, "", Metrics=queries, Threshold=5.0)
    put(stepped, calls, 10.0)
    put(stepped, errors, 1.0)
    advance(stepped, 60)
    found = described(stepped, name)
    assert found["StateValue"] == "ALARM"
    assert "[10.0 (" in found["StateReason"]
    assert [query["Id"] for query in found["Metrics"]] == ["percent", "m1", "m2"]
    end = now(stepped) + timedelta(minutes=1)
    data = stepped.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=end - timedelta(minutes=10), EndTime=end
    )["MetricDataResults"]
    assert [(item["Id"], item["Label"], item["Values"]) for item in data] == [("percent", "errors in percent", [10.0])]


def test_a_compressed_request(stepped: Aws) -> None:
    """boto3 compresses PutMetricData from 10 KB on."""
    to_the_minute(stepped)
    metric = unique("m")
    put(stepped, metric, *range(400))
    end = now(stepped) + timedelta(minutes=1)
    points = stepped.client("cloudwatch").get_metric_statistics(
        Namespace="Test",
        MetricName=metric,
        StartTime=end - timedelta(minutes=5),
        EndTime=end,
        Period=300,
        Statistics=["SampleCount"],
    )["Datapoints"]
    assert sum(point["SampleCount"] for point in points) == 400


def test_statistics_with_percentiles(stepped: Aws) -> None:
    to_the_minute(stepped)
    metric = unique("m")
    put(stepped, metric, 1.0, 2.0, 30.0)
    end = now(stepped) + timedelta(minutes=1)
    points = stepped.client("cloudwatch").get_metric_statistics(
        Namespace="Test",
        MetricName=metric,
        StartTime=end - timedelta(minutes=5),
        EndTime=end,
        Period=60,
        Statistics=["Average", "Maximum"],
    )["Datapoints"]
    assert [(point["Average"], point["Maximum"]) for point in points] == [(11.0, 30.0)]
    points = stepped.client("cloudwatch").get_metric_statistics(
        Namespace="Test",
        MetricName=metric,
        StartTime=end - timedelta(minutes=5),
        EndTime=end,
        Period=300,
        ExtendedStatistics=["p50"],
    )["Datapoints"]
    assert [point["ExtendedStatistics"] for point in points] == [{"p50": 2.0}]


def test_a_state_set_by_hand_stands_until_there_are_data(stepped: Aws) -> None:
    to_the_minute(stepped)
    metric = unique("m")
    name = alarm(stepped, metric, TreatMissingData="notBreaching")
    assert state(stepped, name) == "OK"
    stepped.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    assert (state(stepped, name), described(stepped, name)["StateReason"]) == ("ALARM", "by hand")
    advance(stepped, 300)
    assert state(stepped, name) == "ALARM"
    put(stepped, metric, 0.0)
    advance(stepped, 60)
    assert state(stepped, name) == "OK"
    with pytest.raises(ClientError, match="ResourceNotFound"):
        stepped.client("cloudwatch").set_alarm_state(AlarmName="none", StateValue="OK", StateReason="x")


def test_an_update_keeps_the_state(stepped: Aws) -> None:
    metric = unique("m")
    name = alarm(stepped, metric)
    stepped.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    alarm(stepped, metric, AlarmName=name, TreatMissingData="ignore", Threshold=7.0)
    found = described(stepped, name)
    assert (found["StateValue"], found["Threshold"], found["TreatMissingData"]) == ("ALARM", 7.0, "ignore")


def test_actions_are_delivered(stepped: Aws) -> None:
    sns, sqs = stepped.client("sns"), stepped.client("sqs")
    queue = sqs.create_queue(QueueName=unique("q"))["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=unique("t"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    metric = unique("m")
    gone = topic.rsplit(":", 1)[0] + ":gone"
    name = alarm(stepped, metric, AlarmActions=[topic, gone], OKActions=[topic], AlarmDescription="why")
    muted = alarm(stepped, metric, AlarmActions=[topic], ActionsEnabled=False)
    for value in (5.0, 0.0):
        to_the_minute(stepped)
        put(stepped, metric, value)
        advance(stepped, 60)
        state(stepped, name)
    found = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        found += [json.loads(message["Body"]) for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert [item["Subject"] for item in found] == [
        f'ALARM: "{name}" in US East (N. Virginia)',
        f'OK: "{name}" in US East (N. Virginia)',
    ]
    message = json.loads(found[0]["Message"])
    assert (message["AlarmName"], message["AlarmDescription"], message["NewStateValue"]) == (name, "why", "ALARM")
    assert message["Trigger"]["MetricName"] == metric
    assert state(stepped, muted) == "OK"
    history = stepped.client("cloudwatch").describe_alarm_history(AlarmName=name, HistoryItemType="Action")
    assert f"Failed to execute action {gone}" in [it["HistorySummary"] for it in history["AlarmHistoryItems"]]


def test_filters(stepped: Aws) -> None:
    prefix = unique("filter")
    names = [alarm(stepped, unique("m"), AlarmName=f"{prefix}-{letter}") for letter in "abc"]
    cloudwatch = stepped.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=names[1], StateValue="ALARM", StateReason="x")

    def found(**wanted: Any) -> list[str]:
        pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix, **wanted)
        return [item["AlarmName"] for page in pages for item in page["MetricAlarms"]]

    assert found() == names
    assert found(StateValue="ALARM") == [names[1]]
    assert found(MaxRecords=1) == names
    cloudwatch.delete_alarms(AlarmNames=names)
    assert found() == []


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"Period": 45}, "Period is 45; it must be 10, 20, 30 or a multiple of 60"),
        ({"EvaluationPeriods": 2000}, "across more than a day"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm must be less than or equal to EvaluationPeriods"),
        ({"TreatMissingData": "maybe"}, "Option maybe is not supported"),
        ({"AlarmActions": ["topic"]}, "Invalid arn syntax: topic"),
        ({"ExtendedStatistic": "best"}, "value best for parameter ExtendedStatistic"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "anomaly detection"),
        ({"Metrics": [{"Id": "m", "Expression": "a*2"}]}, "a is not defined"),
    ],
)
def test_wrong_alarms_are_refused(stepped: Aws, wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ClientError, match=text):
        alarm(stepped, "m", **wrong)


def test_an_alarm_by_the_query_protocol_is_evaluated_too(stepped: Aws) -> None:
    to_the_minute(stepped)
    metric, name = unique("m"), unique("alarm")
    fields = {
        "Action": "PutMetricAlarm",
        "Version": "2010-08-01",
        "AlarmName": name,
        "Namespace": "Test",
        "MetricName": metric,
        "Statistic": "Maximum",
        "Period": "60",
        "EvaluationPeriods": "1",
        "Threshold": "1",
        "ComparisonOperator": "GreaterThanThreshold",
    }
    signature = "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/monitoring/aws4_request, Signature=x"
    headers = {"Authorization": signature, "Content-Type": "application/x-www-form-urlencoded"}
    request = urllib.request.Request(stepped.url, urlencode(fields).encode(), headers, method="POST")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    assert state(stepped, name) == "INSUFFICIENT_DATA"
    put(stepped, metric, 5.0)
    advance(stepped, 60)
    assert state(stepped, name) == "ALARM"
