"""The alarms of one region: evaluated for each minute that the clock has passed, by whoever looks first.

Exact under a stepped clock: five minutes ahead are five evaluations, each with the data of its own time. Of a longer
jump only the last day is evaluated minute by minute.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from localaws.alarms import actions, expressions
from localaws.alarms.judge import (
    ALARM,
    EXTRA_PERIODS,
    INITIAL_REASON,
    INSUFFICIENT,
    OPERATORS,
    Point,
    Rule,
    Verdict,
    judge,
)
from localaws.alarms.series import Index, Metric, moment
from localaws.alarms.transitions import Alarms, Notice, Tracked, change, deliver_all
from localaws.cloud import Cloud, backend
from localaws.errors import AwsError
from localaws.sagemaker import vitals
from localaws.sagemaker.invocations import flush_all

STEP_SECONDS = 60
JUMP_LIMIT_SECONDS = 24 * 3600


def catch_up(cloud: Cloud, region: str) -> None:
    """Bring metrics and alarms up to the clock, then deliver what changed."""
    vitals.publish(cloud)
    flush_all(cloud)
    alarms, notices = cloud.store(region, Alarms), []
    with alarms.lock:
        _adopt(cloud, region, alarms)
        now = cloud.clock.now()
        for tracked in alarms.tracked.values():
            for tick in _ticks(tracked, now):
                tracked.ticked = tick
                verdict = _verdict(cloud, region, tracked.alarm, tick)
                if tracked.forced and not verdict.points:
                    continue
                tracked.forced = False
                notices += _apply(alarms, region, tracked, verdict, tick)
    deliver_all(region, alarms, notices)


def _verdict(cloud: Cloud, region: str, alarm: Any, tick: float) -> Verdict:
    try:
        return judge(_rule(alarm), _window(cloud, region, alarm, tick))
    except AwsError as error:  # of an expression or a statistic that came by a protocol in which nobody checks
        return Verdict(state=INSUFFICIENT, reason=error.message)


def _evaluable(alarm: Any) -> bool:
    """Composite alarms and those on anomalies are stored only."""
    return alarm.rule is None and alarm.threshold is not None and alarm.comparison_operator in OPERATORS


def _adopt(cloud: Cloud, region: str, alarms: Alarms) -> None:
    """Follow moto's alarms: a new one has no data yet, a replaced one keeps its state."""
    stored = backend("cloudwatch", region).alarms
    for name in set(alarms.tracked) - set(stored):
        del alarms.tracked[name]
    now = cloud.clock.now()
    for name, alarm in list(stored.items()):
        known = alarms.tracked.get(name)
        if not _evaluable(alarm) or (known is not None and known.alarm is alarm):
            continue
        alarm.configuration_updated_timestamp = moment(now)
        if known is None:
            alarm.state_value, alarm.state_reason, alarm.state_reason_data = INSUFFICIENT, INITIAL_REASON, None
            alarm.state_updated_timestamp = moment(now)
            alarms.tracked[name] = Tracked(alarm=alarm, ticked=_floor(now, alarm) - _step(alarm))
        else:
            for member in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp"):
                setattr(alarm, member, getattr(known.alarm, member))
            known.alarm, known.ticked = alarm, _floor(now, alarm) - _step(alarm)


def _period(alarm: Any) -> int:
    stats = [query.metric_stat for query in alarm.metric_data_queries if query.metric_stat]
    periods = [query.period for query in alarm.metric_data_queries if query.period]
    return int(alarm.period or max([*(stat.period for stat in stats), *periods], default=STEP_SECONDS))


def _step(alarm: Any) -> int:
    return min(STEP_SECONDS, _period(alarm))


def _floor(now: float, alarm: Any) -> float:
    return now // _step(alarm) * _step(alarm)


def _ticks(tracked: Tracked, now: float) -> Iterator[float]:
    step, last = _step(tracked.alarm), _floor(now, tracked.alarm)
    tick = max(tracked.ticked + step, last - JUMP_LIMIT_SECONDS)
    while tick <= last:
        yield tick
        tick += step


