"""What is wrong in a configuration, in sentences that name key, value and what is allowed."""

import difflib
import shlex
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` looks like, as the rest of a sentence; empty when none does."""
    match = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {match[0]!r}?)" if match else ""


def describe(detail: Any, settings: type[BaseModel]) -> str:
    """One pydantic error as a sentence that names key, value and what is allowed."""
    path = [str(part) for part in detail["loc"]]
    key = _key(detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = keys_of(section_at(settings, path[:-1]))
        return f"unknown key {key!r}{nearest(path[-1], known)}; known here: {', '.join(known)}"
    if detail["type"] == "missing":
        option = "--path " if len(path) > 1 else ""
        return f"{key} is missing; set it: pulumi config set {option}{shlex.quote(key)} <value>"
    if detail["type"] == "value_error":
        error = str(detail["ctx"]["error"])
        return f"{key} {error}" if error.startswith("is ") else f"{key}: {error}" if path else error
    # A value of an environment may be a secret.
    value = "refused" if "environment" in path else repr(detail["input"])
    return f"{key} is {value}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def _key(location: Iterable[str | int]) -> str:
    """A location as `pulumi config set --path` spells it: slipway:serving.scaling.schedule[0].cron."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "slipway:" + text.lstrip(".") if text else "slipway"


def keys_of(section: type[BaseModel]) -> list[str]:
    """The section's keys as a stack's file spells them."""
    return [field.alias or name for name, field in section.model_fields.items()]


def section_at(settings: type[BaseModel], path: list[str]) -> type[BaseModel]:
    """The section that a path of keys leads to; positions in a list are skipped."""
    section = settings
    for part in path:
        named = {field.alias or name: field for name, field in section.model_fields.items()}
        if part in named:
            section = section_of(named[part].annotation) or section
    return section


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section inside an annotation such as Tuning | None or tuple[Schedule, ...]; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in typing.get_args(annotation):
        if found := section_of(inner):
            return found
    return None
