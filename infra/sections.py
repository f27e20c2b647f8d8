"""The sections of the stack's configuration: storage, access, network, training, serving, monitoring.

One pydantic model each; docs/settings.md is generated from the descriptions here. Rules that need two keys of one
section are validators here; rules between sections are in `infra.settings`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

INSTANCE_TYPE = r"^ml\.[a-z0-9-]+\.[a-z0-9]+$"
ROLE_POLICY_ARN = r"^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/.+$"
OIDC_PROVIDER_ARN = r"^arn:aws[a-z-]*:iam::\d{12}:oidc-provider/.+$"
KMS_KEY = r"^(none|own|arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/.+)$"
SECRET_ARN = re.compile(r"arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:\d{12}:secret:|ssm:[a-z0-9-]+:\d{12}:parameter/).+")
SECRET_WORDS = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)
RUN_NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
MAX_RUNTIME_HOURS = 28 * 24  # SageMaker's own limit
TRAINING_VALUE_LIMIT, SERVING_VALUE_LIMIT = 512, 1024  # characters of an environment value, from the API model
TUNING_STRATEGIES = Literal["Bayesian", "Random", "Grid", "Hyperband"]
AMI_VERSIONS = Literal[
    "auto",
    "none",
    "al2-ami-sagemaker-inference-gpu-2",
    "al2-ami-sagemaker-inference-gpu-2-1",
    "al2-ami-sagemaker-inference-gpu-3-1",
    "al2-ami-sagemaker-inference-neuron-2",
    "al2023-ami-sagemaker-inference-gpu-4-1",
]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_string(value: Any) -> Any:
    """SageMaker's hyperparameters are strings; YAML's numbers and booleans become what they look like."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


Text = Annotated[str, BeforeValidator(_as_string)]
Environment = dict[Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], Text]


def plain_secrets(environment: Mapping[str, str]) -> list[str]:
    """Names that look like a secret and hold the secret itself instead of where it is kept."""
    return [name for name, value in environment.items() if SECRET_WORDS.search(name) and not SECRET_ARN.match(value)]


def servable(model: str, allowed: str) -> str:
    """`model`, when it is the name of a run or one artifact in S3. Raises ValueError with what is allowed."""
    if not is_s3(model) and not re.fullmatch(RUN_NAME, model):
        raise ValueError(f"is {model!r}; {allowed}")
    if is_s3(model) and not model.endswith(".tar.gz"):
        raise ValueError(f"is {model!r}; SageMaker takes one .tar.gz, so it must end in .tar.gz")
    return model


def is_s3(text: str) -> bool:
    return re.fullmatch(r"s3://[a-z0-9.-]{3,63}(/.*)?", text) is not None


class Storage(Section):
    """Buckets, keys, and how long things are kept."""

    kms_key: str = Field(
        "none",
        pattern=KMS_KEY,
        description="none (SSE-S3), own (a key with rotation), or a key's ARN; away from own, what that key encrypted "
        "becomes unreadable once it is deleted",
    )
    access_logs: bool = Field(False, description="server access logs of the data bucket, in a bucket of their own")
    audit_events: bool = Field(False, description="a CloudTrail trail of every read and write of the data bucket")
    checkpoint_days: int = Field(14, ge=1, le=365, description="days until a run's checkpoints expire")
    old_version_days: int = Field(30, ge=1, le=3650, description="days until overwritten and deleted objects go")


class Deploy(Section):
    """The role with which CI deploys this stack, by OIDC from GitHub Actions."""

    repository: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", description="organisation/name of the repository"
    )
    subjects: tuple[Annotated[str, Field(pattern=r"^(environment:[^*?]+|ref:refs/[^*?]+|pull_request)$")], ...] = Field(
        description="who may assume it: environment:<name>, ref:refs/heads/<branch>, pull_request; no wildcards",
    )
    oidc_provider_arn: str | None = Field(
        None, pattern=OIDC_PROVIDER_ARN, description="GitHub's provider when the account has it; else it is made"
    )

    @field_validator("subjects")
    @classmethod
    def _somebody(cls, subjects: tuple[str, ...]) -> tuple[str, ...]:
        if not subjects:
            raise ValueError("is empty; name who may deploy, for example [environment:prod]")
        return subjects


