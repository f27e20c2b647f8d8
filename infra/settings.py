"""The stack's configuration, typed; every error is reported at once.

Each key of `Pulumi.<stack>.yaml` under `slipway:` is a field of `Settings` (its sections are in `infra.sections` and
`infra.serving_section`), over the defaults of a preset. An unknown key is refused with the nearest known one, because
a misspelt setting that is ignored costs money. docs/settings.md lists all keys; it is generated from here.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from infra import ladder
from infra.datasets import BUNDLED
from infra.monitoring_section import Monitoring
from infra.presets import PRESETS, merged
from infra.sections import Access, Network, Section, Storage, is_folder, is_s3, plain_secrets, servable
from infra.serving_section import Serving
from infra.setting_errors import describe, nearest
from infra.spending_section import Spending
from infra.training_section import Training

# Names are <project>-<stack>-<what>-<7 hex>; SageMaker takes 63 characters, and a run's name is the longest we make.
STACK_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
PROJECT_NAME = STACK_NAME
REGISTRY_MODEL = "registry:approved"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
RetentionDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365]  # the periods that CloudWatch Logs takes
NAMESPACES = ("slipway", "aws", "pulumi")
KEPT = ("latest", "off", REGISTRY_MODEL)


class SettingsError(ValueError):
    """The configuration cannot be used; the message lists every error."""


def _as_integer(value: Any) -> Any:
    """Pulumi hands scalars over as text, which a Literal of integers does not take."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class Settings(Section):
    """Everything that differs between stacks."""

    preset: Literal["dev", "prod", "pull_request"] = Field("dev", description="the kind of stack: defaults below")
    owner: str = Field(min_length=1, max_length=64, description="who to ask; every resource carries it as a tag")
    expires: str = Field(
        "never", pattern=r"^(never|\d{4}-\d{2}-\d{2})$", description="tag: never, or the date of the stack's end"
    )
    account: str | None = Field(None, pattern=r"^\d{12}$", description="refuse to run in any other AWS account")
    protect: bool = Field(False, description="refuse to delete the data bucket, its key and the endpoint")
    data: str = Field("digits", description="a bundled data set, a local folder (./images), or an s3:// prefix")
    image: str = Field("build", description="build (CodeBuild, from this checkout), or the URI of an image in ECR")
    model: str = Field(
        "latest",
        description="what is served: latest (this program's run), the name of a run, an s3:// artifact, "
        "registry:approved, or off",
    )
    log_retention_days: Annotated[RetentionDays, BeforeValidator(_as_integer)] = Field(
        30, description="days that logs are kept"
    )
    storage: Storage = Field(Storage(), description="buckets and keys")
    access: Access = Field(Access(), description="roles")
    network: Network = Field(Network(), description="where jobs and endpoints run")
    training: Training = Field(Training(), description="the run")
    serving: Serving = Field(Serving(), description="the endpoint")
    monitoring: Monitoring = Field(Monitoring(), description="alarms and dashboard")
    spending: Spending = Field(Spending(), description="budget, time to live, off switch: docs/spending.md")

    @field_validator("data")
    @classmethod
    def _data(cls, data: str) -> str:
        if data not in BUNDLED and not is_s3(data) and not is_folder(data):
            raise ValueError(
                f"is {data!r}; allowed: {', '.join(BUNDLED)}, a folder such as ./images, or s3://bucket/prefix"
            )
        return data

    @field_validator("model")
    @classmethod
    def _model(cls, model: str) -> str:
        if model in KEPT:
            return model
        return servable(model, f"allowed: {', '.join(KEPT)}, the name of a run, s3://.../model.tar.gz")

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        problems = self._place_problems()
        if self.preset == "pull_request" and self.expires == "never":
            problems.append("expires is 'never'; a stack of preset pull_request needs a date, for example 2030-01-31")
        elif self.preset != "prod" and self.expires == "never" and self.spending.time_to_live_hours is None:
            problems.append(
                f"a stack of preset {self.preset} has an end, and this one has none: set spending.time_to_live_hours "
                "(slipway extend gives it more), or expires to a date, for example 2030-01-31"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _place_problems(self) -> list[str]:
        problems = []
        deployment = self.serving.deployment
        if deployment.strategy != "all_at_once" and deployment.rollback and not self.monitoring.alarms:
            problems.append(
                f"serving.deployment.strategy is {deployment.strategy!r} with rollback, but monitoring.alarms is "
                "false: nothing would watch the steps; set monitoring.alarms on or serving.deployment.rollback off"
            )
        if self.serving.mode == "serverless" and self.network.private:
            problems.append("network.private is true; serverless endpoints cannot run in a VPC: set one of them off")
        if self.serving.mode == "serverless" and self.network.isolation:
            problems.append("network.isolation is true; serverless endpoints do not have it: set one of them off")
        if self.training.spot and self.training.tuning:
            problems.append(
                "training.spot is true with training.tuning; the jobs of one tuning job would share their checkpoints: "
                "set one of them off"
            )
        if self.network.isolation and (self.training.instance_count > 1):
            problems.append(
                f"network.isolation is true; {self.training.instance_count} training instances need a network between "
                "them: set training.instance_count to 1 or isolation off"
            )
        return problems

    @property
    def trains(self) -> bool:
        """Whether this program makes a run: to serve it, or to register it for somebody's approval."""
        return self.model in ("latest", REGISTRY_MODEL)

    @property
    def promotes_itself(self) -> bool:
        """Whether a run that passed its gate counts as approved; prod wants a person's word."""
        return self.preset != "prod"


def read_settings(
    config: Mapping[str, Any],
    project: str,
    stack: str,
    environment: Mapping[str, str],
    secret_keys: Collection[str] = (),
) -> tuple[Settings, str]:
    """Turn Pulumi's whole config into (Settings, region).

    `config` maps "namespace:key" to text, JSON text for objects (as in PULUMI_CONFIG); `environment` is os.environ;
    `secret_keys` are those that hold a Pulumi secret.
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
    problems += _secret_problems(own, secret_keys)
    settings = None
    preset = PRESETS.get(str(own.get("preset", "dev")), dict)  # an unknown one is among the errors
    try:
        settings = Settings.model_validate(merged(preset(), own))
    except ValidationError as error:
        problems += [describe(detail, Settings) for detail in error.errors(include_url=False)]
    if settings is not None and settings.trains:
        problems += ladder.problems(settings.training, region)
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


def _secret_problems(own: Mapping[str, Any], secret_keys: Collection[str]) -> Iterator[str]:
    for section in ("training", "serving"):
        environment = _mapping(_mapping(own.get(section)).get("environment"))
        if f"slipway:{section}" in secret_keys:
            continue
        for name in plain_secrets(environment):  # the value itself must not be repeated in any output
            key = f"slipway:{section}.environment.{name}"
            yield (
                f"{key} looks like a secret in plain text; give the ARN of a Secrets Manager secret or SSM parameter, "
                f"or encrypt it: pulumi config set --secret --path '{key}'"
            )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _namespace_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for key in config:
        namespace = key.split(":", 1)[0]
        if namespace not in NAMESPACES:
            yield f"unknown key {key!r}{nearest(namespace, NAMESPACES)}; namespaces: {', '.join(NAMESPACES)}"
