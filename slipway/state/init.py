"""`slipway init`: a home for Pulumi's state in the account, and the stack in it.

    slipway init --stack dev
    slipway init --stack local-ci      rehearses the same in the embedded AWS

Doing it again changes nothing.
"""

import os
from collections.abc import Callable
from dataclasses import replace

import yaml

from slipway.ci.stacks import SECRETS, known
from slipway.engine import Engine
from slipway.errors import USAGE, SlipwayError
from slipway.local import LocalAws, home_of
from slipway.project import Stack, open_stack
from slipway.state.bootstrap import StateHome, ensure_state_home


def init(name: str, region: str, say: Callable[[str], None]) -> StateHome:
    """Make bucket, key and stack where they are missing, and log Pulumi in there.

    `region` is the state's, "" for the stack's own. Raises SlipwayError for a stack that must not be touched so.
    """
    if name == "local":
        raise SlipwayError(
            "stack local keeps its state in a folder, and its file is everybody's; to rehearse with the embedded AWS: "
            "cp Pulumi.local.yaml Pulumi.local-ci.yaml && slipway init --stack local-ci",
            USAGE,
        )
    stack = open_stack(name)
    url = os.environ.get("AWS_ENDPOINT_URL")
    if url and not stack.local:
        raise SlipwayError(
            f"stack {name} is for a real account, but AWS_ENDPOINT_URL is {url}: its file would get a key that only "
            "the embedded AWS has; unset AWS_ENDPOINT_URL, or use a stack called local-...",
            USAGE,
        )
    stack = replace(stack, region=region or stack.region)
    home = ensure_state_home(stack.client, stack.region)
    for what in home.made or (f"bucket {home.bucket} and its key were there",):
        say(what)
    there = replace(stack, environment={**stack.environment, "PULUMI_BACKEND_URL": home.backend_url})
    if stack.local:
        LocalAws(home_of(stack.root)).use_backend(home.backend_url)
    else:
        Engine(there).call("login", home.backend_url)
    say(_ensure_stack(there, home))
    return home


def _ensure_stack(stack: Stack, home: StateHome) -> str:
    """Make the stack with the key's protection; what was done, in words."""
    if stack.name in known(stack):
        return f"stack {stack.name} was there"
    file = stack.root / f"Pulumi.{stack.name}.yaml"
    if stack.local:  # the key of an embedded AWS that is gone
        kept = {key: value for key, value in yaml.safe_load(file.read_text()).items() if key not in SECRETS}
        file.write_text(yaml.safe_dump(kept, sort_keys=False))
    Engine(stack).call("stack", "init", stack.name, "--no-select", "--secrets-provider", home.secrets_provider)
    return f"stack {stack.name}, its secrets encrypted with {home.key} (see {file.name})"
