"""The stack's configuration, typed; every error is reported at once.

Each key of `Pulumi.<stack>.yaml` under `slipway:` is a field of `Settings`; an unknown key is refused with the nearest
known one, because a misspelt setting that is ignored costs money.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from infra.datasets import BUNDLED

# Names are <project>-<stack>-<what>-<7 hex>; SageMaker takes 63 characters, and a run's name is the longest we make.
STACK_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
PROJECT_NAME = STACK_NAME
RUN_NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
INSTANCE_TYPE = r"ml\.[a-z0-9-]+\.[a-z0-9]+"
MAX_RUNTIME_HOURS = 28 * 24  # SageMaker's own limit
LOOPBACK = ("127.0.0.1", "localhost", "::1")
RetentionDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365]  # the periods that CloudWatch Logs takes
NAMESPACES = ("slipway", "aws", "pulumi")


class SettingsError(ValueError):
    """The configuration cannot be used; the message lists every error."""


def _as_string(value: Any) -> Any:
    """SageMaker's hyperparameters are strings; YAML's numbers and booleans become what they look like."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


def _as_integer(value: Any) -> Any:
    """Pulumi hands scalars over as text, which a Literal of integers does not take."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Training(Section):
    """One training job; it runs when its content (code, data, hyperparameters, image) is new."""

    instance_type: str = Field("ml.m5.xlarge", pattern=f"^{INSTANCE_TYPE}$", description="SageMaker training instance")
    instance_count: int = Field(1, ge=1, le=20)
    volume_gb: int = Field(30, ge=1, le=16384, description="GB of EBS; ignored by families with NVMe")
    max_runtime_minutes: int = Field(60, ge=1, le=MAX_RUNTIME_HOURS * 60)
    hyperparameters: dict[str, Annotated[str, BeforeValidator(_as_string)]] = Field(default_factory=dict)
    min_accuracy: float = Field(0.98, ge=0, le=1, description="gate: a run below it fails, and nothing is deployed")
    attempt: int = Field(1, ge=1, description="raise it to run the same content again")


class Instances(Section):
    min: int = Field(1, ge=1, description="a real-time variant cannot scale to zero")
    max: int = Field(2, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> "Instances":
        if self.max < self.min:
            raise ValueError(f"max ({self.max}) is less than min ({self.min}); give max >= min")
        return self


class Serving(Section):
    """The endpoint and its scaling."""

    enabled: bool = Field(True, description="false removes what bills by the hour and keeps the rest")
    instance_type: str = Field("ml.m5.large", pattern=f"^{INSTANCE_TYPE}$")
    instances: Instances = Instances()
    invocations_per_instance: float = Field(600, gt=0, description="scaling target, calls a minute and instance")
    scale_in_cooldown_seconds: int = Field(300, ge=0)
    scale_out_cooldown_seconds: int = Field(60, ge=0)

    @model_validator(mode="after")
    def _scalable(self) -> "Serving":
        if self.instance_type.startswith("ml.t2."):
            raise ValueError(f"instance_type {self.instance_type!r} cannot scale (AWS refuses t2); use ml.t3 or ml.m5")
        return self


class Settings(Section):
    """Everything that differs between stacks."""

    owner: str = Field(min_length=1, max_length=64, description="who to ask; every resource carries it as a tag")
    expires: str = Field("never", pattern=r"^(never|\d{4}-\d{2}-\d{2})$", description="tag: never, or a date")
    account: str | None = Field(None, pattern=r"^\d{12}$", description="refuse to run in any other AWS account")
    protect: bool = Field(False, description="refuse to delete the data bucket and the endpoint")
    data: str = Field("digits", description="a bundled data set, or an s3:// prefix")
    image: str = Field("build", description="build (CodeBuild, from this checkout), or the URI of an image in ECR")
    model: str = Field("latest", description="latest, the name of a run, an s3:// artifact, or off")
    training: Training = Training()
    serving: Serving = Serving()
    log_retention_days: Annotated[RetentionDays, BeforeValidator(_as_integer)] = 30

    @model_validator(mode="after")
    def _sources(self) -> "Settings":
        problems = []
        if self.data not in BUNDLED and not _is_s3(self.data):
            problems.append(f"data is {self.data!r}; allowed: {', '.join(BUNDLED)}, or s3://bucket/prefix")
        if self.model not in ("latest", "off") and not _is_s3(self.model) and not re.fullmatch(RUN_NAME, self.model):
            problems.append(f"model is {self.model!r}; allowed: latest, off, the name of a run, s3://.../model.tar.gz")
        if _is_s3(self.model) and not self.model.endswith(".tar.gz"):
            problems.append(f"model is {self.model!r}; SageMaker takes one .tar.gz, so it must end in .tar.gz")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def trains(self) -> bool:
        return self.model == "latest"


def _is_s3(text: str) -> bool:
    return re.fullmatch(r"s3://[a-z0-9.-]{3,63}(/.*)?", text) is not None


def read_settings(
    config: Mapping[str, Any], project: str, stack: str, environment: Mapping[str, str]
) -> tuple[Settings, str]:
    """Turn Pulumi's whole config into (Settings, region).

    `config` maps "namespace:key" to text, JSON text for objects (as in PULUMI_CONFIG); `environment` is os.environ.
    Raises SettingsError listing everything that is wrong.
    """
    problems = [*_name_problems(project, stack), *_place_problems(stack, environment), *_namespace_problems(config)]
    own = {}
    for key, value in config.items():
        if key.startswith("slipway:"):
            try:
                own[key.split(":", 1)[1]] = _parsed(value)
            except json.JSONDecodeError as error:
                problems.append(
                    f"{key} is {value!r}, which is not valid JSON ({error}); write it as YAML in the stack file"
                )
    region = str(config.get("aws:region", ""))
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region):
        problems.append(f"aws:region is {region!r}; set it, for example: pulumi config set aws:region eu-west-1")
    settings = None
    try:
        settings = Settings.model_validate(own)
    except ValidationError as error:
        problems += [_describe(detail) for detail in error.errors(include_url=False)]
    if problems or settings is None:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise SettingsError(f"{len(problems)} error(s) in the configuration of stack {stack!r}:\n{listed}")
    return settings, region


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        return json.loads(value)
    return value


def is_local(environment: Mapping[str, str]) -> bool:
    """Whether AWS's clients would talk to this machine: the environment decides, not the program."""
    return urlsplit(environment.get("AWS_ENDPOINT_URL", "")).hostname in LOOPBACK


