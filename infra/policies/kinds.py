"""What kind of stack a resource belongs to, and how much a stack of that kind may take.

The kind is the tag slipway:kind of the resource, else of its provider's default tags; else it follows from the stack's
name.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.policies.rule import Resource, Schema, read

KIND = "slipway:kind"


@dataclass(frozen=True, kw_only=True)
class Limits:
    gpus: int
    """GPUs, Trainium, Inferentia or Gaudi chips of one job or one endpoint configuration."""
    runtime_hours: int
    warm_pool_minutes: int
    endpoint_instances: int


def dev() -> Limits:
    """Room to work: one machine of four GPUs, a day."""
    return Limits(gpus=4, runtime_hours=24, warm_pool_minutes=30, endpoint_instances=4)


def prod() -> Limits:
    """Four machines of eight GPUs, five days (SageMaker's own default limit is one; its maximum 28)."""
    return Limits(gpus=32, runtime_hours=120, warm_pool_minutes=60, endpoint_instances=20)


def pull_request() -> Limits:
    """Enough to prove that a change works."""
    return Limits(gpus=1, runtime_hours=1, warm_pool_minutes=0, endpoint_instances=2)


LIMITS: Mapping[str, Callable[[], Limits]] = {"dev": dev, "prod": prod, "pull_request": pull_request}


def kind_of(resource: Resource) -> str:
    """dev, prod or pull_request; dev where neither tag nor name tells."""
    tagged = str(read(resource.get("tags"), KIND) or default_tags(resource).get(KIND))
    return tagged if tagged in LIMITS else _kind_of_name(resource.urn.split("::")[0].rsplit(":", 1)[-1])


def default_tags(resource: Resource) -> Mapping[str, str]:
    """The default tags of the resource's provider, or of the resource when it is one."""
    is_provider = resource.type.startswith("pulumi:providers:")
    inputs = resource.inputs if is_provider else getattr(resource.provider, "props", None)
    found: Any = read(inputs, "defaultTags")
    if isinstance(found, str):  # the engine hands a provider's structured inputs over as JSON
        found = json.loads(found)
    return read(found, "tags") or {}


def limit(resource: Resource, name: str) -> int:
    """What a stack of the resource's kind may take; the pack's configuration comes first."""
    configured = resource.config.get(name)
    return int(configured) if configured is not None else int(getattr(LIMITS[kind_of(resource)](), name))


def limit_schema(name: str, description: str) -> Schema:
    """The configuration that overrides one limit, for all kinds."""
    return {name: {"type": "integer", "minimum": 0, "description": description}}


def _kind_of_name(stack: str) -> str:
    name = stack.removeprefix("local-")
    if name == "prod" or name.startswith("prod-"):
        return "prod"
    return "pull_request" if name.startswith("pr-") else "dev"
