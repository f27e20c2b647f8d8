"""DeploymentConfig: its rules, and the plan that it makes for a change of fleets.

Limits: API reference of SageMaker (TrafficRoutingConfig, RollingUpdatePolicy) and its developer guide, "Deployment
guardrails" with its page of exclusions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localaws.alarms import store as alarms
from localaws.cloud import arn
from localaws.errors import validation
from localaws.iam.platform import AccessError, Actor

ALL_AT_ONCE, CANARY, LINEAR, ROLLING = "ALL_AT_ONCE", "CANARY", "LINEAR", "ROLLING"
_SIZE_FIELDS = {CANARY: "CanarySize", LINEAR: "LinearStepSize"}
_SIZE_PERCENT = {"CanarySize": (0, 50), "LinearStepSize": (10, 50), "MaximumBatchSize": (5, 50)}
_SIZE_PERCENT["RollbackMaximumBatchSize"] = (0, 100)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`shares` of traffic for the new fleet, step by step; `batch` and `rollback_batch` are instances (rolling).

    Times in seconds of the clock; `limit_seconds` is None for no limit.
    """

    strategy: str = ALL_AT_ONCE
    shares: Sequence[float] = (1.0,)
    batch: int = 0
    rollback_batch: int = 0
    wait_seconds: int = 0
    termination_wait_seconds: int = 0
    limit_seconds: int | None = None
    alarms: Sequence[str] = ()


def plan(actor: Actor, config: Mapping[str, Any] | None, instances: int) -> Plan:
    """Check the DeploymentConfig for a fleet of so many instances and make its plan. Raises AwsError.

    `actor` is the model's role, which looks at the alarms: it needs cloudwatch:DescribeAlarms on them.
    """
    given = config or {}
    blue_green, rolling = given.get("BlueGreenUpdatePolicy"), given.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise validation("Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy can be specified.")
    names = [item["AlarmName"] for item in given.get("AutoRollbackConfiguration", {}).get("Alarms", [])]
    _check_alarms(actor, names)
    if rolling:
        return _rolling(rolling, names, instances)
    return _blue_green(blue_green, names, instances) if blue_green else Plan(alarms=names)


def _check_alarms(actor: Actor, names: Sequence[str]) -> None:
    unknown = alarms.missing(actor.region, names)
    if unknown:
        raise validation(
            f"AutoRollbackConfiguration names CloudWatch alarms that do not exist in {actor.region}: "
            f"{', '.join(unknown)}. Create the alarms before the deployment."
        )
    for name in names:
        try:
            actor.require("cloudwatch:DescribeAlarms", arn("cloudwatch", actor.region, f"alarm:{name}"))
        except AccessError as error:
            raise validation(f"The role {actor.role} cannot see the alarm {name}: {error}") from error


def _blue_green(policy: Mapping[str, Any], names: Sequence[str], instances: int) -> Plan:
    routing = policy["TrafficRoutingConfiguration"]
    strategy, wait = routing["Type"], routing["WaitIntervalInSeconds"]
    for kind, member in _SIZE_FIELDS.items():
        if (member in routing) != (kind == strategy):
            verb = "requires" if kind == strategy else "does not take"
            raise validation(f"A TrafficRoutingConfiguration of type {strategy} {verb} {member}.")
    shares = [1.0]
    if strategy == CANARY:
        shares = [_fraction(routing["CanarySize"], "CanarySize", instances), 1.0]
    if strategy == LINEAR:
        step = _fraction(routing["LinearStepSize"], "LinearStepSize", instances)
        count = math.ceil(round(1 / step, 6))
        shares = [min(step * number, 1.0) for number in range(1, count)] + [1.0]
    ending = policy.get("TerminationWaitInSeconds", 0)
    limit = policy.get("MaximumExecutionTimeoutInSeconds")
    _check_limit(limit, wait * len(shares) + ending)
    return Plan(
        strategy=strategy,
        shares=shares,
        wait_seconds=wait,
        termination_wait_seconds=ending,
        limit_seconds=limit,
        alarms=names,
    )


def _rolling(policy: Mapping[str, Any], names: Sequence[str], instances: int) -> Plan:
    size = _fraction(policy["MaximumBatchSize"], "MaximumBatchSize", instances)
    back = policy.get("RollbackMaximumBatchSize", {"Type": "CAPACITY_PERCENT", "Value": 100})
    batch = max(1, math.ceil(round(size * instances, 6)))
    limit = policy.get("MaximumExecutionTimeoutInSeconds")
    _check_limit(limit, policy["WaitIntervalInSeconds"] * math.ceil(instances / batch))
    return Plan(
        strategy=ROLLING,
        batch=batch,
        rollback_batch=max(1, math.ceil(round(_fraction(back, "RollbackMaximumBatchSize", instances) * instances, 6))),
        wait_seconds=policy["WaitIntervalInSeconds"],
        limit_seconds=limit,
        alarms=names,
    )


def _fraction(size: Mapping[str, Any], member: str, instances: int) -> float:
    """A CapacitySize as a part of the fleet. Raises AwsError outside of the limits of its member."""
    low, high = _SIZE_PERCENT[member]
    percent = size["Value"] if size["Type"] == "CAPACITY_PERCENT" else 100 * size["Value"] / instances
    if not low <= percent <= high or percent == 0:
        given = f"{size['Value']} {'%' if size['Type'] == 'CAPACITY_PERCENT' else 'instances'}"
        raise validation(
            f"Invalid {member}: {given} of {instances} instances; it must be between {low}% and {high}% of the "
            "variant's total instance count."
        )
    return percent / 100


def _check_limit(limit: int | None, waits: int) -> None:
    if limit is not None and limit <= waits:
        raise validation(
            f"MaximumExecutionTimeoutInSeconds is {limit}; it must be larger than the total waiting time of "
            f"{waits} seconds in WaitIntervalInSeconds and TerminationWaitInSeconds."
        )


def check_variants(chosen: Plan, old: Sequence[str], new: Sequence[str], *, serverless: bool) -> None:
    """A guarded deployment needs the variants that are there; a rolling one also a single one with instances."""
    if chosen.strategy == ALL_AT_ONCE:
        return
    if set(old) != set(new):
        raise validation(
            f"A deployment of type {chosen.strategy} needs the same variant names in the old and the new endpoint "
            f"configuration; old: {', '.join(old)}; new: {', '.join(new)}."
        )
    if chosen.strategy == ROLLING and (serverless or len(new) > 1):
        raise validation("Rolling deployments are not supported for serverless and multi-variant endpoints.")
