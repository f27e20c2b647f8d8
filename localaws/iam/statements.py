"""Policy documents as lists of statements that can be asked whether they apply to a request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from localaws.iam import conditions
from localaws.iam.patterns import Context, PolicyError, matches, substitute
from localaws.iam.principals import Grant, Principal, excepted, grant

VARIABLES_VERSION = "2012-10-17"  # before it, ${...} is plain text


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One thing that a request wants to do: an action on one resource, with the request's condition keys."""

    action: str
    resource: str
    context: Context


@dataclass(frozen=True, kw_only=True)
class Statement:
    """`not_actions` and `not_resources`: the list is written as NotAction or NotResource."""

    sid: str
    number: int
    denies: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...] | None
    not_resources: bool
    principal: Any
    not_principal: Any
    condition: Mapping[str, Any]
    variables: bool

    def applies(self, ask: Ask) -> bool:
        """Whether action, resource and conditions hold; who asks is another matter (`grants`)."""
        return (
            self.concerns(ask.action)
            and self._covers(ask)
            and conditions.hold(self.condition, ask.context, variables=self.variables)
        )

    def concerns(self, action: str) -> bool:
        """Whether the action is one of the statement's; their names are case-insensitive."""
        return any(matches(one, action, ignore_case=True) for one in self.actions) is not self.not_actions

    def _covers(self, ask: Ask) -> bool:
        if self.resources is None:  # a trust policy: its resource is the role it belongs to
            return True
        patterns = [substitute(text, ask.context) if self.variables else text for text in self.resources]
        # An action without a resource of its own asks for "*", which only a pattern "*" covers.
        covered = any(pattern is not None and matches(pattern, ask.resource) for pattern in patterns)
        return covered is not self.not_resources

    def grants(self, who: Principal) -> Grant:
        """How directly a statement of a resource policy names somebody."""
        if self.not_principal is not None:
            return Grant.NONE if excepted(self.not_principal, who) else Grant.IDENTITY
        return grant(self.principal, who) if self.principal is not None else Grant.NONE


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One document. `name` is shown to people and by the simulator, for example the policy's ARN."""

    name: str
    statements: tuple[Statement, ...]
    text: str


def policy(name: str, document: str | Mapping[str, Any]) -> Policy:
    """A policy from its JSON text or its parsed form. Raises PolicyError for what is no policy."""
    return _policy(name, document if isinstance(document, str) else json.dumps(document))


@lru_cache(maxsize=1024)
def _policy(name: str, text: str) -> Policy:
    try:
        document = json.loads(text)
        listed = _list(document["Statement"])
        variables = document.get("Version") == VARIABLES_VERSION
        found = tuple(_statement(item, number, variables) for number, item in enumerate(listed))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PolicyError(f"policy {name} is not a policy document: {error!r}") from error
    return Policy(name=name, statements=found, text=text)


def _statement(item: Mapping[str, Any], number: int, variables: bool) -> Statement:
    resources = item.get("Resource", item.get("NotResource"))
    if item["Effect"] not in ("Allow", "Deny"):
        raise ValueError(f"Effect is {item['Effect']!r}; allowed: Allow, Deny")
    return Statement(
        sid=item.get("Sid", ""),
        number=number,
        denies=item["Effect"] == "Deny",
        actions=tuple(_list(item["Action"] if "Action" in item else item["NotAction"])),
        not_actions="NotAction" in item,
        resources=None if resources is None else tuple(_list(resources)),
        not_resources="NotResource" in item,
        principal=item.get("Principal"),
        not_principal=item.get("NotPrincipal"),
        condition=item.get("Condition", {}),
        variables=variables,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
