"""`slipway preflight`: what would stop a deployment, before it starts. `slipway.__main__` adds it to the command."""

import typer

from slipway.errors import REFUSED
from slipway.options import AsJson, StackName, out, print_json

app = typer.Typer()


@app.command()
def preflight(stack: StackName = "local", as_json: AsJson = False) -> None:
    """Check all that a deployment needs, and report everything at once. Exit code 3 when there is a problem."""
    from dataclasses import asdict

    from rich.console import Console

    from slipway.preflight.finding import worst
    from slipway.preflight.run import counts, examine
    from slipway.preflight.view import lines
    from slipway.project import open_stack
    from slipway.signals import interruptible
    from slipway.view import Steps

    where = open_stack(stack)
    with interruptible(), Steps(Console(stderr=True, highlight=False)) as steps:
        found = examine(where, steps)
    if as_json:
        print_json({"stack": stack, "verdict": worst(found), "findings": [asdict(one) for one in found]})
    else:
        for line in lines(found):
            out.print(line, soft_wrap=True)
        out.print(counts(found))
    if worst(found) == "problem":
        raise typer.Exit(REFUSED)
