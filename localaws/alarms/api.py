"""CloudWatch's operations on alarms."""

import json
from collections.abc import Mapping
from typing import Any

from localaws import minutes
from localaws.alarms import data, store, transitions
from localaws.alarms.checks import check_alarm, invalid
from localaws.alarms.queries import described, moto_query
from localaws.alarms.store import catch_up
from localaws.alarms.transitions import Alarms
from localaws.cloud import Call, Handler, backend
from localaws.errors import AwsError
from localaws.paging import page

DEFAULT_RECORDS = 50


def put_metric_alarm(call: Call) -> None:
    """evaluated by the clock: statistics, percentiles, metric math; anomaly detection is refused"""
    request = call.request
    check_alarm(request)
    backend("cloudwatch", call.region).put_metric_alarm(
        name=request["AlarmName"],
        namespace=request.get("Namespace"),
        metric_name=request.get("MetricName"),
        metric_data_queries=[moto_query(item) for item in request.get("Metrics", [])],
        comparison_operator=request["ComparisonOperator"],
        evaluation_periods=request["EvaluationPeriods"],
        datapoints_to_alarm=request.get("DatapointsToAlarm"),
        period=request.get("Period"),
        threshold=request["Threshold"],
        statistic=request.get("Statistic"),
        extended_statistic=request.get("ExtendedStatistic"),
        description=request.get("AlarmDescription"),
        dimensions=request.get("Dimensions", []),
        alarm_actions=request.get("AlarmActions", []),
        ok_actions=request.get("OKActions", []),
        insufficient_data_actions=request.get("InsufficientDataActions", []),
        unit=request.get("Unit"),
        actions_enabled=request.get("ActionsEnabled", True),
        treat_missing_data=request.get("TreatMissingData"),
        evaluate_low_sample_count_percentile=request.get("EvaluateLowSampleCountPercentile"),
        tags=request.get("Tags"),
    )
    catch_up(call.cloud, call.region)
    minutes.watch(call.cloud)


def describe_alarms(call: Call) -> Mapping[str, Any]:
    """states as of now, by the clock; composite alarms are stored only"""
    request = call.request
    catch_up(call.cloud, call.region)
    names, prefix = request.get("AlarmNames"), request.get("AlarmNamePrefix", "")
    if names and prefix:
        raise invalid("AlarmNames and AlarmNamePrefix exclude each other.")
    types = request.get("AlarmTypes") or (["MetricAlarm"] if not names else ["MetricAlarm", "CompositeAlarm"])
    found = [
        alarm
        for name, alarm in sorted(backend("cloudwatch", call.region).alarms.items())
        if (not names or name in names)
        and name.startswith(prefix)
        and request.get("StateValue", alarm.state_value) == alarm.state_value
        and ("CompositeAlarm" if alarm.rule is not None else "MetricAlarm") in types
    ]
    if "ActionPrefix" in request:
        found = [alarm for alarm in found if any(it.startswith(request["ActionPrefix"]) for it in alarm.alarm_actions)]
    shown, token = page(found, request.get("NextToken"), request.get("MaxRecords", DEFAULT_RECORDS))
    return {
        "MetricAlarms": [_describe(alarm) for alarm in shown if alarm.rule is None],
        "CompositeAlarms": [_describe(alarm) for alarm in shown if alarm.rule is not None],
        "NextToken": token,
    }


def _describe(alarm: Any) -> dict[str, Any]:
    updated = store.seconds(alarm.state_updated_timestamp)
    return {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.alarm_arn,
        "AlarmDescription": alarm.description,
        "AlarmConfigurationUpdatedTimestamp": store.seconds(alarm.configuration_updated_timestamp),
        "ActionsEnabled": alarm.actions_enabled,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "StateValue": alarm.state_value,
        "StateReason": alarm.state_reason,
        "StateReasonData": alarm.state_reason_data,
        "StateUpdatedTimestamp": updated,
        "StateTransitionedTimestamp": updated,
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "Statistic": alarm.statistic,
        "ExtendedStatistic": alarm.extended_statistic,
        "Dimensions": [{"Name": item.name, "Value": item.value} for item in alarm.dimensions],
        "Period": alarm.period,
        "Unit": alarm.unit,
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm,
        "Threshold": alarm.threshold,
        "ComparisonOperator": alarm.comparison_operator,
        "TreatMissingData": alarm.treat_missing_data,
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile,
        "Metrics": [described(query) for query in alarm.metric_data_queries] or None,
        "AlarmRule": alarm.rule,
    }


def describe_alarm_history(call: Call) -> Mapping[str, Any]:
    """changes of state and actions"""
    request = call.request
    catch_up(call.cloud, call.region)
    begin, end = request.get("StartDate", 0.0), request.get("EndDate", float("inf"))
    found = [
        item
        for item in list(call.cloud.store(call.region, Alarms).history)
        if request.get("AlarmName", item["AlarmName"]) == item["AlarmName"]
        and request.get("HistoryItemType", item["HistoryItemType"]) == item["HistoryItemType"]
        and begin <= item["Timestamp"] <= end
    ]
    if request.get("ScanBy", "TimestampDescending") == "TimestampDescending":
        found.reverse()
    shown, token = page(found, request.get("NextToken"), request.get("MaxRecords", DEFAULT_RECORDS))
    return {"AlarmHistoryItems": shown, "NextToken": token}


def set_alarm_state(call: Call) -> None:
    """stands until the next evaluation that has data"""
    request, name = call.request, call.request["AlarmName"]
    catch_up(call.cloud, call.region)
    details = request.get("StateReasonData")
    try:
        json.loads(details or "{}")
    except ValueError as error:
        raise AwsError("InvalidFormat", f"StateReasonData was not valid JSON: {error}") from error
    alarms = call.cloud.store(call.region, Alarms)
    with alarms.lock:
        tracked = alarms.tracked.get(name)
        if tracked is None:
            raise AwsError("ResourceNotFound", f"Unknown alarm {name}.", status=404)
        tracked.forced = True
        if tracked.alarm.state_value == request["StateValue"]:
            return
        now = call.cloud.clock.now()
        notice = transitions.change(
            alarms, call.region, tracked, request["StateValue"], request["StateReason"], details, now
        )
    transitions.deliver(call.region, alarms, notice)


OPERATIONS: dict[str, Handler] = {
    **data.OPERATIONS,
    "DescribeAlarmHistory": describe_alarm_history,
    "DescribeAlarms": describe_alarms,
    "PutMetricAlarm": put_metric_alarm,
    "SetAlarmState": set_alarm_state,
}
