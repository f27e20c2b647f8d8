"""The `serving` section of the stack's configuration: the endpoint, its scaling, its deployments.

docs/settings.md is generated from the descriptions here.
"""

import math
import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from infra.sections import AMI_VERSIONS, INSTANCE_TYPE, SERVING_VALUE_LIMIT, Environment, Section, servable

CRON = r"^(cron\(.+\)|rate\(.+\)|at\(.+\))$"
ACCELERATED = re.compile(r"ml\.(g\d|gr\d|p\d|inf|trn|dl)")
"""Instance families with a GPU or another accelerator."""
LOCAL_DISK = re.compile(r"ml\.([a-z]+\d+[a-z]*d|g4dn|g[5-9]|gr\d|p[56]|p3dn|p4d|trn|dl)")
"""Instance families whose storage is their own NVMe disk: SageMaker attaches no EBS volume to them."""
MAX_TIMEOUT_MINUTES = 240  # the provider's limit; the API takes twice that


def has_local_disk(instance_type: str) -> bool:
    """Whether volume size and volume key are refused (CreateEndpointConfig, KmsKeyId: Nitro with local storage)."""
    return LOCAL_DISK.match(instance_type) is not None


class Instances(Section):
    """How many instances."""

    min: int = Field(1, ge=0, description="the fewest; 0 only in mode async")
    max: int = Field(2, ge=1, description="the most that scaling starts")

    @model_validator(mode="after")
    def _ordered(self) -> "Instances":
        if self.max < self.min:
            raise ValueError(f"max ({self.max}) is less than min ({self.min}); give max >= min")
        return self


