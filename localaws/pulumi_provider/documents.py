"""JSON documents (policies): normal text, and equality by meaning.

AWS stores policies in its own spelling: other white space and key order, a list of one as a plain value. Two documents
mean the same if they agree after undoing that.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

# Where AWS treats a value and a list of that one value alike, and the order of a list means nothing.
_SETS = frozenset({"Action", "NotAction", "Resource", "NotResource", "AWS", "Service", "Federated", "CanonicalUser"})


def to_text(document: Any) -> str:
    """A document as JSON text; text is returned as it is. The spelling that AWS' own answers use: no spaces."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))


def problem(text: str) -> str | None:
    """What is wrong with the text as JSON, or None."""
    try:
        json.loads(text)
    except ValueError as error:
        return f"is not valid JSON: {error}; it begins with {text[:40]!r}"
    return None


def same(one: Any, other: Any) -> bool:
    """Whether two JSON documents (text or parsed) mean the same. Text that is no JSON equals only itself."""
    if one == other:
        return True
    try:
        return bool(_normal(_parse(one)) == _normal(_parse(other)))
    except ValueError:
        return False


def same_key(one: Any, other: Any) -> bool:
    """Whether two names of a KMS key, each an id or an ARN, mean the same key."""
    return bool(str(one).rpartition(":key/")[2] == str(other).rpartition(":key/")[2])


def same_address(one: Any, other: Any) -> bool:
    """Whether two addresses are the same; IAM leaves out the https:// of the ones that it stores."""
    return str(one).removeprefix("https://") == str(other).removeprefix("https://")


def same_amount(one: Any, other: Any) -> bool:
    """Whether two decimal numbers, given as text, have the same value. Text that is no number equals only itself."""
    try:
        return Decimal(str(one)) == Decimal(str(other))
    except InvalidOperation:
        return bool(one == other)


def _parse(document: Any) -> Any:
    return json.loads(document) if isinstance(document, str) else document


def _normal(value: Any, key: str = "") -> Any:
    if key == "Statement" and isinstance(value, dict):
        return [_normal(value)]
    if isinstance(value, dict):
        return {name: _normal(item, name) for name, item in value.items()}
    if isinstance(value, list):
        items = [_normal(item) for item in value]
        if key in _SETS and all(isinstance(item, str) for item in items):
            return items[0] if len(items) == 1 else sorted(items)
        return items
    return value
