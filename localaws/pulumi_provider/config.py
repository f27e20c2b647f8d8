"""The provider's own inputs, with pulumi-aws' names: which count here, which change nothing, which cannot be honoured.

The engine sends nested values of a provider's configuration as JSON text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from localaws.pulumi_provider.aws import NotLoopbackError, require_loopback
from localaws.pulumi_provider.scalars import Failure, nearest
from localaws.pulumi_provider.values import UNKNOWN

HONOURED: Final = (
    "accessKey",
    "allowedAccountIds",
    "defaultTags",
    "endpoints",
    "forbiddenAccountIds",
    "region",
    "secretKey",
    "token",
)
# They tune how the real provider reaches the real AWS; against an AWS in this machine they change nothing.
WITHOUT_EFFECT: Final = (
    "customCaBundle",
    "ec2MetadataServiceEndpoint",
    "ec2MetadataServiceEndpointMode",
    "httpProxy",
    "httpsProxy",
    "insecure",
    "maxRetries",
    "noProxy",
    "pluginDownloadURL",
    "profile",
    "retryMode",
    "s3UsEast1RegionalEndpoint",
    "s3UsePathStyle",
    "sharedConfigFiles",
    "sharedCredentialsFiles",
    "skipCredentialsValidation",
    "skipMetadataApiCheck",
    "skipRegionValidation",
    "skipRequestingAccountId",
    "stsRegion",
    "tokenBucketRateLimiterCapacity",
    "useDualstackEndpoint",
    "useFipsEndpoint",
    "userAgents",
    "version",
)
REFUSED: Final = ("assumeRoleWithWebIdentity", "assumeRoles", "ignoreTags", "tagPolicyCompliance")
# botocore's service by pulumi-aws' endpoint key, where the two differ.
SERVICES: Final = {
    "appautoscaling": "application-autoscaling",
    "applicationautoscaling": "application-autoscaling",
    "cloudwatchlog": "logs",
    "cloudwatchlogs": "logs",
    "s3api": "s3",
}
# Without keys of any kind, calls are signed with these: the embedded AWS takes every key as its administrator's.
PLACEHOLDER_KEY: Final = "test"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The provider's configuration, decoded."""

    region: str
    credentials: Mapping[str, str] = field(repr=False)
    default_tags: Mapping[str, str]
    endpoints: Mapping[str, str]
    allowed_accounts: tuple[str, ...]
    forbidden_accounts: tuple[str, ...]


def failures(inputs: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> list[Failure]:
    """What is wrong with the provider's inputs."""
    return [*_name_failures(inputs), *_endpoint_failures(decode(inputs), environment)]


def parse(inputs: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration. Raises ValueError with every fault."""
    if faults := failures(inputs, environment):
        raise ValueError("; ".join(f"{fault.path}: {fault.reason}" for fault in faults))
    values = decode(inputs)
    region = values.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise ValueError("region: no region is set; run `pulumi config set aws:region us-east-1` or set AWS_REGION")
    return Config(
        region=region,
        credentials=_credentials(values, environment),
        default_tags=(values.get("defaultTags") or {}).get("tags") or {},
        endpoints=_endpoints(values),
        allowed_accounts=tuple(values.get("allowedAccountIds") or ()),
        forbidden_accounts=tuple(values.get("forbiddenAccountIds") or ()),
    )


def decode(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs with their JSON text decoded, for the inputs that are not plain strings."""
    nested = ("allowedAccountIds", "defaultTags", "endpoints", "forbiddenAccountIds")
    return {
        name: json.loads(value) if name in nested and isinstance(value, str) else value
        for name, value in inputs.items()
        if value is not UNKNOWN
    }


def _name_failures(inputs: Mapping[str, Any]) -> Iterator[Failure]:
    known = {*HONOURED, *WITHOUT_EFFECT}
    for name in inputs:
        if name in REFUSED:
            yield Failure(path=name, reason=f"the embedded AWS' provider cannot honour {name!r}; leave it out")
        elif name not in known and not name.startswith("__"):
            yield Failure(path=name, reason=f"the aws provider has no input {name!r}; {nearest(name, known)}")


def _endpoint_failures(values: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[Failure]:
    general = environment.get("AWS_ENDPOINT_URL")
    addresses = {f"endpoints.{service}": url for service, url in _endpoints(values).items()}
    if general is None and not addresses:
        yield Failure(
            path="endpoints",
            reason="AWS_ENDPOINT_URL is not set; this provider only talks to an embedded AWS on this machine: "
            "start `python -m localaws` and set AWS_ENDPOINT_URL to the address that it prints",
        )
    for source, url in {**addresses, **({"AWS_ENDPOINT_URL": general} if general is not None else {})}.items():
        try:
            require_loopback(url, source)
        except NotLoopbackError as error:
            yield Failure(path=source, reason=str(error))


def _endpoints(values: Mapping[str, Any]) -> dict[str, str]:
    """Addresses by botocore service; pulumi-aws takes a list of maps."""
    merged: dict[str, str] = {}
    for entry in values.get("endpoints") or []:
        merged |= {SERVICES.get(name, name): url for name, url in entry.items() if url}
    return merged


def _credentials(values: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Keyword arguments for a client. Empty: botocore finds the environment's keys itself."""
    if values.get("accessKey") and values.get("secretKey"):
        keys = {"aws_access_key_id": values["accessKey"], "aws_secret_access_key": values["secretKey"]}
        return keys | ({"aws_session_token": values["token"]} if values.get("token") else {})
    if "AWS_ACCESS_KEY_ID" in environment or "AWS_PROFILE" in environment:
        return {}
    return {"aws_access_key_id": PLACEHOLDER_KEY, "aws_secret_access_key": PLACEHOLDER_KEY}
