"""The stacks of a backend: which there are, making one, removing one for good."""

import re

import yaml

from slipway.ci.changing import changing
from slipway.down import check, down
from slipway.engine import Engine
from slipway.errors import SlipwayError
from slipway.project import Stack
from slipway.state.files import state_files
from slipway.view import Steps

SECRETS = ("secretsprovider", "encryptedkey", "encryptionsalt")
STATE_FILE = re.compile(r"/([^/]+)\.(?:json|yaml)(?:\.gz)?$")  # beside them lie .bak and .pulumi-tags


def known(stack: Stack) -> list[str]:
    """Every stack of the project in the backend that holds this one.

    By the names of the state's files: `pulumi stack ls` reads every stack's state, and a deploy role may not.
    """
    files = state_files(stack).names(f".pulumi/stacks/{stack.project}")
    return sorted(found[1] for file in files if (found := STATE_FILE.search(file)))


def ensure(stack: Stack) -> None:
    """Make the stack in its backend if it is not there; the stack that the user has selected stays selected."""
    if stack.name in known(stack):
        return
    configuration = yaml.safe_load((stack.root / f"Pulumi.{stack.name}.yaml").read_text())
    provider = configuration.get("secretsprovider")
    options = ["--secrets-provider", provider] if provider else []
    Engine(stack).call("stack", "init", stack.name, "--no-select", *options)


def remove(stack: Stack, steps: Steps) -> None:
    """Remove everything of the stack in AWS, prove that nothing is left, then remove its state.

    Raises SlipwayError, and keeps the state, when something is left.
    """
    exists = stack.name in known(stack)
    if exists:
        with changing(stack, steps):
            left = down(stack, steps)
    else:
        left = check(stack, steps)
    if left:
        names = "\n".join(f"  {item.kind} {item.name}" for item in left)
        raise SlipwayError(f"left behind of stack {stack.name}:\n{names}")
    if exists:
        with steps.step("state") as step:
            Engine(stack).call("stack", "rm", stack.name, "--yes", "--preserve-config")
            step.result = f"stack {stack.name} removed"
