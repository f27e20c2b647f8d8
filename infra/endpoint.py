"""Serving: model, endpoint configuration, endpoint, and its scaling.

Only the endpoint has a name of its own. The endpoint moves only when the *name* of its configuration changes
(terraform-provider-aws#21811), so model and configuration are auto-named and made new before the old ones go.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.actions import Actions, unless_preview
from infra.settings import Serving as ServingSettings

SCALING = {"service_namespace": "sagemaker", "scalable_dimension": "sagemaker:variant:DesiredInstanceCount"}


@dataclass(frozen=True, kw_only=True)
class ServingArgs:
    prefix: str
    serving: ServingSettings
    image: Output[str]
    artifact: Output[str]
    role: Output[str]
    log_retention_days: int
    protect: bool
    actions: Actions


class Serving(pulumi.ComponentResource):
    """Outputs: model, endpoint_config, endpoint (its name; None when serving.enabled is false)."""

    model: Output[str]
    endpoint_config: Output[str]
    endpoint: Output[str] | None

    def __init__(self, name: str, args: ServingArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Serving", name, None, opts)
        child = ResourceOptions(parent=self)
        model = aws.sagemaker.Model(
            f"{args.prefix}-model",
            execution_role_arn=args.role,
            primary_container={"image": args.image, "model_data_url": args.artifact},
            opts=child,
        )
        config = aws.sagemaker.EndpointConfiguration(
            f"{args.prefix}-config", production_variants=[_variant(args, model)], opts=child
        )
        self.model, self.endpoint_config, self.endpoint = model.name, config.name, None
        # SageMaker would make the group itself, and nobody would ever remove it.
        logs = aws.cloudwatch.LogGroup(
            f"{args.prefix}-endpoint-logs",
            name=f"/aws/sagemaker/Endpoints/{args.prefix}",
            retention_in_days=args.log_retention_days,
            opts=child,
        )
        if args.serving.enabled:
            self.endpoint = _endpoint(name, args, config, ResourceOptions(parent=self, depends_on=[logs]))
        self.register_outputs({"model": model.name, "endpointConfig": config.name, "endpoint": self.endpoint})


def variant_name(instance_type: str) -> str:
    """The instance type is in the name: changing the type of a variant that scales makes UpdateEndpoint fail, while a
    new variant replaces the old one (SageMaker guide, "Update endpoints that use automatic scaling")."""
    return instance_type.removeprefix("ml.").replace(".", "-")


def _variant(args: ServingArgs, model: aws.sagemaker.Model) -> aws.sagemaker.EndpointConfigurationProductionVariantArgs:
    return aws.sagemaker.EndpointConfigurationProductionVariantArgs(
        variant_name=variant_name(args.serving.instance_type),
        model_name=model.name,
        instance_type=args.serving.instance_type,
        # Not less than the scaling minimum: an update resets the count to this one (terraform-provider-aws#48990).
        initial_instance_count=args.serving.instances.min,
        initial_variant_weight=1,
    )


def _endpoint(
    name: str, args: ServingArgs, config: aws.sagemaker.EndpointConfiguration, opts: ResourceOptions
) -> Output[str]:
    def free(config_name: str) -> Awaitable[str] | str:
        return unless_preview(config_name, lambda: _config_of_free_name(args, config_name))

    endpoint = aws.sagemaker.Endpoint(
        f"{args.prefix}-endpoint",
        name=args.prefix,
        endpoint_config_name=config.name.apply(free),
        opts=ResourceOptions.merge(opts, ResourceOptions(protect=args.protect)),
    )

    def moved(known: list[str]) -> Awaitable[str] | str:
        endpoint_name, config_name = known
        return unless_preview(endpoint_name, lambda: args.actions.moved_endpoint(endpoint_name, config_name))

    serving = Output.all(endpoint.name, endpoint.endpoint_config_name).apply(moved)
    _scaling(name, args, serving, opts)
    return serving


async def _config_of_free_name(args: ServingArgs, config_name: str) -> str:
    await args.actions.free_endpoint_name(args.prefix, args.prefix)
    return config_name


def _scaling(name: str, args: ServingArgs, endpoint: Output[str], opts: ResourceOptions) -> None:
    # Through the endpoint's output: registered once it is in service, deregistered before it goes.
    variant = variant_name(args.serving.instance_type)
    target = aws.appautoscaling.Target(
        f"{name}-capacity",
        resource_id=Output.concat("endpoint/", endpoint, "/variant/", variant),
        min_capacity=args.serving.instances.min,
        max_capacity=args.serving.instances.max,
        opts=opts,
        **SCALING,
    )
    aws.appautoscaling.Policy(
        f"{args.prefix}-scaling",
        policy_type="TargetTrackingScaling",
        resource_id=target.resource_id,
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        target_tracking_scaling_policy_configuration={
            "predefined_metric_specification": {
                "predefined_metric_type": "SageMakerVariantInvocationsPerInstance",
            },
            "target_value": args.serving.invocations_per_instance,
            "scale_in_cooldown": args.serving.scale_in_cooldown_seconds,
            "scale_out_cooldown": args.serving.scale_out_cooldown_seconds,
        },
        opts=opts,
    )
