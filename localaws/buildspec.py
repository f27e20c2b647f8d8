"""A CodeBuild buildspec: found in the project or in the source, read from YAML into typed phases."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PHASES = ("install", "pre_build", "build", "post_build")
DEFAULT_FILE = "buildspec.yml"


class BuildspecError(Exception):
    """The text goes into the phase's context as YAML_FILE_ERROR."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    commands: tuple[str, ...] = ()
    finally_: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Buildspec:
    phases: Mapping[str, Phase]
    variables: Mapping[str, str]
    exported: tuple[str, ...]
    shell: str


def load(given: str, source: Path) -> Buildspec:
    """`given` is the project's `source.buildspec`: the YAML itself, a file name, or empty for buildspec.yml."""
    text = given
    if "\n" not in given and not given.lstrip().startswith(("version:", "{")):
        file = source / (given or DEFAULT_FILE)
        if not file.is_file():
            raise BuildspecError(f"stat {file}: no such file or directory")
        text = file.read_text()
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildspecError(f"the buildspec is not YAML: {error}") from error
    return _read(document)


def _read(document: Any) -> Buildspec:
    if not isinstance(document, dict) or not isinstance(document.get("phases"), dict):
        raise BuildspecError("the buildspec needs a mapping with `version` and `phases`")
    unknown = set(document["phases"]) - set(PHASES)
    if unknown:
        raise BuildspecError(f"unknown phase {', '.join(sorted(unknown))}; phases are {', '.join(PHASES)}")
    env = document.get("env") or {}
    unsupported = sorted({"parameter-store", "secrets-manager", "git-credential-helper"} & set(env))
    if unsupported:
        raise BuildspecError(f"env/{unsupported[0]} is not emulated; give the values as environment variables")
    phases = {name: _phase(name, body or {}) for name, body in document["phases"].items()}
    variables = {name: str(value) for name, value in (env.get("variables") or {}).items()}
    exported = tuple(env.get("exported-variables") or ())
    return Buildspec(phases=phases, variables=variables, exported=exported, shell=env.get("shell", "sh"))


def _phase(name: str, body: Mapping[str, Any]) -> Phase:
    for part in ("commands", "finally"):
        commands = body.get(part) or []
        if not isinstance(commands, list) or not all(isinstance(command, str) for command in commands):
            raise BuildspecError(f"phases/{name}/{part} must be a list of strings; quote a command that holds `: `")
    return Phase(commands=tuple(body.get("commands") or ()), finally_=tuple(body.get("finally") or ()))
