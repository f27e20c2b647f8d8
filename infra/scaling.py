"""Scaling: the target that Application Auto Scaling changes, its policies and its schedules.

A table of what each mode and metric wants. Nothing here exists before the endpoint has moved: SageMaker registers only
a variant in service, and deregistering takes policies and schedules along.
"""

from dataclasses import dataclass
from typing import Any

import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.serving_section import Serving
from infra.variants import variant_name

NAMESPACE = "sagemaker"
INSTANCES = "sagemaker:variant:DesiredInstanceCount"
PROVISIONED = "sagemaker:variant:DesiredProvisionedConcurrency"
PREDEFINED = {
    "invocations": "SageMakerVariantInvocationsPerInstance",
    "concurrency": "SageMakerVariantConcurrentRequestsPerModelHighResolution",
    "provisioned": "SageMakerVariantProvisionedConcurrencyUtilization",
}
PROVISIONED_UTILISATION = 0.7
"""Share of the provisioned workers that is busy; AWS's own example holds it at this."""
DEFAULT_METRICS = {"real_time": "invocations", "async": "backlog"}


@dataclass(frozen=True, kw_only=True)
class ScalingArgs:
    prefix: str
    serving: Serving
    endpoint: Output[str]
    """The endpoint's name, known once it runs its configuration."""


def metric_of(serving: Serving) -> str:
    """invocations, concurrency, backlog or provisioned: what target tracking holds."""
    if serving.mode == "serverless":
        return "provisioned"
    return serving.scaling.metric or DEFAULT_METRICS[serving.mode]


def bounds(serving: Serving) -> tuple[int, int]:
    """(fewest, most): instances, or provisioned workers of a serverless endpoint."""
    if serving.mode == "serverless":
        return serving.serverless.provisioned_concurrency, serving.serverless.max_concurrency
    return serving.instances.min, serving.instances.max


def declare_scaling(name: str, args: ScalingArgs, opts: ResourceOptions) -> None:
    """The target, its policy, its schedules; nothing for a serverless endpoint without provisioned workers."""
    if not args.serving.scales:
        return
    fewest, most = bounds(args.serving)
    # Through the endpoint's output: registered once it is in service, deregistered before it goes.
    target = aws.appautoscaling.Target(
        f"{name}-capacity",
        resource_id=Output.concat("endpoint/", args.endpoint, "/variant/", variant_name(args.serving)),
        service_namespace=NAMESPACE,
        scalable_dimension=PROVISIONED if args.serving.mode == "serverless" else INSTANCES,
        min_capacity=fewest,
        max_capacity=most,
        opts=opts,
    )
    of_target = {
        "resource_id": target.resource_id,
        "service_namespace": target.service_namespace,
        "scalable_dimension": target.scalable_dimension,
    }
    aws.appautoscaling.Policy(
        f"{args.prefix}-scaling",
        policy_type="TargetTrackingScaling",
        target_tracking_scaling_policy_configuration=_tracking(args),
        opts=opts,
        **of_target,
    )
    for one in args.serving.scaling.schedule:
        aws.appautoscaling.ScheduledAction(
            f"{args.prefix}-scaling-schedule-{one.name}",
            schedule=one.cron,
            timezone=one.timezone,
            scalable_target_action={"min_capacity": one.min, "max_capacity": one.max},
            opts=opts,
            **of_target,
        )
    if args.serving.mode == "async" and _may_sleep(args.serving):
        _wake(args, of_target, opts)


def _tracking(args: ScalingArgs) -> dict[str, Any]:
    scaling = args.serving.scaling
    metric = metric_of(args.serving)
    if metric == "backlog":
        specification: dict[str, Any] = {"customized_metric_specification": _backlog(args.prefix)}
    else:
        specification = {"predefined_metric_specification": {"predefined_metric_type": PREDEFINED[metric]}}
    return specification | {
        "target_value": PROVISIONED_UTILISATION if metric == "provisioned" else scaling.target,
        "scale_in_cooldown": scaling.scale_in_cooldown_seconds,
        "scale_out_cooldown": scaling.scale_out_cooldown_seconds,
    }


def _backlog(endpoint: str) -> dict[str, Any]:
    """The queue belongs to the endpoint: no variant among the dimensions."""
    return {
        "metric_name": "ApproximateBacklogSizePerInstance",
        "namespace": "AWS/SageMaker",
        "dimensions": [{"name": "EndpointName", "value": endpoint}],
        "statistic": "Average",
    }


def _may_sleep(serving: Serving) -> bool:
    return 0 in (serving.instances.min, *(one.min for one in serving.scaling.schedule))


def _wake(args: ScalingArgs, of_target: dict[str, Any], opts: ResourceOptions) -> None:
    """The first instance. Target tracking cannot start it: a backlog per instance has no value without instances."""
    step = aws.appautoscaling.Policy(
        f"{args.prefix}-scaling-wake",
        policy_type="StepScaling",
        step_scaling_policy_configuration={
            "adjustment_type": "ChangeInCapacity",
            "metric_aggregation_type": "Average",
            "cooldown": args.serving.scaling.scale_in_cooldown_seconds,
            "step_adjustments": [{"metric_interval_lower_bound": "0", "scaling_adjustment": 1}],
        },
        opts=opts,
        **of_target,
    )
    aws.cloudwatch.MetricAlarm(
        f"{args.prefix}-alarm-wake",
        alarm_description=f"Requests wait for endpoint {args.prefix} and no instance runs: starts the first one.",
        namespace="AWS/SageMaker",
        metric_name="HasBacklogWithoutCapacity",
        dimensions={"EndpointName": args.prefix},
        statistic="Average",
        period=60,
        evaluation_periods=1,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=1,
        # An endpoint that runs with instances publishes nothing here.
        treat_missing_data="notBreaching",
        alarm_actions=[step.arn],
        opts=opts,
    )
