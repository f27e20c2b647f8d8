"""The sections of the stack's configuration: storage, access and network here, each of the others in a file of its own.

One pydantic model each; docs/settings.md is generated from the descriptions here. Rules that need two keys of one
section are validators there; rules between sections are in `infra.settings`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

INSTANCE_TYPE = r"^ml\.[a-z0-9-]+\.[a-z0-9]+$"
ROLE_POLICY_ARN = r"^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/.+$"
OIDC_PROVIDER_ARN = r"^arn:aws[a-z-]*:iam::\d{12}:oidc-provider/.+$"
KMS_KEY = r"^(none|own|arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/.+)$"
SECRET_ARN = re.compile(r"arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:\d{12}:secret:|ssm:[a-z0-9-]+:\d{12}:parameter/).+")
SECRET_WORDS = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)
RUN_NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
SERVING_VALUE_LIMIT = 1024  # characters of an environment value, from the API model
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


def is_folder(text: str) -> bool:
    """Whether `text` names a folder of this machine."""
    return text.startswith(("./", "../", "/", "~/")) or text in (".", "..")


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
