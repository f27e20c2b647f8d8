"""The changes that a stack goes through while a client calls its endpoint all the time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.checkout import Checkout

Apply = Callable[[Checkout], None]
QUICK = {"instance_type": "ml.g5.xlarge", "min_accuracy": 0.3, "hyperparameters": {"model": "mlp", "epochs": 2}}
"""A run that is over in a second."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row of docs/updates.md. `fails`: words of the error that `up` ends with, the endpoint serving as before."""

    name: str
    what: str
    apply: Apply
    fails: str = ""
    downtime: bool = False
    during: Apply | None = None
    """Done by somebody else while `up` runs, once the endpoint is being updated."""


def setting(**changes: Any) -> Apply:
    return lambda checkout: checkout.configure(**changes)


def in_turn(*steps: Apply) -> Apply:
    def apply(checkout: Checkout) -> None:
        for step in steps:
            step(checkout)

    return apply


def line_in(file: str, line: str) -> Apply:
    """Adds a line of code; the content changes and nothing else does."""

    def apply(checkout: Checkout) -> None:
        path = checkout.folder / file
        path.write_text(path.read_text() + line + "\n")

    return apply


def line_out(file: str, line: str) -> Apply:
    def apply(checkout: Checkout) -> None:
        path = checkout.folder / file
        path.write_text(path.read_text().replace(line + "\n", ""))

    return apply


def alarm_fires(checkout: Checkout) -> None:
    """Again and again while the endpoint moves: each minute CloudWatch judges the alarm anew, and finds nothing."""
    name, sagemaker, cloudwatch = checkout.outputs()["alarms"][0], checkout.aws("sagemaker"), checkout.aws("cloudwatch")
    while sagemaker.describe_endpoint(EndpointName="slipway-local")["EndpointStatus"] == "Updating":
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="the test says so")
        time.sleep(0.2)


def alarm_rests(checkout: Checkout) -> None:
    name = checkout.outputs()["alarms"][0]
    checkout.aws("cloudwatch").set_alarm_state(AlarmName=name, StateValue="OK", StateReason="the test says so")


def scaling_target_goes(checkout: Checkout) -> None:
    scaling = checkout.aws("application-autoscaling")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    names = ("ServiceNamespace", "ResourceId", "ScalableDimension")
    scaling.deregister_scalable_target(**{name: target[name] for name in names})


def own_image(checkout: Checkout) -> None:
    """Copies the image that runs to a repository that is not the stack's, and names it."""
    ecr, uri = checkout.aws("ecr"), checkout.outputs()["image"]
    repository, tag = uri.rsplit("/", 1)[1].split(":")
    ecr.create_repository(repositoryName="team/model")
    (image,) = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"]
    digest = image["imageId"]["imageDigest"]
    ecr.put_image(repositoryName="team/model", imageManifest=image["imageManifest"], imageTag="1", imageDigest=digest)
    checkout.configure(image=f"{uri.rsplit('/', 1)[0]}/team/model:1")


FAST = {"rollback": True, "wait_seconds": 1, "termination_wait_seconds": 0, "timeout_minutes": 10}
SICK = 'raise SystemExit("this server never becomes healthy")'

# In the order in which they are applied, each to what the ones before it left.
ORDINARY = (
    Change(
        name="hyperparameter",
        what="a hyperparameter: a new run, a new model",
        apply=setting(training={"hyperparameters": {"model": "mlp", "epochs": 3}}),
    ),
    Change(
        name="code",
        what="a line of the serving code: a new image",
        apply=line_in("inference/formats/encode.py", "# one"),
    ),
    Change(name="image", what="image: a URI of the user's own in place of build", apply=own_image),
    Change(
        name="instance type",
        what="serving.instance_type",
        apply=setting(serving={"instance_type": "ml.c5.large"}),
    ),
    Change(
        name="instance count",
        what="serving.instances.min, above the count that runs",
        apply=setting(serving={"instances": {"min": 2, "max": 3}}),
    ),
    Change(
        name="scaling bounds",
        what="serving.instances.max",
        apply=setting(serving={"instances": {"min": 2, "max": 5}}),
    ),
    Change(name="target value", what="serving.scaling.target", apply=setting(serving={"scaling": {"target": 300}})),
    Change(
        name="alarms",
        what="monitoring.p99_latency_ms",
        apply=setting(monitoring={"alarms": True, "p99_latency_ms": 900}),
    ),
    Change(name="tags", what="owner, a tag of every resource", apply=setting(owner="somebody-else")),
    Change(
        name="gate",
        what="a run below its gate",
        apply=setting(training={"min_accuracy": 1.0}),
        fails="The endpoint was not touched",
    ),
    Change(
        name="refresh",
        what="the gate of before; the scaling target was deleted by hand: up --refresh",
        apply=in_turn(setting(training={"min_accuracy": 0.3}), scaling_target_goes),
    ),
)
GUARDED = (
    Change(
        name="deployment policy",
        what="serving.deployment.strategy: canary, and two instances, which it needs",
        apply=setting(
            serving={
                "instances": {"min": 2, "max": 3},
                "deployment": {"strategy": "canary", "step_percent": 50, **FAST},
            }
        ),
    ),
    Change(
        name="canary",
        what="a new model, by canary",
        apply=setting(training={"hyperparameters": {"model": "mlp", "epochs": 3}}),
    ),
    Change(
        name="rollback by alarm",
        what="a new model, and an alarm that fires while the canary is watched",
        apply=setting(
            serving={"deployment": {"strategy": "canary", "step_percent": 50, **FAST, "wait_seconds": 30}},
            training={"hyperparameters": {"model": "mlp", "epochs": 4}},
        ),
        during=alarm_fires,
        fails="did not move to",
    ),
    Change(
        name="linear after the rollback",
        what="the same model again, by linear steps, the alarm at rest",
        apply=in_turn(alarm_rests, setting(serving={"deployment": {"strategy": "linear", "step_percent": 50, **FAST}})),
    ),
    Change(
        name="unhealthy container",
        what="serving code that never becomes healthy",
        apply=line_in("inference/__main__.py", SICK),
        fails="did not move to",
    ),
    Change(
        name="mended container",
        what="the same code mended, by rolling",
        apply=in_turn(
            line_out("inference/__main__.py", SICK),
            line_in("inference/formats/encode.py", "# two"),
            setting(serving={"deployment": {"strategy": "rolling", "step_percent": 50, **FAST}}),
        ),
    ),
    Change(
        name="encryption key",
        what="storage.kms_key: own, from SSE-S3",
        apply=setting(storage={"kms_key": "own"}),
    ),
    Change(name="off", what="serving.enabled: false", apply=setting(serving={"enabled": False}), downtime=True),
    Change(name="on", what="serving.enabled: true", apply=setting(serving={"enabled": True}), downtime=True),
    Change(
        name="mode",
        what="serving.mode: real_time to serverless",
        apply=setting(serving={"mode": "serverless", "deployment": {"strategy": "all_at_once"}}),
        downtime=True,
    ),
)
GROUPS = {"ordinary": ORDINARY, "guarded": GUARDED}
