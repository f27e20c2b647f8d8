"""AWS's rules for PutMetricAlarm and for statistics, beyond what its API model says."""

from collections.abc import Mapping, Sequence
from typing import Any

from localaws.alarms import expressions
from localaws.alarms.judge import MISSING, OPERATORS
from localaws.alarms.series import known
from localaws.alarms.store import STEP_SECONDS
from localaws.errors import AwsError

DAY_SECONDS = 86_400
HIGH_RESOLUTION_SECONDS = (10, 20, 30)


def invalid(message: str) -> AwsError:
    """CloudWatch's name for a validation error."""
    return AwsError("ValidationError", message)


def check_alarm(request: Mapping[str, Any]) -> None:
    """Check PutMetricAlarm. Raises AwsError."""
    _check_metric(request)
    _check_rule(request)


def _check_metric(request: Mapping[str, Any]) -> None:
    for part in ("ThresholdMetricId", "EvaluationCriteria"):
        if part in request:
            raise invalid(f"{part} is not emulated: anomaly detection and PromQL alarms cannot be evaluated here.")
    if ("MetricName" in request) == bool(request.get("Metrics")):
        raise invalid("Exactly one of MetricName and Metrics must be given.")
    if "MetricName" not in request:
        _check_math(request["Metrics"])
        return
    for part in ("Namespace", "Period"):
        if part not in request:
            raise AwsError("MissingParameter", f"The parameter {part} is required with MetricName.")
    if ("Statistic" in request) == ("ExtendedStatistic" in request):
        raise invalid("Exactly one of Statistic and ExtendedStatistic must be given.")
    check_statistic(request.get("Statistic") or request["ExtendedStatistic"])
    _check_period(request["Period"])


def check_statistic(stat: str) -> None:
    if not known(stat):
        raise AwsError("InvalidParameterValue", f"The value {stat} for parameter ExtendedStatistic is not supported.")


def _check_period(period: int) -> None:
    if period not in HIGH_RESOLUTION_SECONDS and period % STEP_SECONDS:
        raise invalid(f"Period is {period}; it must be 10, 20, 30 or a multiple of 60.")


def _check_math(queries: Sequence[Mapping[str, Any]]) -> None:
    ids = {query["Id"] for query in queries}
    for query in queries:
        if ("Expression" in query) == ("MetricStat" in query):
            raise invalid(f"Metrics: {query['Id']} needs exactly one of Expression and MetricStat.")
        if "MetricStat" in query:
            check_statistic(query["MetricStat"]["Stat"])
            _check_period(query["MetricStat"]["Period"])
            continue
        unknown = expressions.names(query["Expression"]) - ids
        if unknown:
            raise invalid(f"Error in expression '{query['Id']}': {', '.join(sorted(unknown))} is not defined.")
    if sum(query.get("ReturnData", True) for query in queries) != 1:
        raise invalid("Exactly one element of the metrics list should return data.")


def _check_rule(request: Mapping[str, Any]) -> None:
    periods, period = request["EvaluationPeriods"], request.get("Period", STEP_SECONDS)
    if request["ComparisonOperator"] not in OPERATORS:
        raise invalid(f"{request['ComparisonOperator']} needs anomaly detection, which is not emulated.")
    if "Threshold" not in request:
        raise AwsError("MissingParameter", "The parameter Threshold is required.")
    if request.get("DatapointsToAlarm", 1) > periods:
        raise invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    limit = DAY_SECONDS if period < 3600 else 7 * DAY_SECONDS
    if periods * period > limit:
        raise invalid(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400)."
            if limit == DAY_SECONDS
            else "Metrics cannot be checked across more than seven days (EvaluationPeriods * Period must be <= 604800)."
        )
    if request.get("TreatMissingData", "missing") not in MISSING:
        raise invalid(
            f"Option {request['TreatMissingData']} is not supported. Supported options for parameter "
            "TreatMissingData are breaching, notBreaching, ignore, and missing."
        )
    for part in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        for action in request.get(part, []):
            if not action.startswith("arn:"):
                raise invalid(f"Invalid arn syntax: {action}")
