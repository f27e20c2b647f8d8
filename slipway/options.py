"""What the verbs of the command line have in common."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console

StackName = Annotated[str, typer.Option("--stack", "-s", envvar="SLIPWAY_STACK", help="the stack to work on")]
AsJson = Annotated[bool, typer.Option("--json", help="print facts as JSON")]

out = Console(highlight=False)


def print_json(value: Any) -> None:
    """Facts for programs: one JSON document on standard output."""
    print(json.dumps(value, indent=2, default=str))
