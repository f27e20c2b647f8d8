"""`slipway verify`: proves that the stack's endpoint is what `pulumi up` was to make.

`pulumi up` can be green while it is not: SageMaker rolls a bad configuration back and says so only in the endpoint's
description (terraform-provider-aws#46663). Each check names what it saw; the first that fails says what to do.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from slipway.engine import Engine
from slipway.errors import SlipwayError
from slipway.invoke import ask, read_manifest
from slipway.prediction import differing, shown, tolerance
from slipway.project import Stack
from slipway.view import Steps

ASYNC_SECONDS = 60.0
SETTLE_SECONDS = 20 * 60.0  # instances that scaling adds, the largest with the largest models
POLL_SECONDS = 0.2
SLOWEST_POLL_SECONDS = 10.0
SCALING_DIMENSIONS = ("sagemaker:variant:DesiredInstanceCount", "sagemaker:variant:DesiredProvisionedConcurrency")

Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Proven:
    """A check that held, and what it saw."""

    check: str
    saw: str


def verify(stack: Stack, steps: Steps) -> list[Proven]:
    """Run every check as a step. Raises SlipwayError at the first that fails."""
    outputs = Engine(stack).outputs()
    if not outputs.get("endpoint"):
        known = "serving.enabled is false, model is off, or no run is approved yet"
        reason = known if outputs else "the stack was never up"
        with steps.step("verify") as step:
            step.result = f"nothing is served ({reason})"
        return []
    proven = []
    for title, check in CHECKS.items():
        with steps.step(title) as step:
            step.result = check(stack, outputs)
            proven.append(Proven(check=title, saw=step.result))
    return proven


def _configuration(stack: Stack, outputs: Facts) -> str:
    found = _settled(stack, outputs["endpoint"])
    wanted, runs = outputs["endpoint_config"], found["EndpointConfigName"]
    if runs != wanted or found["EndpointStatus"] != "InService" or found.get("FailureReason"):
        raise SlipwayError(
            f"endpoint {outputs['endpoint']} is {found['EndpointStatus']} with configuration {runs}; wanted: InService "
            f"with {wanted}. {found.get('FailureReason', 'SageMaker gives no reason')}\n"
            f"Its log: slipway logs --endpoint --stack {stack.name}"
        )
    instances = [
        f"{variant['CurrentInstanceCount']} x {variant['VariantName']}"
        for variant in found["ProductionVariants"]
        if "CurrentInstanceCount" in variant
    ]
    return f"{outputs['endpoint']} is InService with {', '.join(instances) or 'serverless'} as configured"


def _settled(stack: Stack, endpoint: str) -> Facts:
    """The endpoint once nothing changes it: a raised minimum is carried out by scaling, after `up` has ended."""
    sagemaker, deadline = stack.client("sagemaker"), time.monotonic() + SETTLE_SECONDS
    wait_seconds = POLL_SECONDS
    while True:
        found: Facts = sagemaker.describe_endpoint(EndpointName=endpoint)
        if found["EndpointStatus"] not in ("Updating", "SystemUpdating") or time.monotonic() > deadline:
            return found
        time.sleep(wait_seconds)
        wait_seconds = min(wait_seconds * 1.2, SLOWEST_POLL_SECONDS)


def _example(stack: Stack, outputs: Facts) -> str:
    """The artifact's first example, answered as when it was exported."""
    manifest = read_manifest(stack, outputs["artifact"])
    example = manifest["examples"][0]
    body = json.dumps({"instances": [example["instance"]]}).encode()
    config = stack.client("sagemaker").describe_endpoint_config(EndpointConfigName=outputs["endpoint_config"])
    answer = _ask_async(stack, outputs, body) if "AsyncInferenceConfig" in config else _ask(stack, outputs, body)
    prediction, recorded = json.loads(answer)["predictions"][0], example["prediction"]
    if other := differing(prediction, recorded, tolerance(manifest)):
        raise SlipwayError(
            f"endpoint {outputs['endpoint']} answers the artifact's example with {shown(prediction, recorded)}; "
            f"recorded: {shown(recorded, recorded)} (other: {', '.join(other)}). It serves another model, or the image "
            "computes differently: compare slipway runs with the stack's output `artifact`"
        )
    return f"{shown(prediction, recorded)}, as recorded in the artifact"


