"""Generated names: the logical name, "-" and 7 random hexadecimal digits, as pulumi-aws makes them.

Without a fixed name a resource can be replaced create-before-delete. The digits come from the engine's seed when it
gives one, so that a saved plan and its update agree.
"""

from __future__ import annotations

import hashlib
import secrets

from localaws.pulumi_provider.schema import AutoName, Properties

RANDOM_DIGITS = 7
# Terraform's form of a random suffix after a given prefix is longer: 26 characters of time and counter.
PREFIX_DIGITS = 26


def generate(rule: AutoName, logical_name: str, properties: Properties, seed: bytes) -> str:
    """A name for a new resource. Raises ValueError if it would be longer than AWS allows."""
    prefix = properties.get(rule.prefix_property) if rule.prefix_property else None
    name = logical_name.lower() if rule.lower else logical_name
    if prefix is not None:
        result = f"{prefix}{_digits(seed, logical_name, PREFIX_DIGITS)}"
    else:
        name = name if name.startswith(rule.start) else f"{rule.start}{name}"
        result = f"{name}-{_digits(seed, logical_name, RANDOM_DIGITS)}" if rule.random else name
    if len(result) > rule.limit:
        raise ValueError(
            f"the generated name {result!r} has {len(result)} characters and AWS allows {rule.limit}; "
            f"shorten the resource's logical name or set {rule.property!r}"
        )
    return result


def _digits(seed: bytes, logical_name: str, count: int) -> str:
    if not seed:
        return secrets.token_hex(count)[:count]
    return hashlib.sha256(seed + logical_name.encode()).hexdigest()[:count]
