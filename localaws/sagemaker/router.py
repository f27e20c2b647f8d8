"""Invocations: from the client's request to one instance and back, with AWS's headers and errors.

Least outstanding requests, one pool of keep-alive connections per instance. A request goes to another instance only
if the connection was refused before anything was sent, so no prediction runs twice.
"""

import http.client
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from localaws import wire
from localaws.cloud import ACCOUNT, Cloud, arn
from localaws.errors import AwsError
from localaws.money import meters
from localaws.sagemaker import connections, multi_model
from localaws.sagemaker.choice import Request
from localaws.sagemaker.deployment import Deployment
from localaws.sagemaker.fleet import Fleet
from localaws.sagemaker.instance import LOG_GROUP, Instance
from localaws.sagemaker.invocations import InvocationMetrics, Served
from localaws.sagemaker.state import SageMaker
from localaws.wire import Answer

BODY_LIMIT_BYTES = 25 * 1024 * 1024
SERVERLESS_LIMIT_BYTES = 4 * 1024 * 1024
INVOKE_SECONDS = 60.0
LEAST_SECONDS = 1.0  # for an answer after a model has taken nearly all the time to load
FORWARDED = (
    "Content-Type",
    "Accept",
    "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-Target-Model",
    "X-Amzn-SageMaker-Target-Variant",
    "X-Amzn-SageMaker-Target-Container-Hostname",
    "X-Amzn-SageMaker-Inference-Id",
    "X-Amzn-SageMaker-Session-Id",
    "X-Amzn-SageMaker-Enable-Explanations",
)
SERVED_BY = "x-localaws-served-by"
TARGET_VARIANT = "X-Amzn-SageMaker-Target-Variant"
RETURNED = ("content-type", "x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-new-session-id")


def find(cloud: Cloud, region: str, endpoint: str) -> Deployment:
    """The endpoint, if it can be invoked. Raises AwsError."""
    deployment = cloud.store(region, SageMaker).endpoints.get(endpoint)
    if deployment is None or deployment.fleet is None:
        raise AwsError("ValidationError", f"Endpoint {endpoint} of account {ACCOUNT} not found.")
    return deployment