class Access(Section):
    """IAM."""

    permissions_boundary: str | None = Field(
        None, pattern=ROLE_POLICY_ARN, description="policy that bounds every role of the stack"
    )
    deploy: Deploy | None = Field(None, description="a role for CI; left out, none is made")


class Network(Section):
    """Where jobs and endpoints run."""

    private: bool = Field(False, description="a VPC of its own without internet, with endpoints for AWS's services")
    cidr: str = Field("10.42.0.0/16", pattern=r"^(\d{1,3}\.){3}\d{1,3}/(1[6-9]|2[0-4])$", description="the VPC's range")
    zones: int = Field(2, ge=2, le=3, description="availability zones, with one subnet each")
    isolation: bool = Field(False, description="containers without any network (EnableNetworkIsolation)")


class Tuning(Section):
    """A hyperparameter tuning job in place of a single run; its best training job is served."""

    objective: str = Field("test:accuracy", description="a metric of training.metrics or of the entrypoint")
    goal: Literal["Maximize", "Minimize"] = Field("Maximize", description="of the objective")
    strategy: TUNING_STRATEGIES = Field("Bayesian", description="how the next values are chosen")
    max_jobs: int = Field(10, ge=1, le=750, description="training jobs in all")
    max_parallel_jobs: int = Field(2, ge=1, le=100, description="training jobs at a time")
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
    hyperparameters: dict[str, Text] = Field(default_factory=dict, description="for the entrypoint: see training/")
    environment: Environment = Field(default_factory=dict, description="variables of the container; secrets by ARN")
    metrics: dict[str, str] = Field(default_factory=dict, description="name: regular expression over the log, more")
    tags: dict[str, Text] = Field(default_factory=dict, description="more tags of the job")
    min_accuracy: float = Field(0.98, ge=0, le=1, description="gate: a run below it fails, and nothing is deployed")
    attempt: int = Field(1, ge=1, description="raise it to run the same content again: slipway train --again")
    tuning: Tuning | None = Field(None, description="search hyperparameters instead of one run")

    @property
    def max_wait_seconds(self) -> int | None:
        """MaxWaitTimeInSeconds of a spot job; None for others."""
        if not self.spot:
            return None
        return 60 * (self.max_wait_minutes or min(2 * self.max_runtime_minutes, MAX_RUNTIME_HOURS * 60))

    @model_validator(mode="after")
    def _spot(self) -> "Training":
        problems = []
        if self.max_wait_minutes is not None and not self.spot:
            problems.append(f"max_wait_minutes is {self.max_wait_minutes}, which only spot jobs have; set spot: true")
        if self.spot and (self.max_wait_minutes or self.max_runtime_minutes) < self.max_runtime_minutes:
            problems.append(
                f"max_wait_minutes ({self.max_wait_minutes}) is less than max_runtime_minutes "
                f"({self.max_runtime_minutes}); AWS wants at least as much"
            )
        if self.spot and self.warm_pool_minutes:
            problems.append(f"warm_pool_minutes is {self.warm_pool_minutes}; AWS keeps no warm pool of spot instances")
        for name, regex in self.metrics.items():
            problems += _regex_problems(name, regex)
        problems += [
            f"environment.{name} has {len(value)} characters; SageMaker takes {TRAINING_VALUE_LIMIT}"
            for name, value in self.environment.items()
            if len(value) > TRAINING_VALUE_LIMIT
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _regex_problems(name: str, regex: str) -> list[str]:
    try:
        groups = re.compile(regex).groups
    except re.error as error:
        return [f"metrics.{name} is {regex!r}, not a regular expression: {error}"]
    return [] if groups else [f"metrics.{name} is {regex!r}; put the number in a group, for example loss=([0-9.]+)"]