def _ask(stack: Stack, outputs: Facts, body: bytes) -> bytes:
    return ask(stack.client("sagemaker-runtime"), outputs["endpoint"], body).body


def _ask_async(stack: Stack, outputs: Facts, body: bytes) -> bytes:
    s3 = stack.client("s3")
    key = f"async/input/verify-{time.time_ns()}.json"
    s3.put_object(Bucket=outputs["bucket"], Key=key, Body=body)
    reply = stack.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=outputs["endpoint"],
        InputLocation=f"s3://{outputs['bucket']}/{key}",
        ContentType="application/json",
        Accept="application/json",
    )
    answer, failure = (urlsplit(reply.get(name, "")) for name in ("OutputLocation", "FailureLocation"))
    deadline = time.monotonic() + ASYNC_SECONDS
    while time.monotonic() < deadline:
        for place in (answer, failure):
            try:
                found: bytes = s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                    raise
                continue
            if place is failure:
                raise SlipwayError(f"endpoint {outputs['endpoint']} failed on the artifact's example: {found[:500]!r}")
            return found
        time.sleep(POLL_SECONDS)
    raise SlipwayError(
        f"endpoint {outputs['endpoint']} left no answer at {reply['OutputLocation']} within {ASYNC_SECONDS:.0f} s; "
        f"its log: slipway logs --endpoint --stack {stack.name}"
    )


def _scaling(stack: Stack, outputs: Facts) -> str:
    """Every variant that can scale is registered, has a policy, and stays within its bounds."""
    found = stack.client("sagemaker").describe_endpoint(EndpointName=outputs["endpoint"])
    scaling = stack.client("application-autoscaling")
    seen = []
    for variant in found["ProductionVariants"]:
        serverless = variant.get("CurrentServerlessConfig")
        if serverless and not serverless.get("ProvisionedConcurrency"):
            seen.append(f"{variant['VariantName']}: serverless, scaled by SageMaker")
            continue
        resource = f"endpoint/{outputs['endpoint']}/variant/{variant['VariantName']}"
        names = {"ServiceNamespace": "sagemaker", "ResourceId": resource}
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])
        policies = scaling.describe_scaling_policies(**names)["ScalingPolicies"]
        if not targets["ScalableTargets"] or not policies:
            raise SlipwayError(
                f"{resource} does not scale: {len(targets['ScalableTargets'])} target(s) and {len(policies)} policies "
                f"are registered. Put it right: pulumi up --refresh --stack {stack.name}"
            )
        target = targets["ScalableTargets"][0]
        seen.append(f"{variant['VariantName']}: {target['MinCapacity']} to {target['MaxCapacity']}")
    return "; ".join(seen)


def _alarms(stack: Stack, outputs: Facts) -> str:
    names = list(outputs.get("alarms") or [])
    if not names:
        return "none (monitoring.alarms is false)"
    found = stack.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    missing = sorted(set(names) - {alarm["AlarmName"] for alarm in found})
    firing = [f"{alarm['AlarmName']}: {alarm['StateReason']}" for alarm in found if alarm["StateValue"] == "ALARM"]
    if missing or firing:
        lines = "\n".join([*(f"  {name}: does not exist" for name in missing), *(f"  {line}" for line in firing)])
        raise SlipwayError(f"{len(missing) + len(firing)} of {len(names)} alarms are not in order:\n{lines}")
    return f"{len(names)} alarms, none firing"


CHECKS: dict[str, Callable[[Stack, Facts], str]] = {
    "in service": _configuration,
    "example": _example,
    "scaling": _scaling,
    "alarms": _alarms,
}