def invoke(cloud: Cloud, region: str, endpoint: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer POST /endpoints/<endpoint>/invocations. Raises AwsError."""
    deployment = admit(cloud, region, endpoint, headers, body)
    answer, content = exchange(deployment, headers.get(TARGET_VARIANT), headers, body)
    named = [(name, value) for name, value in answer.items() if name.lower() in RETURNED]
    return (
        http.client.OK,
        [*named, ("x-Amzn-Invoked-Production-Variant", answer[SERVED_BY]), ("x-amzn-RequestId", str(uuid4()))],
        content,
    )


def admit(cloud: Cloud, region: str, endpoint: str, headers: Mapping[str, str], body: bytes) -> Deployment:
    """The endpoint, if it takes this request while its client waits. Raises AwsError."""
    deployment = find(cloud, region, endpoint)
    fleet, variant = deployment.fleet, headers.get(TARGET_VARIANT)
    if deployment.queue is not None:
        raise AwsError(
            "ValidationError", f"Endpoint {endpoint} takes asynchronous requests only; use InvokeEndpointAsync."
        )
    if variant is not None and not deployment.traffic.has(variant):
        raise AwsError("ValidationError", f"Variant {variant} not found for Request.")
    if fleet is not None and fleet.serverless and len(body) > SERVERLESS_LIMIT_BYTES:
        text = f"HTTP content length exceeded {SERVERLESS_LIMIT_BYTES} bytes."
        raise AwsError("ValidationError", text, status=413)
    if fleet is not None and fleet.multi_model != (multi_model.TARGET in headers):
        unsupported = f"Endpoint {endpoint} is not a multi-model endpoint and does not support target model header."
        missing = f"Request {uuid4()} is missing a target model header: {endpoint} is a multi-model endpoint."
        raise AwsError("ValidationError", missing if fleet.multi_model else unsupported)
    return deployment


def exchange(
    deployment: Deployment,
    variant: str | None,
    headers: Mapping[str, str],
    body: bytes,
    limit_seconds: float = INVOKE_SECONDS,
) -> tuple[Mapping[str, str], bytes]:
    """Send to an instance, meter, capture, copy to the shadow. The answer's headers gain SERVED_BY. Raises AwsError."""
    began = time.perf_counter()
    forwarded = {name: headers[name] for name in FORWARDED if name in headers}
    fleet, sent = _send(deployment, variant, forwarded, body, limit_seconds)
    meter(deployment, fleet, sent, time.perf_counter() - began)
    name = deployment.record["EndpointName"]
    meters.payload(deployment.cloud, deployment.region, name, len(body), len(sent.content))
    served_by = sent.instance.server.variant
    if fleet.shadows and variant is None:
        _copy(deployment, fleet, served_by, forwarded, body)
    if not http.client.OK <= sent.status < http.client.MULTIPLE_CHOICES:
        raise model_error(deployment.region, name, sent)
    capture = deployment.capture
    if capture is not None:
        answered = _type(sent.headers), sent.content
        inference_id = headers.get("X-Amzn-SageMaker-Inference-Id", "")
        capture.record(served_by, (_type(headers), body), answered, inference_id)
    return {**sent.headers, SERVED_BY: served_by}, sent.content


def _type(headers: Mapping[str, str]) -> str:
    return next((value for name, value in headers.items() if name.lower() == "content-type"), "")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What became of a request at its instance; status 0 stands for no answer. `more`: see Served."""

    instance: Instance
    status: int
    headers: Mapping[str, str]
    content: bytes
    seconds: float
    more: Mapping[str, float] = field(default_factory=dict)


def _send(
    deployment: Deployment, variant: str | None, headers: Mapping[str, str], body: bytes, limit_seconds: float
) -> tuple[Fleet, Sent]:
    refused: list[Instance] = []
    while True:
        fleet, instance = take(
            deployment, Request(variant=variant, target=headers.get(multi_model.TARGET), avoid=refused)
        )
        try:
            return fleet, _ask(instance, headers, body, limit_seconds)
        except ConnectionRefusedError:
            refused.append(instance)
        finally:
            fleet.release(instance)


def _ask(instance: Instance, headers: Mapping[str, str], body: bytes, limit_seconds: float) -> Sent:
    """Send it, to the model that it names where there are many. Raises AwsError, ConnectionRefusedError."""
    if instance.models is None:
        return _exchange(instance, headers, body, limit_seconds, "/invocations", {})
    asked = multi_model.Asked()
    try:
        with instance.models.use(headers[multi_model.TARGET], asked) as path:
            left = limit_seconds - instance.cloud.clock.cloud_seconds(asked.seconds)
            return _exchange(instance, headers, body, max(left, LEAST_SECONDS), path, asked.metrics)
    except multi_model.LoadError as error:
        return Sent(instance=instance, status=error.status, headers={}, content=error.content, seconds=0.0)


def _exchange(
    instance: Instance,
    headers: Mapping[str, str],
    body: bytes,
    limit_seconds: float,
    path: str,
    more: Mapping[str, float],
) -> Sent:
    began = time.perf_counter()
    status, answered, content = connections.exchange(instance.cloud, instance, headers, body, limit_seconds, path=path)
    seconds = time.perf_counter() - began
    return Sent(instance=instance, status=status, headers=answered, content=content, seconds=seconds, more=more)


def take(deployment: Deployment, request: Request) -> tuple[Fleet, Instance]:
    """An instance of a fleet that has traffic. Fleets may be exchanged while one looks: then one looks again."""
    while True:
        traffic = deployment.traffic
        for fleet in traffic.order():
            instance = fleet.take(request)
            if instance is not None:
                return fleet, instance
        if deployment.traffic is traffic:
            raise AwsError("ServiceUnavailable", "No healthy instance can take the request; try again.", status=503)


def meter(deployment: Deployment, fleet: Fleet, sent: Sent, seconds: float) -> None:
    """Count a request that took so many seconds in all."""
    variant = sent.instance.server.variant
    more = dict(sent.more)
    if variant in fleet.serverless:
        busy = fleet.busy(variant) + 1
        share = busy / fleet.serverless[variant]["MaxConcurrency"]
        _bill_serverless(deployment, fleet, sent, on_provisioned=busy <= fleet.counts[variant])
        more["ServerlessConcurrentExecutionsUtilization"] = min(share, 1.0)
        if sent.instance.setup_seconds:
            more["ModelSetupTime"], sent.instance.setup_seconds = sent.instance.setup_seconds * 1e6, 0.0
    served = Served(
        endpoint=deployment.record["EndpointName"],
        variant=variant,
        config=fleet.config["EndpointConfigName"],
        status=sent.status,
        model_seconds=sent.seconds,
        overhead_seconds=seconds - sent.seconds,
        instances=fleet.live(variant),
        asynchronous=fleet.asynchronous,
        more=more,
    )
    cloud = deployment.cloud
    cloud.store(deployment.region, InvocationMetrics).record(cloud.clock, deployment.region, served)


def _bill_serverless(deployment: Deployment, fleet: Fleet, sent: Sent, *, on_provisioned: bool) -> None:
    meters.serverless(
        deployment.cloud,
        deployment.region,
        deployment.record["EndpointName"],
        variant := sent.instance.server.variant,
        fleet.serverless[variant]["MemorySizeInMB"],
        sent.seconds,
        on_provisioned=on_provisioned,
    )


def _copy(deployment: Deployment, fleet: Fleet, served_by: str, headers: Mapping[str, str], body: bytes) -> None:
    """The shadow's copy, in the background; its answer is dropped. Its weight to the variant's gives the sample."""
    shadow = fleet.shadows[0]
    if random.random() * (fleet.weights[served_by] or 1.0) >= fleet.weights[shadow]:
        return

    def send() -> None:
        instance = fleet.pick(Request(variant=shadow))
        if instance is None:
            return
        try:
            sent = _ask(instance, headers, body, INVOKE_SECONDS)
        except ConnectionRefusedError:
            return
        finally:
            fleet.release(instance)
        meter(deployment, fleet, sent, sent.seconds)

    threading.Thread(target=send, name="shadow", daemon=True).start()


def model_error(region: str, endpoint: str, sent: Sent) -> AwsError:
    """424 ModelError: whatever the container answered instead of a 2xx."""
    status, group, text = sent.status, f"{LOG_GROUP}/{endpoint}", sent.content.decode("utf-8", "replace")
    kind = "client" if http.client.BAD_REQUEST <= status < http.client.INTERNAL_SERVER_ERROR else "server"
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group}"
    return AwsError(
        "ModelError",
        f'Received {kind} error ({status}) from primary with message "{text}". '
        f"See {console} in account {ACCOUNT} for more information.",
        status=424,
        OriginalStatusCode=status,
        OriginalMessage=text,
        LogStreamArn=arn("logs", region, f"log-group:{group}"),
    )


def failure(error: AwsError) -> Answer:
    return wire.failure(error, wire.REST_JSON)
