"""Serving: models, endpoint configuration, endpoint, and its scaling.

Only the endpoint has a name of its own. The endpoint moves only when the *name* of its configuration changes
(terraform-provider-aws#21811), so models and configuration are auto-named and made new before the old ones go.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra import variants
from infra.actions import Actions
from infra.deployments import deployment_config
from infra.endpoint_actions import CONTENT_TAG, Move
from infra.scaling import ScalingArgs, declare_scaling
from infra.settings import Serving as ServingSettings
from infra.variants import variant_name
from infra.waiting import unless_preview


@dataclass(frozen=True, kw_only=True)
class ServingArgs:
    prefix: str
    serving: ServingSettings
    image: Output[str]
    image_setting: str = variants.OWN_IMAGE
    """build, or the URI of the user's image: tells which CUDA the image has, also in a preview."""
    artifact: Output[str]
    shadow_artifact: Output[str] | None = None
    role: Output[str]
    bucket: Output[str]
    """For captured requests and asynchronous answers."""
    kms_key_arn: Output[str] | None = None
    topic: Output[str] | None = None
    """Told of asynchronous answers, where the settings want that."""
    rollback_alarms: Output[list[str]] | None = None
    """Names of alarms; the endpoint depends on them."""
    subnet_ids: Output[list[str]] | None = None
    security_group_ids: Output[list[str]] | None = None
    isolation: bool = False
    wrap: Callable[[str], Any] = str
    """What a value of the environment is wrapped in: Output.secret when the configuration has it encrypted."""
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
        model = _model(f"{args.prefix}-model", args, args.artifact, child)
        shadow = None
        if args.serving.shadow and args.shadow_artifact is not None:
            shadow = _model(f"{args.prefix}-shadow-model", args, args.shadow_artifact, child)
        config = _configuration(args, model, shadow, child)
        self.model, self.endpoint_config, self.endpoint = model.name, config.name, None
        # SageMaker would make the group itself, and nobody would ever remove it.
        logs = aws.cloudwatch.LogGroup(
            f"{args.prefix}-endpoint-logs",
            name=f"/aws/sagemaker/Endpoints/{args.prefix}",
            retention_in_days=args.log_retention_days,
            opts=child,
        )
        if args.serving.enabled:
            after = ResourceOptions(parent=self, depends_on=[logs])
            self.endpoint = _endpoint(args, config, after)
            scaling = ScalingArgs(prefix=args.prefix, serving=args.serving, endpoint=self.endpoint)
            declare_scaling(name, scaling, after)
        self.register_outputs({"model": model.name, "endpointConfig": config.name, "endpoint": self.endpoint})


def _model(name: str, args: ServingArgs, artifact: Output[str], opts: ResourceOptions) -> aws.sagemaker.Model:
    container: dict[str, Any] = {"image": args.image, "model_data_url": artifact}
    if args.serving.environment:
        container["environment"] = {key: args.wrap(value) for key, value in args.serving.environment.items()}
    more: dict[str, Any] = {"enable_network_isolation": True} if args.isolation else {}
    if args.subnet_ids is not None and args.serving.mode != "serverless":
        more["vpc_config"] = {"subnets": args.subnet_ids, "security_group_ids": args.security_group_ids}
    return aws.sagemaker.Model(name, execution_role_arn=args.role, primary_container=container, opts=opts, **more)


def _configuration(
    args: ServingArgs,
    model: aws.sagemaker.Model,
    shadow: aws.sagemaker.Model | None,
    child: ResourceOptions,
) -> aws.sagemaker.EndpointConfiguration:
    serving = args.serving
    given = {
        "shadow_production_variants": shadow and [variants.shadow(serving, shadow.name, args.image_setting)],
        "data_capture_config": variants.capture(serving, args.bucket, args.kms_key_arn),
        "async_inference_config": variants.asynchronous(serving, args.bucket, args.kms_key_arn, args.topic),
        "kms_key_arn": variants.volume_key(serving, args.kms_key_arn),
    }
    fixed = {name: value for name, value in given.items() if value is not None}
    uncounted = fixed | {"production_variants": [variants.production(serving, model.name, 0, args.image_setting)]}
    content = Output.json_dumps(uncounted, sort_keys=True).apply(_digest)

    def count(known: str) -> Awaitable[int]:
        return args.actions.instance_count(args.prefix, known, max(1, serving.instances.min), serving.instances.max)

    # A count alone must make no new configuration, and a new one starts with what runs. (`ignore_changes` would keep
    # the old count in a replaced configuration too: the engine resets a nested path in the goal itself.)
    variant = variants.production(serving, model.name, content.apply(count), args.image_setting)
    return aws.sagemaker.EndpointConfiguration(
        f"{args.prefix}-config", production_variants=[variant], tags={CONTENT_TAG: content}, opts=child, **fixed
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _endpoint(args: ServingArgs, config: aws.sagemaker.EndpointConfiguration, opts: ResourceOptions) -> Output[str]:
    """The endpoint's name, once it runs `config`."""
    move = Move(
        endpoint=args.prefix,
        prefix=args.prefix,
        mode=args.serving.mode,
        variant=variant_name(args.serving),
        protect=args.protect,
    )

    def ready(name: str) -> Awaitable[str] | str:
        return unless_preview(name, lambda: _ready(args.actions, move, name))

    def deployment(known: list[Any]) -> Awaitable[Any]:
        name, alarms = known
        return args.actions.deployment_of_move(move, name, deployment_config(args.serving.deployment, alarms))

    def moved(known: list[str]) -> Awaitable[str] | str:
        name, config_name = known
        return unless_preview(name, lambda: args.actions.moved_endpoint(name, config_name))

    ready_config = config.name.apply(ready)
    alarms = Output.from_input([]) if args.rollback_alarms is None else args.rollback_alarms
    endpoint = aws.sagemaker.Endpoint(
        f"{args.prefix}-endpoint",
        name=args.prefix,
        endpoint_config_name=ready_config,
        deployment_config=Output.all(config.name, alarms).apply(deployment),
        # SageMaker cannot change a mode; the name is fixed, so the old endpoint goes first.
        opts=ResourceOptions.merge(
            opts,
            ResourceOptions(protect=args.protect, replacement_trigger=args.serving.mode, delete_before_replace=True),
        ),
    )
    return Output.all(endpoint.name, endpoint.endpoint_config_name).apply(moved)


async def _ready(actions: Actions, move: Move, config: str) -> str:
    await actions.free_endpoint_name(move.endpoint, move.prefix)
    return await actions.ready_endpoint(move, config)
