"""The `training` section of the stack's configuration: the run, and a search in place of it.

docs/settings.md is generated from the descriptions here.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from infra.metrics import METRIC_LIMIT, METRICS
from infra.sections import INSTANCE_TYPE, Environment, Section, Text, is_folder, is_s3, servable
from infra.setting_errors import nearest

MAX_RUNTIME_HOURS = 28 * 24  # SageMaker's own limit
TRAINING_VALUE_LIMIT = 512  # characters of an environment value, from the API model
TUNING_STRATEGIES = Literal["Bayesian", "Random", "Grid", "Hyperband"]
BASELINES = ("off", "approved")
CLASSIFICATION = "classification"
DEFAULT_TASK = "image-classification"  # of `train`, when no hyperparameter names one


def _off(value: Any) -> Any:
    """YAML 1.1 reads a bare `off` as false."""
    return "off" if value is False else value


class Tuning(Section):
    """A hyperparameter tuning job in place of a single run; its best training job is served."""

    objective: str = Field(
        "test:accuracy",
        description="a metric of the entrypoint or of training.metrics; validation:... with hyperparameter "
        "validation_fraction leaves the test part out of the choice",
    )
    goal: Literal["Maximize", "Minimize"] = Field("Maximize", description="of the objective")
    strategy: TUNING_STRATEGIES = Field("Bayesian", description="how the next values are chosen")
    max_jobs: int = Field(10, ge=1, le=750, description="training jobs in all")
    max_parallel_jobs: int = Field(2, ge=1, le=100, description="training jobs at a time")
    early_stopping: bool = Field(
        False, description="stop a job whose objective is below the median of the others at the same epoch"
    )
    integer: dict[str, tuple[int, int]] = Field(default_factory=dict, description="name: [lowest, highest]")
    continuous: dict[str, tuple[float, float]] = Field(default_factory=dict, description="name: [lowest, highest]")
    categorical: dict[str, tuple[Text, ...]] = Field(default_factory=dict, description="name: [values]")

    @model_validator(mode="after")
    def _ranges(self) -> "Tuning":
        if not (self.integer or self.continuous or self.categorical):
            raise ValueError("no range is given; set integer, continuous or categorical, for example width: [16, 48]")
        for name, (lowest, highest) in {**self.integer, **self.continuous}.items():
            if highest <= lowest:
                raise ValueError(f"the range of {name} is [{lowest}, {highest}]; the second must be the greater")
        if self.max_parallel_jobs > self.max_jobs:
            raise ValueError(f"max_parallel_jobs ({self.max_parallel_jobs}) is more than max_jobs ({self.max_jobs})")
        return self


class Fallback(Section):
    """What to train on when AWS has no free instances of the type before it in the list."""

    instance_type: str = Field(pattern=INSTANCE_TYPE, description="SageMaker training instance")
    spot: bool = Field(False, description="spare capacity")


class Training(Section):
    """One training job; it runs when its content (code, data, hyperparameters, image) is new."""

    instance_type: str = Field("ml.m5.xlarge", pattern=INSTANCE_TYPE, description="SageMaker training instance")
    instance_count: int = Field(1, ge=1, le=20, description="instances of one job")
    volume_gb: int = Field(30, ge=1, le=16384, description="GB of EBS an instance; ignored by families with NVMe")
    max_runtime_minutes: int = Field(60, ge=1, le=MAX_RUNTIME_HOURS * 60, description="AWS stops the job after these")
    spot: bool = Field(False, description="spare capacity: cheaper, may be interrupted; resumes from checkpoints")
    max_wait_minutes: int | None = Field(
        None, ge=1, le=MAX_RUNTIME_HOURS * 60, description="spot: for capacity and run together; default twice the run"
    )
    warm_pool_minutes: int = Field(0, ge=0, le=60, description="keep the instances for the next run; they bill")
    retries: int = Field(0, ge=0, le=30, description="after an internal error of SageMaker")
    input_mode: Literal["File", "FastFile"] = Field("File", description="copy the data set first, or stream it")
    distribution: Literal["replicated", "sharded"] = Field(
        "replicated", description="of the data over several instances: all of it on each, or a share of its objects"
    )
    code: str | None = Field(
        None, description="a folder (./models) of model files or scripts of your own: the job's channel `code`"
    )
    baseline: Annotated[str, BeforeValidator(_off)] = Field(
        "off",
        description="off, approved (the stack's newest approved run, if there is one), or s3://.../model.tar.gz: the "
        "gate refuses a run that is worse on the same test examples",
    )
    hyperparameters: dict[str, Text] = Field(default_factory=dict, description="for the entrypoint: see training/")
    environment: Environment = Field(default_factory=dict, description="variables of the container; secrets by ARN")
    metrics: dict[str, str] = Field(default_factory=dict, description="name: regular expression over the log, more")
    tags: dict[str, Text] = Field(default_factory=dict, description="more tags of the job")
    min_accuracy: float = Field(
        0.98, ge=0, le=1, description="gate of classifications: a run below it fails, and nothing is deployed"
    )
    attempt: int = Field(1, ge=1, description="raise it to run the same content again: slipway train --again")
    fallbacks: tuple[Fallback, ...] = Field(
        (), description="instance types to go on with, in order, when AWS has no free instances: docs/preflight.md"
    )
    max_usd_per_hour: Decimal | None = Field(
        None, gt=0, description="of all instances of a job, on demand; fallbacks above it are skipped"
    )
    tuning: Tuning | None = Field(None, description="search hyperparameters instead of one run")

    def on(self, fallback: Fallback) -> "Training":
        """The same run on other instances."""
        return self.model_copy(update={"instance_type": fallback.instance_type, "spot": fallback.spot})

    @property
    def max_wait_seconds(self) -> int | None:
        """MaxWaitTimeInSeconds of a spot job; None for others."""
        if not self.spot:
            return None
        return 60 * (self.max_wait_minutes or min(2 * self.max_runtime_minutes, MAX_RUNTIME_HOURS * 60))

    @property
    def is_classification(self) -> bool:
        """Whether `train` runs its own loop on a task whose runs have an accuracy."""
        task = self.hyperparameters.get("task", DEFAULT_TASK)
        return task.strip('"').endswith(CLASSIFICATION) and "sagemaker_program" not in self.hyperparameters

    @field_validator("code")
    @classmethod
    def _code(cls, code: str | None) -> str | None:
        if code is not None and not is_folder(code):
            raise ValueError(f"is {code!r}; allowed: a folder of this machine such as ./models")
        return code

    @field_validator("baseline")
    @classmethod
    def _baseline(cls, baseline: str) -> str:
        if baseline in BASELINES:
            return baseline
        allowed = f"allowed: {', '.join(BASELINES)}, s3://.../model.tar.gz"
        if not is_s3(baseline):
            raise ValueError(f"is {baseline!r}; {allowed}")
        return servable(baseline, allowed)

    @model_validator(mode="after")
    def _consistent(self) -> "Training":
        problems = [*self._instance_problems(), *self._ladder_problems(), *self._metric_problems()]
        problems += [
            f"environment.{name} has {len(value)} characters; SageMaker takes {TRAINING_VALUE_LIMIT}"
            for name, value in self.environment.items()
            if len(value) > TRAINING_VALUE_LIMIT
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _instance_problems(self) -> Iterator[str]:
        some_spot = self.spot or any(fallback.spot for fallback in self.fallbacks)
        if self.max_wait_minutes is not None and not some_spot:
            yield f"max_wait_minutes is {self.max_wait_minutes}, which only spot jobs have; set spot: true"
        if some_spot and (self.max_wait_minutes or self.max_runtime_minutes) < self.max_runtime_minutes:
            yield (
                f"max_wait_minutes ({self.max_wait_minutes}) is less than max_runtime_minutes "
                f"({self.max_runtime_minutes}); AWS wants at least as much"
            )
        if self.spot and self.warm_pool_minutes:
            yield f"warm_pool_minutes is {self.warm_pool_minutes}; AWS keeps no warm pool of spot instances"
        if self.distribution == "sharded" and self.instance_count == 1:
            yield "distribution is 'sharded' with instance_count 1, which gets all of the data; set one of them"

    def _ladder_problems(self) -> Iterator[str]:
        known = [(self.instance_type, self.spot)]
        for number, fallback in enumerate(self.fallbacks):
            entry = (fallback.instance_type, fallback.spot)
            if entry in known:
                kind = "spot" if fallback.spot else "on demand"
                yield f"fallbacks[{number}] is {fallback.instance_type} {kind}, which is tried before it; leave it out"
            known.append(entry)
        if self.fallbacks and self.tuning:
            yield "fallbacks is set with tuning; a tuning job has one instance type for all its jobs: set one of them"
        if self.warm_pool_minutes and not self.spot and any(fallback.spot for fallback in self.fallbacks):
            yield f"warm_pool_minutes is {self.warm_pool_minutes}; AWS keeps no warm pool of spot instances (fallbacks)"

    def _metric_problems(self) -> Iterator[str]:
        known = METRICS | self.metrics
        if len(known) > METRIC_LIMIT:
            left = METRIC_LIMIT - len(METRICS)
            yield f"metrics has {len(self.metrics)} entries; SageMaker takes {METRIC_LIMIT} of a job, so {left} more"
        for name, regex in self.metrics.items():
            yield from _regex_problems(name, regex)
        if self.tuning and self.tuning.objective not in known:
            hint = nearest(self.tuning.objective, known) or f"; known: {', '.join(known)}"
            yield f"tuning.objective is {self.tuning.objective!r}, which no metric of the job is{hint}"


def _regex_problems(name: str, regex: str) -> list[str]:
    try:
        groups = re.compile(regex).groups
    except re.error as error:
        return [f"metrics.{name} is {regex!r}, not a regular expression: {error}"]
    return [] if groups else [f"metrics.{name} is {regex!r}; put the number in a group, for example loss=([0-9.]+)"]