def _name_problems(project: str, stack: str) -> Iterator[str]:
    for what, name, pattern in (("project", project, PROJECT_NAME), ("stack", stack, STACK_NAME)):
        if not pattern.fullmatch(name):
            yield (
                f"the {what} is called {name!r}; allowed: 1 to 20 of a-z, 0-9 and '-', a letter first "
                "(AWS's names are made of it, and the shortest limit is 63 characters)"
            )


def _place_problems(stack: str, environment: Mapping[str, str]) -> Iterator[str]:
    url = environment.get("AWS_ENDPOINT_URL", "")
    local_stack = stack == "local" or stack.startswith("local-")
    if local_stack and not is_local(environment):
        yield (
            f"stack {stack!r} runs on the embedded AWS only, but AWS_ENDPOINT_URL is {url or 'not set'!r}; "
            'run: slipway local start && eval "$(slipway local env)"'
        )
    if not local_stack and is_local(environment):
        yield (
            f"stack {stack!r} is for a real account, but AWS_ENDPOINT_URL is {url!r} (this machine); "
            "unset AWS_ENDPOINT_URL, or use a stack called local or local-..."
        )


def _namespace_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for key in config:
        namespace = key.split(":", 1)[0]
        if namespace not in NAMESPACES:
            yield f"unknown key {key!r}{_nearest(namespace, NAMESPACES)}; namespaces: {', '.join(NAMESPACES)}"


def _nearest(word: str, known: Any) -> str:
    match = difflib.get_close_matches(word, [str(name) for name in known], n=1)
    return f" (did you mean {match[0]!r}?)" if match else ""


def _describe(detail: Any) -> str:
    """One pydantic error as a sentence that names key, value and what is allowed."""
    path = [str(part) for part in detail["loc"]]
    key = "slipway:" + ".".join(path) if path else "slipway"
    if detail["type"] == "extra_forbidden":
        known = _fields_at(path[:-1])
        return f"unknown key {key!r}{_nearest(path[-1], known)}; known here: {', '.join(known)}"
    if detail["type"] == "missing":
        return f"{key} is missing; set it: pulumi config set {key} <value>"
    if detail["type"] == "value_error":
        return f"{key}: {detail['ctx']['error']}" if path else str(detail["ctx"]["error"])
    return f"{key} is {detail['input']!r}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def _fields_at(path: list[str]) -> list[str]:
    model: Any = Settings
    for part in path:
        model = model.model_fields[part].annotation
    return list(model.model_fields)
