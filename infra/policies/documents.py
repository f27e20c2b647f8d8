"""Reading IAM policy documents: statements, actions, resources, principals and conditions as lists."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from infra.policies.rule import listed, read

Statement = Mapping[str, Any]
# Operators that hold only when the key is there and equal; ...IfExists and ForAllValues: hold without it.
EQUALITY = {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"}


def statements(document: Any) -> list[Statement]:
    """A document's statements; an empty list for what is no JSON, which the provider refuses with a better message."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return []
    return [one for one in listed(read(document, "Statement")) if isinstance(one, Mapping)]


def allowed(document: Any) -> list[Statement]:
    return [one for one in statements(document) if one.get("Effect") == "Allow"]


def label(statement: Statement) -> str:
    """How to find the statement: its Sid, else its actions."""
    sid = statement.get("Sid")
    return f"statement {sid}" if sid else f"the statement for {', '.join(listed(statement.get('Action'))) or '?'}"


def principals(statement: Statement, kind: str) -> list[str]:
    """The principals of a kind: AWS, Service, Federated."""
    principal = statement.get("Principal")
    return listed(principal.get(kind)) if isinstance(principal, Mapping) else []


def anybody(statement: Statement) -> bool:
    """Whether the principal is everyone in every account."""
    everyone = statement.get("Principal") == "*" or "*" in principals(statement, "AWS")
    return everyone or statement.get("NotPrincipal") is not None


def equal_to(statement: Statement, key: str) -> list[str]:
    """The values to which conditions hold `key`, whatever its case; none when nothing does."""
    return [value for name, value in _equalities(statement) if name == key.lower()]


def _equalities(statement: Statement) -> Iterator[tuple[str, str]]:
    for operator, keys in (statement.get("Condition") or {}).items():
        if operator.lower() in EQUALITY:
            for key, values in keys.items():
                yield from ((key.lower(), str(value)) for value in listed(values))