class Schedule(Section):
    """A change of the scaling bounds by the clock."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,29}$", description="of the scheduled action, for example night")
    cron: str = Field(pattern=CRON, description="cron(0 20 * * ? *), rate(...) or at(...), as in EventBridge")
    timezone: str = Field("UTC", description="of the expression, for example Europe/Paris")
    min: int = Field(ge=0, description="the fewest instances from then on; 0 only in mode async")
    max: int = Field(ge=0, description="the most instances from then on")


class Scaling(Section):
    """Target tracking and schedules."""

    metric: Literal["invocations", "concurrency", "backlog"] | None = Field(
        None,
        description="invocations (a minute and instance), concurrency (at a time and instance, seen within 10 s), "
        "backlog (async: waiting requests an instance); default by mode",
    )
    target: float = Field(600, gt=0, description="what scaling holds the metric at")
    scale_in_cooldown_seconds: int = Field(300, ge=0, le=3600, description="wait before removing more")
    scale_out_cooldown_seconds: int = Field(60, ge=0, le=3600, description="wait before adding more")
    schedule: tuple[Schedule, ...] = Field((), description="bounds by the clock, for example fewer at night")


class Serverless(Section):
    """Mode serverless."""

    memory_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = Field(3072, description="memory of one worker, MB")
    max_concurrency: int = Field(5, ge=1, le=200, description="requests at a time")
    provisioned_concurrency: int = Field(0, ge=0, le=200, description="workers that are kept warm; they bill")

    @model_validator(mode="after")
    def _provisioned(self) -> "Serverless":
        if self.provisioned_concurrency > self.max_concurrency:
            raise ValueError(
                f"provisioned_concurrency ({self.provisioned_concurrency}) is more than max_concurrency "
                f"({self.max_concurrency})"
            )
        return self


class Asynchronous(Section):
    """Mode async: requests and answers lie in S3."""

    max_concurrent_per_instance: int = Field(4, ge=1, le=1000, description="requests at a time and instance")
    notify: bool = Field(False, description="tell the stack's topic of each answer and each failure")


class Deployment(Section):
    """How an endpoint moves to a new configuration."""

    strategy: Literal["all_at_once", "canary", "linear", "rolling"] = Field(
        "all_at_once",
        description="all_at_once, canary, linear (blue/green) or rolling; how the next move happens",
    )
    step_percent: int = Field(
        10, ge=5, le=50, description="share that moves first (canary) or each time (linear, rolling)"
    )
    wait_seconds: int = Field(300, ge=0, le=3600, description="watch the alarms so long after each step")
    termination_wait_seconds: int = Field(60, ge=0, le=3600, description="keep the old fleet so long after the last")
    timeout_minutes: int = Field(
        60, ge=10, le=MAX_TIMEOUT_MINUTES, description="give up and go back after these; more than all waits together"
    )
    rollback: bool = Field(True, description="go back when an alarm of the endpoint fires; needs monitoring.alarms")

    @model_validator(mode="after")
    def _linear(self) -> "Deployment":
        if self.strategy == "linear" and self.step_percent < 10:
            raise ValueError(f"step_percent is {self.step_percent}; linear takes 10 to 50")
        if self.strategy != "all_at_once" and self.waiting_seconds >= self.timeout_minutes * 60:
            raise ValueError(
                f"timeout_minutes is {self.timeout_minutes}, but {self.strategy} waits {self.waiting_seconds} s on "
                "purpose; give more minutes, shorter waits or a larger step_percent"
            )
        return self

    @property
    def waiting_seconds(self) -> int:
        """All that a deployment waits on purpose; SageMaker wants its time limit to be longer."""
        steps = 2 if self.strategy == "canary" else math.ceil(100 / self.step_percent)
        after = 0 if self.strategy == "rolling" else self.termination_wait_seconds
        return steps * self.wait_seconds + after


class Shadow(Section):
    """A second model that gets copies of the requests; its answers are dropped."""

    model: str = Field(description="the name of a run, or an s3:// artifact")
    instance_type: str = Field("ml.m5.large", pattern=INSTANCE_TYPE, description="SageMaker hosting instance")
    instances: int = Field(1, ge=1, le=50, description="how many")
    percent: int = Field(100, ge=1, le=100, description="share of the requests that is copied")

    @field_validator("model")
    @classmethod
    def _model(cls, model: str) -> str:
        return servable(model, "allowed: the name of a run, s3://.../model.tar.gz")


class Capture(Section):
    """Requests and answers kept in the data bucket, under captured/."""

    percent: int = Field(100, ge=1, le=100, description="share of the requests")


class Serving(Section):
    """The endpoint and its scaling."""

    enabled: bool = Field(True, description="false removes what bills by the hour and keeps the rest")
    mode: Literal["real_time", "serverless", "async"] = Field(
        "real_time",
        description="how requests are answered; to change it deletes the endpoint and makes it again: downtime",
    )
    instance_type: str = Field("ml.m5.large", pattern=INSTANCE_TYPE, description="SageMaker hosting instance")
    instances: Instances = Field(Instances(), description="bounds of the scaling")
    volume_gb: int | None = Field(None, ge=1, le=512, description="GB of EBS an instance; default SageMaker's")
    environment: Environment = Field(default_factory=dict, description="variables of the container; secrets by ARN")
    ami_version: AMI_VERSIONS = Field(
        "auto", description="the instance's driver; auto: what the image's CUDA needs on a GPU instance"
    )
    startup_timeout_seconds: int | None = Field(
        None, ge=60, le=3600, description="until the container must answer /ping; default by image and instance"
    )
    model_download_timeout_seconds: int | None = Field(
        None, ge=60, le=3600, description="until the artifact must be there; default by image and instance"
    )
    scaling: Scaling = Field(Scaling(), description="how the number of instances follows the traffic")
    serverless: Serverless = Field(Serverless(), description="mode serverless")
    async_: Asynchronous = Field(Asynchronous(), alias="async", description="mode async")
    deployment: Deployment = Field(Deployment(), description="how the endpoint moves to a new configuration")
    shadow: Shadow | None = Field(None, description="a second model that gets copies of the requests")
    capture: Capture | None = Field(None, description="keep requests and answers in S3")

    @property
    def accelerated(self) -> bool:
        """Whether the instance has a GPU or another accelerator."""
        return ACCELERATED.match(self.instance_type) is not None

    @property
    def scales(self) -> bool:
        """Whether there is a number for scaling to change."""
        return self.mode != "serverless" or self.serverless.provisioned_concurrency > 0

    @model_validator(mode="after")
    def _consistent(self) -> "Serving":
        problems = [
            *self._scaling_problems(),
            *self._serverless_problems(),
            *self._deployment_problems(),
            *self._instance_problems(),
        ]
        problems += [
            f"environment.{name} has {len(value)} characters; SageMaker takes {SERVING_VALUE_LIMIT}"
            for name, value in self.environment.items()
            if len(value) > SERVING_VALUE_LIMIT
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _scaling_problems(self) -> list[str]:
        problems = []
        if self.instance_type.startswith("ml.t2."):
            problems.append(f"instance_type {self.instance_type!r} cannot scale (AWS refuses t2); use ml.t3 or ml.m5")
        if self.mode != "async":
            problems += [
                f"{where} is 0; a {self.mode} endpoint cannot scale to zero, only mode async can"
                for where, count in [("instances.min", self.instances.min), *_schedule_minimums(self.scaling)]
                if count == 0
            ]
        allowed = {"async": "backlog"}.get(self.mode, "invocations, concurrency")
        if self.scaling.metric and self.scaling.metric not in allowed:
            problems.append(f"scaling.metric is {self.scaling.metric!r}; mode {self.mode} publishes: {allowed}")
        problems += [
            f"scaling.schedule.{one.name}: max ({one.max}) is less than min ({one.min})"
            for one in self.scaling.schedule
            if one.max < one.min
        ]
        return problems

    def _serverless_problems(self) -> list[str]:
        if self.mode != "serverless":
            return []
        cannot = {
            "shadow": self.shadow is not None,
            "capture": self.capture is not None,
            "volume_gb": self.volume_gb is not None,
            "deployment.strategy: rolling": self.deployment.strategy == "rolling",
            "scaling.schedule": bool(self.scaling.schedule) and not self.scales,
        }
        return [
            f"{key} is set, which mode serverless does not have; leave it out" for key, set_ in cannot.items() if set_
        ]

    def _deployment_problems(self) -> list[str]:
        """SageMaker guide: deployment guardrails, exclusions; API model: steps are at most half of the instances."""
        strategy = self.deployment.strategy
        if strategy == "all_at_once":
            return []
        problems = []
        if self.shadow:
            problems.append(f"deployment.strategy is {strategy!r}; with a shadow SageMaker takes only all_at_once")
        if self.instance_type.startswith("ml.inf1."):
            problems.append(f"deployment.strategy is {strategy!r}; {self.instance_type} moves only all_at_once")
        if self.mode != "serverless" and self.instances.min < 2:
            problems.append(
                f"deployment.strategy is {strategy!r}, which moves at most half of the instances at a time; "
                f"instances.min is {self.instances.min}: set 2 or more, or strategy all_at_once"
            )
        return problems

    def _instance_problems(self) -> list[str]:
        problems = []
        if self.volume_gb and has_local_disk(self.instance_type):
            problems.append(
                f"volume_gb is {self.volume_gb}, but {self.instance_type} has a disk of its own; leave it out"
            )
        if self.shadow and self.mode == "async":
            problems.append("shadow is set, which mode async does not have; leave it out")
        return problems


def _schedule_minimums(scaling: Scaling) -> list[tuple[str, int]]:
    return [(f"scaling.schedule.{one.name}.min", one.min) for one in scaling.schedule]