def _rule(alarm: Any) -> Rule:
    return Rule(
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        periods=int(alarm.evaluation_periods),
        needed=int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
        missing=alarm.treat_missing_data or "missing",
    )


def _window(cloud: Cloud, region: str, alarm: Any, tick: float) -> list[Point]:
    period, count = _period(alarm), int(alarm.evaluation_periods) + EXTRA_PERIODS
    starts = [tick - period * back for back in range(count, 0, -1)]
    index = cloud.store(region, Index)
    if alarm.metric_data_queries:
        values = _math(index, region, alarm, starts)
    else:
        metric = Metric(
            namespace=alarm.namespace,
            name=alarm.metric_name,
            dimensions=frozenset((item.name, item.value) for item in alarm.dimensions),
            period=period,
            stat=alarm.statistic or alarm.extended_statistic,
            unit=alarm.unit,
        )
        values = index.values(region, metric, starts[0], tick)
    return [(start, values.get(start)) for start in starts]


def _math(index: Index, region: str, alarm: Any, starts: Sequence[float]) -> expressions.Series:
    series: dict[str, expressions.Series] = {}
    period = _period(alarm)
    for query in alarm.metric_data_queries:
        if query.metric_stat:
            wanted = query.metric_stat.metric
            metric = Metric(
                namespace=wanted.namespace,
                name=wanted.metric_name,
                dimensions=frozenset((item.name, item.value) for item in wanted.dimensions),
                period=period,
                stat=query.metric_stat.stat,
                unit=query.metric_stat.unit,
            )
            series[query.id] = index.values(region, metric, starts[0], starts[-1] + period)
    for query in in_order([item for item in alarm.metric_data_queries if item.expression]):
        series[query.id] = expressions.evaluate(query.expression, series, starts)
    shown = [query.id for query in alarm.metric_data_queries if query.return_data is not False]
    return series[shown[-1]]


def in_order(queries: Sequence[Any]) -> list[Any]:
    """Expressions after those that they use. What refers in a circle comes last and is refused by its evaluation."""
    left, done = list(queries), []
    while left:
        pending = {query.id for query in left}
        ready = [query for query in left if not expressions.names(query.expression) & pending]
        done += ready or left
        left = [query for query in left if query not in done]
    return done


def _apply(alarms: Alarms, region: str, tracked: Tracked, verdict: Verdict, tick: float) -> list[Notice]:
    if verdict.state is None or verdict.state == tracked.alarm.state_value:
        return []
    alarm = tracked.alarm
    data = {
        "version": "1.0",
        "queryDate": actions.stamp(tick),
        "statistic": alarm.statistic or alarm.extended_statistic,
        "period": _period(alarm),
        "recentDatapoints": [value for _, value in verdict.points],
        "threshold": alarm.threshold,
        "evaluatedDatapoints": [{"timestamp": actions.stamp(at), "value": value} for at, value in verdict.points[::-1]],
    }
    return [change(alarms, region, tracked, verdict.state, verdict.reason, json.dumps(data), tick)]


def seconds(stamp: datetime) -> float:
    """moto's time stamps, UTC without a zone, as epoch seconds."""
    return stamp.replace(tzinfo=UTC).timestamp()


def missing(region: str, names: Sequence[str]) -> list[str]:
    """Those of the names that are no alarms of the region."""
    stored = backend("cloudwatch", region).alarms
    return [name for name in names if name not in stored]


def tripped(cloud: Cloud, region: str, names: Sequence[str], since: float) -> list[str]:
    """Those of the alarms that are in ALARM now or have gone into it since then (cloud time)."""
    catch_up(cloud, region)
    alarms = cloud.store(region, Alarms)
    with alarms.lock:
        found = [(name, alarms.tracked[name]) for name in names if name in alarms.tracked]
        return [
            name
            for name, tracked in found
            if tracked.alarm.state_value == ALARM
            or any(state == ALARM and at >= since for at, state in tracked.changes)
        ]
