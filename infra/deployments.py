"""How an endpoint moves to a new configuration: SageMaker's deployment guardrails.

A deployment is how the *next* move happens. So a change of these settings alone moves nothing, and an endpoint keeps in
its inputs the deployment of its last move: see `Actions.deployment_of_move`.
"""

from typing import Any

from infra.serving_section import Deployment

Wire = dict[str, Any]


def deployment_config(deployment: Deployment, alarms: list[str]) -> Wire | None:
    """The DeploymentConfig in the engine's spelling (camelCase).

    None for all_at_once that nothing watches, which is SageMaker's own way. Every member is given, so that what
    DescribeEndpoint shows afterwards can be compared with it.
    """
    if deployment.strategy == "all_at_once" and not (deployment.rollback and alarms):
        return None
    policy = _rolling(deployment) if deployment.strategy == "rolling" else _blue_green(deployment)
    if deployment.rollback and alarms:
        policy["autoRollbackConfiguration"] = {"alarms": [{"alarmName": name} for name in alarms]}
    return policy


def _percent(value: int) -> Wire:
    return {"type": "CAPACITY_PERCENT", "value": value}


def _blue_green(deployment: Deployment) -> Wire:
    sizes = {"canary": "canarySize", "linear": "linearStepSize"}
    size = sizes.get(deployment.strategy)
    return {
        "blueGreenUpdatePolicy": {
            "trafficRoutingConfiguration": {
                "type": deployment.strategy.upper(),
                # All at once there is one step; the wait after it is the one before the old fleet ends.
                "waitIntervalInSeconds": deployment.wait_seconds if size else 0,
                **({size: _percent(deployment.step_percent)} if size else {}),
            },
            "terminationWaitInSeconds": deployment.termination_wait_seconds,
            "maximumExecutionTimeoutInSeconds": deployment.timeout_minutes * 60,
        }
    }


def _rolling(deployment: Deployment) -> Wire:
    return {
        "rollingUpdatePolicy": {
            "maximumBatchSize": _percent(deployment.step_percent),
            "waitIntervalInSeconds": deployment.wait_seconds,
            "maximumExecutionTimeoutInSeconds": deployment.timeout_minutes * 60,
            "rollbackMaximumBatchSize": _percent(100),  # back at once
        }
    }
