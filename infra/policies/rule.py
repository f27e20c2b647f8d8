"""A rule: data, and a small function that yields what is wrong with one resource, or with the whole stack.

    @resource_rule("kms-rotation", "Keys rotate every year.", token("kms", "Key"))
    def kms_rotation(key: Resource) -> Problems:
        if not key.get("enableKeyRotation"):
            yield "rotation is off; set enable_key_rotation"

A function never shows a value that may be a secret: the engine hands secrets over in the clear.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

MANDATORY, ADVISORY = EnforcementLevel.MANDATORY, EnforcementLevel.ADVISORY
Schema = dict[str, dict[str, Any]]
Problems = Iterator[str]
Report = Callable[[str, str | None], None]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource as a rule sees it: names are camelCase, numbers are floats."""

    type: str
    name: str
    urn: str
    inputs: Mapping[str, Any]
    protect: bool = False
    provider: Any = None
    config: Mapping[str, Any] = field(default_factory=dict)
    """What `--policy-pack-config` sets for the rule."""
    made_of: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """For each property the URNs it depends on; only in stack rules."""

    def get(self, *path: str) -> Any:
        """The input at this path; None where any part is absent."""
        return read(self.inputs, *path)


@dataclass(frozen=True, kw_only=True)
class StackProblem:
    resource: Resource
    message: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of the pack. Exactly one of `judge` and `judge_stack` is set."""

    name: str
    description: str
    level: EnforcementLevel
    types: tuple[str, ...]
    """Type tokens; one that ends in a colon stands for all that begin with it."""
    schema: Schema
    judge: Callable[[Resource], Problems] | None = None
    judge_stack: Callable[[list[Resource]], Iterator[StackProblem]] | None = None

    def applies_to(self, resource_type: str) -> bool:
        return any(resource_type == one or (one.endswith(":") and resource_type.startswith(one)) for one in self.types)

    def policy(self) -> Policy:
        """The rule in the form that the engine takes."""
        schema = PolicyConfigSchema(self.schema) if self.schema else None
        make: Any = ResourceValidationPolicy if self.judge else StackValidationPolicy
        validate = self._one if self.judge else self._all
        return make(self.name, self.description, validate, self.level, schema)

    def _one(self, args: ResourceValidationArgs, report: Report) -> None:
        assert self.judge
        if self.applies_to(args.resource_type):
            found = self.judge(_seen(args, args.get_config()))
            _tell(args, report, ((f"{args.name}: {problem}", None) for problem in found))

    def _all(self, args: StackValidationArgs, report: Report) -> None:
        assert self.judge_stack
        relevant = [_seen(one, args.get_config()) for one in args.resources if self.applies_to(one.resource_type)]
        found = self.judge_stack(relevant)
        _tell(args, report, ((f"{one.resource.name}: {one.message}", one.resource.urn) for one in found))


def resource_rule(
    name: str, description: str, *types: str, level: EnforcementLevel = MANDATORY, schema: Schema | None = None
) -> Callable[[Callable[[Resource], Problems]], Rule]:
    """Makes a rule of a function that judges one resource, before the resource is made or changed."""

    def make(judge: Callable[[Resource], Problems]) -> Rule:
        return Rule(name=name, description=description, level=level, types=types, schema=schema or {}, judge=judge)

    return make


def stack_rule(
    name: str, description: str, *types: str, level: EnforcementLevel = MANDATORY
) -> Callable[[Callable[[list[Resource]], Iterator[StackProblem]]], Rule]:
    """Makes a rule of a function that judges the resources of these types together, once the operation has them all."""

    def make(judge: Callable[[list[Resource]], Iterator[StackProblem]]) -> Rule:
        return Rule(name=name, description=description, level=level, types=types, schema={}, judge_stack=judge)

    return make


def token(module: str, name: str) -> str:
    """Pulumi's token of an AWS resource type: token("s3", "Bucket") is aws:s3/bucket:Bucket."""
    return f"aws:{module}/{name[0].lower()}{name[1:]}:{name}"


def read(value: Any, *path: str) -> Any:
    """What lies at `path` in nested mappings; None where any part is absent."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def listed(value: Any) -> list[Any]:
    """A list of what may be a list, one value, or absent."""
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _seen(one: ResourceValidationArgs | PolicyResource, config: Mapping[str, Any] | None) -> Resource:
    depends = getattr(one, "property_dependencies", {})
    return Resource(
        type=one.resource_type,
        name=one.name,
        urn=one.urn,
        inputs=one.props,
        protect=one.opts.protect,
        provider=one.provider,
        config=config or {},
        made_of={key: [resource.urn for resource in found] for key, found in depends.items()},
    )


def _tell(args: Any, report: Report, problems: Iterable[tuple[str, str | None]]) -> None:
    try:
        for message, urn in problems:
            report(message, urn)
    except UnknownValueError as error:
        # Left to itself this is a warning for each rule and resource in every preview; the update judges again, before
        # the resource is made.
        args.not_applicable(f"judged during the update: {error.message}")
