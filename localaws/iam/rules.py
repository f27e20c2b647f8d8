"""The form of the tables in actions/: what an operation asks permission for.

A resource template is the part of the ARN behind the account; `{Name}` is a parameter of the call, `{A.B}` a member
of one, `{Names[]}` each item of a list. A parameter that was not given leaves `*`, and a value that is an ARN itself
stands for the whole template. The template `*` is for actions that know no resource.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product, zip_longest
from typing import Any

from localaws.cloud import ACCOUNT

Parameters = Mapping[str, Any]
ANY = "*"
_FIELD = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One operation. `action` is the IAM action where it is not the operation's name.

    `passes`: parameters that hold a role, with the service it is passed to: iam:PassRole.
    `tags`: the parameter with the tags; `tag_action`: what AWS asks for in addition when there are any.
    `conditions`: further condition keys, each with the path of the parameter that gives its value.
    """

    resources: tuple[str, ...] = (ANY,)
    action: str = ""
    passes: Mapping[str, str] = field(default_factory=dict)
    tags: str = ""
    tag_action: str = ""
    conditions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service's table. `client` is botocore's name, `prefix` IAM's; `scope` is what comes before a resource.

    `lower`: the service writes names in lower case in its ARNs. `open`: operations that need no permission.
    `normalise`: writes a call's parameters as the templates want them, given the region.
    `denied`: the error code where it is not the protocol's usual one.
    """

    client: str
    prefix: str
    rules: Mapping[str, Rule]
    scope: str = "{region}:{account}:"
    lower: bool = False
    open: tuple[str, ...] = ()
    normalise: Callable[[Parameters, str], Parameters] = lambda parameters, region: parameters
    denied: str = ""

    def arns(self, rule: Rule, parameters: Parameters, region: str) -> Iterator[str]:
        """The ARNs of everything that a call of the rule's operation touches."""
        for template in rule.resources:
            yield from (ANY,) if template == ANY else self._arns(template, parameters, region)

    def _arns(self, template: str, parameters: Parameters, region: str) -> Iterator[str]:
        scope = self.scope.format(region=region, account=ACCOUNT)
        absolute = template.startswith("arn:")  # a resource whose ARN is unlike those of the service's others
        before = "" if absolute else f"arn:aws:{self.prefix}:{scope}"
        words = _FIELD.split(template)
        literals, paths = words[::2], words[1::2]
        for chosen in product(*[texts(parameters, path) or [ANY] for path in paths]):
            whole = next((value for value in chosen if value.startswith("arn:")), "")
            if whole:
                yield whole
                continue
            names = [value.lower() if self.lower else value for value in chosen]
            yield before + "".join(map("".join, zip_longest(literals, names, fillvalue="")))


def walk(parameters: Any, path: str) -> list[Any]:
    """All values at a path; none where the call does not have it."""
    found: list[Any] = [parameters]
    for name in path.split("."):
        members = [item.get(name.removesuffix("[]")) for item in found if isinstance(item, Mapping)]
        listed = [item for item in members if item is not None]
        found = [one for item in listed for one in item] if name.endswith("[]") else listed
    return found


def texts(parameters: Any, path: str) -> list[str]:
    """`walk`, as condition keys and ARNs show values."""
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in walk(parameters, path)]


def tags(parameters: Any, path: str) -> dict[str, str]:
    """The tags at a path, from any of the forms in which services take them."""
    found: dict[str, str] = {}
    for item in walk(parameters, path) if path else []:
        for one in item if isinstance(item, list) else [item]:
            form = next((form for form in _TAG_FORMS if form[0] in one), None)
            found |= {one[form[0]]: one.get(form[1], "")} if form else dict(one)
    return found


_TAG_FORMS = (("Key", "Value"), ("key", "value"), ("TagKey", "TagValue"))


def on(resource: str | tuple[str, ...], *operations: str) -> dict[str, Rule]:
    """Operations that ask for nothing but the action of their own name on a resource."""
    resources = (resource,) if isinstance(resource, str) else resource
    return dict.fromkeys(operations, Rule(resources=resources))
