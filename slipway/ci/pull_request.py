"""`slipway ci pull-request open|close`: a stack of its own for every pull request, gone when that is closed.

Stack `pr-<number>` (`local-pr-<number>` where AWS is the embedded one) has the settings of stack `dev` under the preset
`pull_request`, and a date at which the nightly stage may take it down.
"""

import copy
import os
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from slipway.ci.deploy import deploy, pack_of
from slipway.ci.report import code, fenced
from slipway.ci.stacks import SECRETS, remove
from slipway.engine import Engine
from slipway.errors import USAGE, SlipwayError
from slipway.project import Stack, is_local, open_stack, root
from slipway.view import Steps

PRESET = "pull_request"
BASE = "dev"
# What stack `dev` says about itself, and a copy must not: the preset decides, or there may be only one in an account.
OWN = ("access.deploy", "log_retention_days", "monitoring", "protect", "serving.instances", "serving.scaling.schedule")
NAME = re.compile(r"(local-)?pr-(?P<number>\d+)")


def stack_name(number: int) -> str:
    """The stack of a pull request; the environment decides whether it is a local one."""
    local = "local-" if os.environ.get("AWS_ENDPOINT_URL") else ""
    return f"{local}pr-{number}"


def opened(number: int, days: int, steps: Steps, pack: Path | None) -> Stack:
    """Deploy the pull request's stack as this checkout has it, and prove it. Raises SlipwayError as `deploy` does."""
    name = stack_name(number)
    configure(root(), name, date.today() + timedelta(days=days))
    stack = open_stack(name)
    deploy(stack, steps, pack_of(stack, pack), new=True)
    return stack


def closed(number: int, steps: Steps) -> None:
    """Take the stack down for good. Raises SlipwayError when anything is left."""
    name = stack_name(number)
    if not configuration_file(root(), name).is_file():
        configure(root(), name, date.today())  # a fresh checkout; its resources are known from the state
    remove(open_stack(name), steps)
    configuration_file(root(), name).unlink()


def configuration_file(folder: Path, name: str) -> Path:
    return folder / f"Pulumi.{name}.yaml"


def configure(folder: Path, name: str, expires: date) -> None:
    """Write the configuration of the pull request's stack, made from that of stack `dev`."""
    base, own = configuration_file(folder, BASE), configuration_file(folder, name)
    if not base.is_file():
        raise SlipwayError(f"no {base.name} to take a pull request's settings from; make it (see README)", USAGE)
    document = derive(yaml.safe_load(base.read_text()), expires, local=is_local(name))
    if own.is_file():  # its key stays: the state is encrypted with it
        before = yaml.safe_load(own.read_text())
        document |= {key: before[key] for key in SECRETS if key in before}
    own.write_text(f"# Made from {base.name} by slipway ci pull-request.\n{yaml.safe_dump(document, sort_keys=False)}")


def derive(base: Mapping[str, Any], expires: date, *, local: bool) -> dict[str, Any]:
    """The settings of stack `dev` as those of a pull request. A local stack does not get the key of a real account."""
    document = copy.deepcopy(dict(base))
    if local:
        for key in SECRETS:
            document.pop(key, None)
    config = document["config"]
    for path in OWN:
        _drop(config, path)
    config["slipway:preset"] = PRESET
    config["slipway:expires"] = expires.isoformat()
    return document


def _drop(config: dict[str, Any], path: str) -> None:
    first, *rest = path.split(".")
    key, tree = f"slipway:{first}", config
    for part in rest:
        tree, key = tree.get(key) or {}, part
    tree.pop(key, None)


def opened_report(stack: Stack, days: int) -> str:
    """What a reviewer wants to know of the stack: where it answers, how to ask it, when it goes."""
    endpoint = Engine(stack).outputs().get("endpoint")
    lines = [f"## Stack {code(stack.name)} is up and proven"]
    if endpoint:
        lines += [f"Endpoint {code(endpoint)} answers at {code(invocation_url(stack, endpoint))}:"]
        lines += [fenced(f"slipway invoke --stack {stack.name}")]
    else:
        lines += ["It serves no model."]
    lines += [f"It goes when this pull request is closed, and may go {days} days after its last deployment."]
    return "\n\n".join(lines) + "\n"


def invocation_url(stack: Stack, endpoint: str) -> str:
    """Where AWS answers `InvokeEndpoint` (signed requests only)."""
    base = stack.environment.get("AWS_ENDPOINT_URL") or f"https://runtime.sagemaker.{stack.region}.amazonaws.com"
    return f"{base}/endpoints/{endpoint}/invocations"


def failed_report(name: str, error: SlipwayError) -> str:
    return f"## Stack {code(name)} could not be deployed\n\n{fenced(str(error))}\n"


def closed_report(name: str) -> str:
    return f"## Stack {code(name)} is gone\n\nNothing of it is left in AWS.\n"
