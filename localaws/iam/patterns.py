"""Wildcards and policy variables, as IAM reads them.

`*` stands for any text and `?` for one character; both may also stand for a colon or a slash. `${key}` is the
request's value of a condition key, `${key, 'default'}` has a default, `${*}`, `${?}` and `${$}` are the characters.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

Context = Mapping[str, tuple[str, ...]]
"""The request's condition keys in lower case, each with all its values."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = ("*", "?", "$")
# What may stand in a variable. A request of a role never has the user's keys; AWS then matches nothing.
_VARIABLE_PREFIXES = ("aws:", "s3:", "saml:", "cognito-identity.amazonaws.com:", "token.actions.githubusercontent.com:")


class PolicyError(Exception):
    """A policy says something that localaws cannot evaluate; the text names it. It is never taken for a match."""


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Whether a text matches a pattern with `*` and `?`."""
    if pattern == "*":
        return True
    return _compiled(pattern, ignore_case).fullmatch(text) is not None


@lru_cache(maxsize=8192)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    text = "".join(wild.get(character) or re.escape(_LITERAL_MARKS.get(character, character)) for character in pattern)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


# `${*}` must not become a wildcard: until the match the three characters are kept as these, which no ARN contains.
_MARKS = {"*": "\ue000", "?": "\ue001", "$": "\ue002"}
_LITERAL_MARKS = {mark: character for character, mark in _MARKS.items()}


def substitute(pattern: str, context: Context) -> str | None:
    """The pattern with its variables' values, or None when the request lacks one: then nothing matches.

    Raises PolicyError for a variable that no condition key of AWS can be.
    """
    if "${" not in pattern:
        return pattern
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = (part.strip() for part in found[1].partition(","))
        if name in _LITERALS:
            return _MARKS[name]
        if not name.lower().startswith(_VARIABLE_PREFIXES):
            raise PolicyError(
                f"policy variable ${{{found[1]}}} is not known; it must be a condition key such as "
                "${aws:username} or ${aws:PrincipalTag/team}, or ${*}, ${?}, ${$}"
            )
        values = context.get(name.lower(), ())
        if len(values) == 1:
            return _escaped(values[0])
        if default:
            return _escaped(default.strip("'"))
        missing = True
        return ""

    replaced = _VARIABLE.sub(value, pattern)
    return None if missing else replaced


def _escaped(value: str) -> str:
    """A wildcard in a variable's value is the character: a user called `*` is not everybody."""
    return "".join(_MARKS.get(character, character) for character in value)
