"""What an alarm does when its state changes: a message to each SNS topic, in the form that CloudWatch sends."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.loaders import Loader

from localaws.alarms.judge import ALARM, INSUFFICIENT, OK
from localaws.cloud import ACCOUNT, backend

ALLOWED = {OK: "ok_actions", ALARM: "alarm_actions", INSUFFICIENT: "insufficient_data_actions"}


def stamp(at: float) -> str:
    """Cloud time as alarms print it: 2026-05-30T14:20:00.000+0000."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def wanted(alarm: Any, state: str) -> Sequence[str]:
    """ARNs to act on in the new state."""
    found: Sequence[str] = getattr(alarm, ALLOWED[state]) or ()
    return found if alarm.actions_enabled else ()


def message(alarm: Any, region: str, old: str, at: float) -> str:
    """The body of the notification."""
    described = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": stamp(
            alarm.configuration_updated_timestamp.replace(tzinfo=UTC).timestamp()
        ),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": stamp(at),
        "Region": region_name(region),
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": old,
        "OKActions": alarm.ok_actions or [],
        "AlarmActions": alarm.alarm_actions or [],
        "InsufficientDataActions": alarm.insufficient_data_actions or [],
        "Trigger": _trigger(alarm),
    }
    return json.dumps(described)


def _trigger(alarm: Any) -> dict[str, Any]:
    common = {
        "Period": alarm.period,
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm or alarm.evaluation_periods,
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing_data or "missing",
    }
    if alarm.metric_data_queries:
        return {
            **common,
            "Metrics": [{"Id": query.id, "Expression": query.expression} for query in alarm.metric_data_queries],
        }
    statistic = (alarm.statistic or "").upper()
    kind = "Statistic" if statistic else "ExtendedStatistic"
    return {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "StatisticType": kind,
        kind: statistic or alarm.extended_statistic,
        "Unit": alarm.unit,
        "Dimensions": [{"value": item.value, "name": item.name} for item in alarm.dimensions],
        **common,
    }


@cache
def region_name(region: str) -> str:
    """For example "US East (N. Virginia)"; the code itself where the name is not known."""
    for partition in Loader().load_data("endpoints")["partitions"]:
        if region in partition["regions"]:
            return str(partition["regions"][region]["description"])
    return region


def publish(region: str, topic: str, subject: str, body: str) -> bool:
    """Send to a topic. Returns whether it could be delivered: the topic may be gone, a subscriber unreachable."""
    if topic.split(":")[2:3] != ["sns"]:
        return False  # scaling policies and the like: stored, without effect
    sns = backend("sns", topic.split(":")[3] or region)
    if topic not in sns.topics:
        return False
    try:
        sns.publish(message=body, arn=topic, subject=subject[:100])
    except Exception as error:  # a subscriber's own failure must not stop the clock's thread
        print(f"localaws: no notification to {topic}: {error!r}", file=sys.stderr)
        return False
    return True
