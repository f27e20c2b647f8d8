"""What the program asks and does around an endpoint's move: see `infra.actions.Actions`, which these serve.

Reading is allowed in a preview, everything else happens in an update only.
"""

from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from infra.waiting import ActionFailed, Client, Say, log_tail

CONTENT_TAG = "slipway:configuration"
"""Of a configuration: what is in it, but for the instance count."""
GONE_POLL_SECONDS, GONE_POLLS = 1, 3600


@dataclass(frozen=True, kw_only=True)
class Move:
    """The endpoint that is wanted."""

    endpoint: str
    prefix: str
    """<project>-<stack>; an endpoint with other tags is somebody else's."""
    mode: str
    variant: str
    protect: bool


@dataclass(frozen=True, kw_only=True)
class Live:
    """The endpoint that is there."""

    status: str
    arn: str = ""
    config: str = ""
    reason: str = ""
    mode: str = "real_time"
    counts: dict[str, int] = field(default_factory=dict)
    """Desired instances by variant; none for serverless ones."""
    deployment: dict[str, Any] | None = None
    """The deployment of its last move, in the engine's spelling."""


def live_endpoint(client: Client, name: str) -> Live | None:
    try:
        found = client("sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        if "Could not find" in error.response["Error"]["Message"]:
            return None
        raise
    variants = found.get("ProductionVariants", [])
    last = found.get("LastDeploymentConfig")
    return Live(
        status=found["EndpointStatus"],
        arn=found["EndpointArn"],
        config=found.get("EndpointConfigName", ""),
        reason=found.get("FailureReason", ""),
        mode=_mode(found, variants),
        counts={one["VariantName"]: int(one.get("DesiredInstanceCount", 0)) for one in variants},
        deployment=_engine_spelling(last) if last else None,
    )


def _mode(found: dict[str, Any], variants: list[dict[str, Any]]) -> str:
    if found.get("AsyncInferenceConfig"):
        return "async"
    return "serverless" if any("CurrentServerlessConfig" in one for one in variants) else "real_time"


def _engine_spelling(value: Any) -> Any:
    """{"Type": ...} as {"type": ...}, all the way down."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _engine_spelling(item) for key, item in value.items()}
    return [_engine_spelling(item) for item in value] if isinstance(value, list) else value


def instance_count(client: Client, name: str, content: str, fewest: int, most: int) -> int:
    """The initial count of the configuration with this content. Only reads.

    Where the endpoint runs that content already, the count of its configuration, so that nothing changes. Else as many
    instances as run now, within [fewest, most]: the provider never sends RetainAllVariantProperties, so each move
    resets the count to the configuration's own (terraform-provider-aws#48990). A new instance type takes it over.
    """
    live = live_endpoint(client, name)
    if live is None:
        # Perhaps only stopped: the configuration that it comes back with must not be replaced for a count.
        made = (_count_of(client, config, content) for config in _configurations(client, name))
        return next((count for count in made if count is not None), fewest)
    count = _count_of(client, live.config, content)
    if count is not None:
        return count
    return max(1, fewest, min(sum(live.counts.values()), most))


def _count_of(client: Client, config: str, content: str) -> int | None:
    """The initial count of a configuration, if it is one with this content."""
    found = _configuration(client, config)
    variants = found.get("ProductionVariants", [])
    if found and variants and _tags(client, found["EndpointConfigArn"]).get(CONTENT_TAG) == content:
        return int(variants[0].get("InitialInstanceCount", 1))
    return None


def _configurations(client: Client, endpoint: str) -> list[str]:
    """The configurations that the program has made for the endpoint."""
    pages = client("sagemaker").get_paginator("list_endpoint_configs").paginate(NameContains=f"{endpoint}-config-")
    names = (entry["EndpointConfigName"] for page in pages for entry in page["EndpointConfigs"])
    return [name for name in names if name.startswith(f"{endpoint}-config-")]


def _configuration(client: Client, name: str) -> dict[str, Any]:
    """The configuration, or nothing when somebody has deleted it, which SageMaker allows while it is in use."""
    try:
        found: dict[str, Any] = client("sagemaker").describe_endpoint_config(EndpointConfigName=name)
    except ClientError as error:
        if "Could not find" in error.response["Error"]["Message"]:
            return {}
        raise
    return found


def deployment_of_move(client: Client, move: Move, config: str, wanted: dict[str, Any] | None) -> dict[str, Any] | None:
    """The deployment config that the endpoint's inputs must name: `wanted` when it is about to move to `config`.

    Where it runs `config` already nothing moves, and the last deployment is kept: the provider would answer another one
    with UpdateEndpoint, a whole new fleet for nothing. And where the variant's name changes (it holds the instance
    type) there is none: "your new endpoint configuration must have the same variant name as the old" (SageMaker guide,
    deployment guardrails, exclusions), so that move is all at once.
    """
    live = live_endpoint(client, move.endpoint)
    if live is None or live.status == "Failed" or live.mode != move.mode:
        return wanted
    if live.config == config:
        return wanted if _within(wanted, live.deployment) else live.deployment
    return wanted if move.variant in live.counts else None


def _within(wanted: Any, live: Any) -> bool:
    """Whether all of `wanted` is so in `live`, which may show defaults besides."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(_within(item, live.get(key)) for key, item in wanted.items())
    return bool(wanted == live)


