"""Where a plan comes from: the engine's preview, the deployed stack's state, or a file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.cost.planned import Change, read, read_events
from slipway.errors import USAGE, SlipwayError

if TYPE_CHECKING:
    from slipway.project import Stack


def previewed(stack: "Stack") -> Change:
    """What `pulumi up` would make of the stack. Raises SlipwayError with the engine's own words when it cannot tell."""
    from slipway.engine import Engine  # which imports boto3; a plan in a file needs neither

    return read_events(raw for raw in Engine(stack).raw_events("preview") if raw)


def exported(stack: "Stack") -> Change:
    """The stack as its state has it. Raises SlipwayError when it was never up."""
    from slipway.engine import Engine

    change = read(json.loads(Engine(stack).call("stack", "export", "--stack", stack.name)))
    if not change.after.resources:
        raise SlipwayError(f"stack {stack.name} is not deployed; what it would cost: slipway cost --stack {stack.name}")
    return change


def from_file(file: Path) -> Change:
    """Of the JSON that `pulumi preview --json` or `pulumi stack export` has written. Raises SlipwayError."""
    try:
        document = json.loads(file.read_text())
    except ValueError as error:
        raise SlipwayError(f"{file} is not JSON: {error}; write it by `pulumi preview --json`", USAGE) from None
    change = read(document if isinstance(document, dict) else {})
    if not change.after.region and not change.before.region:
        raise SlipwayError(f"{file} names no region: pulumi:providers:aws has none", USAGE)
    return change
