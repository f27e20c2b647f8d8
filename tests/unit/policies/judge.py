"""One case for a rule, and judging it as the engine does: proxied inputs, floats for numbers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from pulumi_policy import PolicyResource, ResourceValidationArgs, ResourceValidationPolicy, StackValidationArgs
from pulumi_policy.proxy import unknown_checking_proxy

from infra.policies.rule import Rule

TAGS = {"slipway:project": "slipway", "slipway:stack": "s", "slipway:owner": "me", "slipway:expires": "2030-01-31"}
Problems = list[tuple[str, str | None]]


@dataclass(frozen=True, kw_only=True)
class Given:
    """A resource of a case."""

    type: str
    name: str = "thing"
    inputs: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "dev"
    """The provider's default tag slipway:kind."""
    protect: bool = False
    provider: str = "aws"
    region: str = "eu-west-1"
    stack: str = "dev"
    made_of: Mapping[str, str] = field(default_factory=dict)
    """Property -> URN that it depends on."""

    @property
    def urn(self) -> str:
        return f"urn:pulumi:{self.stack}::slipway::{self.type}::{self.name}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a rule is shown. `says` is a part of the problem it must find; None when it must find none."""

    rule: str
    given: list[Given]
    says: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.rule}-{'bad' if self.says else 'good'}"


def good(rule: str, *given: Given, config: Mapping[str, Any] | None = None) -> Case:
    return Case(rule=rule, given=list(given), config=config or {})


def bad(rule: str, says: str, *given: Given, config: Mapping[str, Any] | None = None) -> Case:
    return Case(rule=rule, given=list(given), says=says, config=config or {})


def problems(rule: Rule, given: list[Given], config: Mapping[str, Any] | None = None) -> Problems:
    """What the rule's policy reports: (message, URN or None)."""
    found: Problems = []

    def report(message: str, urn: str | None = None) -> None:
        found.append((message, urn))

    policy: Any = rule.policy()
    if isinstance(policy, ResourceValidationPolicy):
        for one in given:
            args = ResourceValidationArgs(
                one.type, _props(one), one.urn, one.name, _options(one), _provider(one), dict(config or {})
            )
            policy.validate(args, report)
    else:
        policy.validate(StackValidationArgs([_stacked(one, given) for one in given], dict(config or {})), report)
    return found


def _props(one: Given) -> Any:
    return unknown_checking_proxy(_floats(one.inputs))


def _floats(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _options(one: Given) -> Any:
    return SimpleNamespace(protect=one.protect)


def _provider(one: Given) -> Any:
    if not one.type.startswith("aws:"):
        return None
    # The engine gives a provider's structured inputs as JSON.
    tags = json.dumps({"tags": {"slipway:kind": one.kind} if one.kind else {}})
    return SimpleNamespace(name=one.provider, props=unknown_checking_proxy({"region": one.region, "defaultTags": tags}))


def _stacked(one: Given, given: list[Given]) -> PolicyResource:
    depends = {key: [SimpleNamespace(urn=urn)] for key, urn in one.made_of.items()}
    return PolicyResource(
        one.type,
        _props(one),
        one.urn,
        one.name,
        _options(one),
        _provider(one),
        None,
        [],
        depends,  # type: ignore[arg-type]
    )