def free_name(client: Client, name: str, prefix: str, say: Say) -> None:
    """Deletes a failed endpoint of this stack, and waits until it has gone.

    A first deployment that fails leaves its endpoint in AWS but not in Pulumi's state, and the next one is refused with
    "Cannot create already existing endpoint" (terraform-provider-aws#40080).
    """
    live = live_endpoint(client, name)
    if live and live.status == "Failed" and _is_ours(client, live, prefix):
        say(f"removing the failed endpoint {name}: {live.reason}")
        _delete(client, name)


def clear_the_way(client: Client, move: Move, config: str, say: Say) -> None:
    """Before the endpoint moves to `config`: removes what AWS would refuse the move for.

    - An endpoint of another mode, which UpdateEndpoint cannot change. The engine replaces it, but the provider does not
      wait until the old one has gone. Nothing answers until the new one is in service.
    - The scaling of a variant that the move removes, an instance type that changes included (SageMaker guide, "Update
      endpoints that use auto scaling": deregister first, register again afterwards).

    Raises ActionFailed when the mode changes and the endpoint is protected.
    """
    live = live_endpoint(client, move.endpoint)
    if live is None or live.config == config or not _is_ours(client, live, move.prefix):
        return
    if live.mode == move.mode:
        _unscale(client, move.endpoint, [name for name in live.counts if name != move.variant], say)
        return
    if move.protect:
        raise ActionFailed(
            f"endpoint {move.endpoint} is {live.mode} and slipway:serving.mode is {move.mode}; SageMaker cannot change "
            "an endpoint's mode, so it would be deleted and made again, and slipway:protect forbids that. "
            "Set slipway:protect to false and run `pulumi up`, then change the mode; or keep the mode."
        )
    say(f"removing the {live.mode} endpoint {move.endpoint}: it comes back as {move.mode}")
    _delete(client, move.endpoint)


def _is_ours(client: Client, live: Live, prefix: str) -> bool:
    tags = _tags(client, live.arn)
    return f"{tags.get('slipway:project')}-{tags.get('slipway:stack')}" == prefix


def _tags(client: Client, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in client("sagemaker").list_tags(ResourceArn=arn)["Tags"]}


def _delete(client: Client, name: str) -> None:
    sagemaker = client("sagemaker")
    sagemaker.delete_endpoint(EndpointName=name)
    limits = {"Delay": GONE_POLL_SECONDS, "MaxAttempts": GONE_POLLS}
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=limits)


def _unscale(client: Client, endpoint: str, variants: list[str], say: Say) -> None:
    scaling = client("application-autoscaling")
    for variant in variants:
        resource = f"endpoint/{endpoint}/variant/{variant}"
        found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])
        for target in found["ScalableTargets"]:
            say(f"deregistering the scaling of variant {variant}, which the endpoint is about to lose")
            scaling.deregister_scalable_target(
                ServiceNamespace="sagemaker", ResourceId=resource, ScalableDimension=target["ScalableDimension"]
            )


def verify_move(client: Client, name: str, config: str) -> str:
    """Raises ActionFailed when the endpoint runs another configuration than `config`.

    Returns a warning for one that is not there: nothing was to be changed, or the update would have failed.
    """
    live = live_endpoint(client, name)
    if live is None:
        return (
            f"endpoint {name} does not exist, and this update had nothing to change of it: the guardian has stopped it "
            "(bring it back: slipway resume), or somebody has deleted it (make it anew: pulumi up --refresh)"
        )
    if live.config == config:
        return ""
    raise ActionFailed(
        f"endpoint {name} did not move to {config}; it still serves {live.config}: "
        f"{live.reason or 'SageMaker gives no reason'}\n"
        f"The end of its log:\n{log_tail(client, f'/aws/sagemaker/Endpoints/{name}', '')}\n"
        "All of it: slipway logs --endpoint\nMend the cause, then run `pulumi up` again. (If you go back to the old "
        "instance type instead: `pulumi up --refresh`, since its scaling was deregistered for the move.)"
    )
