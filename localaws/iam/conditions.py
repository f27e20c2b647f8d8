"""Condition blocks: the operators, the IfExists suffix, and the set operators ForAnyValue and ForAllValues.

A block holds when each operator holds, an operator when each of its keys does, a key when one of its values does
(for a negated operator: when none does). An operator that is not in the table is an error, never a match.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from localaws.iam.patterns import Context, PolicyError, matches, substitute

Test = Callable[[str, str], bool]
"""(value in the policy, value in the request) -> whether they match."""

ARN_PARTS = 6


def _like(wanted: str, given: str, *, ignore_case: bool = False) -> bool:
    return matches(wanted, given, ignore_case=ignore_case)


def _plain(wanted: str) -> str:
    """A value without the marks that `substitute` leaves for literal characters."""
    return wanted.translate({0xE000: "*", 0xE001: "?", 0xE002: "$"})


def _equals(wanted: str, given: str) -> bool:
    return _plain(wanted) == given


def _equals_ignoring_case(wanted: str, given: str) -> bool:
    return _plain(wanted).lower() == given.lower()


def _arn(wanted: str, given: str) -> bool:
    """Part by part: a wildcard does not reach over a colon, except in the last part, the resource."""
    patterns, parts = wanted.split(":", ARN_PARTS - 1), given.split(":", ARN_PARTS - 1)
    if len(patterns) != ARN_PARTS:
        return matches(wanted, given) if set(wanted) <= {"*"} else False
    return len(parts) == ARN_PARTS and all(map(matches, patterns, parts))


def _boolean(wanted: str, given: str) -> bool:
    return wanted.lower() == given.lower()


def _number(compare: Callable[[float, float], bool], wanted: str, given: str) -> bool:
    try:
        return compare(float(given), float(wanted))
    except ValueError:
        return False


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _date(compare: Callable[[float, float], bool], wanted: str, given: str) -> bool:
    try:
        return compare(_moment(given), _moment(wanted))
    except ValueError:
        return False


def _address(wanted: str, given: str) -> bool:
    try:
        return ipaddress.ip_address(given) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "Equals": lambda given, wanted: given == wanted,
    "LessThan": lambda given, wanted: given < wanted,
    "LessThanEquals": lambda given, wanted: given <= wanted,
    "GreaterThan": lambda given, wanted: given > wanted,
    "GreaterThanEquals": lambda given, wanted: given >= wanted,
}
_POSITIVE: dict[str, Test] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_ignoring_case,
    "StringLike": _like,
    "ArnEquals": _arn,  # AWS: identical to ArnLike
    "ArnLike": _arn,
    "Bool": _boolean,
    "BinaryEquals": _equals,
    "IpAddress": _address,
    **{f"Numeric{name}": partial(_number, compare) for name, compare in COMPARISONS.items()},
    **{f"Date{name}": partial(_date, compare) for name, compare in COMPARISONS.items()},
}
_NEGATED: dict[str, Test] = {
    "StringNotEquals": _equals,
    "StringNotEqualsIgnoreCase": _equals_ignoring_case,
    "StringNotLike": _like,
    "ArnNotEquals": _arn,
    "ArnNotLike": _arn,
    "NotIpAddress": _address,
    "NumericNotEquals": _POSITIVE["NumericEquals"],
    "DateNotEquals": _POSITIVE["DateEquals"],
}
OPERATORS: dict[str, tuple[Test, bool]] = {
    **{name.lower(): (test, False) for name, test in _POSITIVE.items()},
    **{name.lower(): (test, True) for name, test in _NEGATED.items()},
}
"""Operator in lower case: (test, whether it is negated)."""

NAMES = (*_POSITIVE, *_NEGATED, "Null")
SET_OPERATORS = ("foranyvalue", "forallvalues")
IF_EXISTS = "ifexists"


def hold(block: Mapping[str, Mapping[str, Any]], context: Context, *, variables: bool = True) -> bool:
    """Whether a statement's Condition holds for the request's keys. Raises PolicyError for an unknown operator."""
    held = True
    for operator, keys in block.items():
        for key, wanted in keys.items():
            texts = [substitute(text, context) if variables else text for text in as_texts(wanted)]
            # Every operator is looked at, so that an unknown one is found also behind one that does not hold.
            held &= _holds(operator, context.get(key.lower()), [text for text in texts if text is not None])
    return held


def as_texts(value: Any) -> list[str]:
    """A policy's value or list of values as texts; JSON's booleans and numbers are allowed there."""
    listed = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in listed]


def _holds(operator: str, given: tuple[str, ...] | None, wanted: Sequence[str]) -> bool:
    quantifier, _, name = operator.lower().rpartition(":")
    if quantifier not in ("", *SET_OPERATORS):
        raise PolicyError(f"condition operator {operator} is not known; before the colon: ForAnyValue, ForAllValues")
    if name == "null":
        return any((text.lower() == "true") is (given is None) for text in wanted)
    optional = name.endswith(IF_EXISTS)
    test, negated = _operator(operator, name.removesuffix(IF_EXISTS))
    if given is None:
        return optional or quantifier == "forallvalues" or (negated and quantifier != "foranyvalue")
    found = [any(test(pattern, value) for pattern in wanted) is not negated for value in given]
    if quantifier == "forallvalues" or (negated and quantifier == ""):
        return all(found)
    return any(found)


def _operator(written: str, name: str) -> tuple[Test, bool]:
    if name not in OPERATORS:
        raise PolicyError(f"condition operator {written} is not known; known: {', '.join(NAMES)}")
    return OPERATORS[name]
