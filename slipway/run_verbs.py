"""The verbs about runs: train, runs, promote, rollback, verify. `slipway.__main__` adds them to the command line."""

from typing import TYPE_CHECKING, Annotated

import typer

from slipway.options import AsJson, StackName, out, print_json

if TYPE_CHECKING:
    from slipway.project import Stack

app = typer.Typer()


@app.command()
def train(
    stack: StackName = "local",
    again: Annotated[bool, typer.Option("--again", help="run the same content once more")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="keep every line of the run's log")] = False,
) -> None:
    """Make the run that code, data and settings describe, wait for it, and serve or register what passed its gate.

    It is `pulumi up`: when that run exists already, nothing is trained; --again makes a new one of the same content.
    """
    from slipway.deploy import up
    from slipway.project import open_stack
    from slipway.promote import again as raise_attempt
    from slipway.promote import config_file
    from slipway.runs import find_runs, table
    from slipway.signals import interruptible
    from slipway.view import Steps

    where = open_stack(stack)
    with interruptible(), Steps(out) as steps:
        if again:
            with steps.step("configuration") as step:
                step.result = f"training.attempt is {raise_attempt(where)} now in {config_file(where).name}; commit it"
        up(where, steps, follow=follow)
    out.print(table(find_runs(where)[:1]))


@app.command()
def runs(stack: StackName = "local", as_json: AsJson = False) -> None:
    """The stack's runs, newest first: how each ended, what it reached, whether it is approved, which one is served."""
    from dataclasses import asdict

    from slipway.project import open_stack
    from slipway.runs import find_runs, table

    found = find_runs(open_stack(stack))
    if as_json:
        print_json([asdict(run) for run in found])
    elif found:
        out.print(table(found))
    else:
        out.print(f"stack {stack} has no run; make one: slipway train --stack {stack}")


@app.command()
def promote(
    run: Annotated[str, typer.Argument(help="the name of a run that passed its gate: slipway runs")],
    stack: StackName = "local",
    move: Annotated[bool, typer.Option("--up/--no-up", help="move the endpoint too")] = True,
) -> None:
    """Approve a run in the stack's registry and serve it."""
    from slipway.project import open_stack
    from slipway.registry import approve

    where = open_stack(stack)
    package = approve(where, run)
    out.print(f"approved {package.run}", highlight=False)
    _serve(where, move)


@app.command()
def rollback(
    stack: StackName = "local",
    move: Annotated[bool, typer.Option("--up/--no-up", help="move the endpoint too")] = True,
) -> None:
    """Reject the newest approved run and serve the one that was approved before it."""
    from slipway.project import open_stack
    from slipway.registry import reject_newest

    where = open_stack(stack)
    bad, good = reject_newest(where)
    out.print(f"rejected {bad.run}; approved: {good.run}", highlight=False, soft_wrap=True)
    _serve(where, move)


def _serve(where: "Stack", move: bool) -> None:
    from slipway.promote import serve_approved
    from slipway.signals import interruptible
    from slipway.view import Steps

    if not move:
        out.print(f"not served yet: pulumi up --stack {where.name}, with slipway:model registry:approved")
        return
    with interruptible(), Steps(out) as steps:
        serve_approved(where, steps)


@app.command()
def verify(stack: StackName = "local", as_json: AsJson = False) -> None:
    """Prove that the endpoint is what `pulumi up` was to make: configuration, answer, scaling, alarms."""
    from dataclasses import asdict

    from rich.console import Console

    from slipway.project import open_stack
    from slipway.verify import verify
    from slipway.view import Steps

    where = open_stack(stack)
    with Steps(Console(stderr=True, highlight=False) if as_json else out) as steps:
        proven = verify(where, steps)
    if as_json:
        print_json([asdict(one) for one in proven])
