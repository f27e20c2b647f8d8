"""The verbs about runs: train, runs, plot, promote, rollback, verify. `slipway.__main__` adds them to the command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.options import AsJson, StackName, out, print_json

if TYPE_CHECKING:
    from slipway.project import Stack
    from slipway.runs import Run

app = typer.Typer()


@app.command()
def train(
    stack: StackName = "local",
    again: Annotated[bool, typer.Option("--again", help="run the same content once more")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="keep every line of the run's log")] = False,
) -> None:
    """Make the run that code, data and settings describe, wait for it, and serve or register what passed its gate.

    It is `pulumi up`: when that run exists already, nothing is trained; --again makes a new one of the same content.
    Where AWS has no free instances it goes on with training.fallbacks, one by one.
    """
    from slipway.ladder import climb
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
        climb(where, steps, follow=follow)
    out.print(table(find_runs(where)[:1]))


@app.command()
def runs(
    stack: StackName = "local",
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option("--compare", help="two runs: names, their beginnings, latest or served", metavar="RUN RUN"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The stack's runs, newest first: how each ended, what it reached, whether it is approved, which one is served.

    --compare: two of them metric by metric, and whether they differ beyond chance.
    """
    from dataclasses import asdict

    from slipway.project import open_stack
    from slipway.runs import find_runs, table

    where = open_stack(stack)
    if compare:
        _compare(where, *compare, as_json)
        return
    found = find_runs(where)
    if as_json:
        print_json([asdict(run) for run in found])
    elif found:
        out.print(table(found))
    else:
        out.print(f"stack {stack} has no run; make one: slipway train --stack {stack}")


def _compare(where: "Stack", one: str, other: str, as_json: bool) -> None:
    from slipway.compare import compare, view

    found = compare(where, one, other)
    if as_json:
        print_json(found.as_json())
    else:
        out.print(view(found), soft_wrap=not out.is_terminal)


@app.command()
def plot(
    run: Annotated[str, typer.Argument(help="a run's name or its beginning, latest or served")] = "latest",
    stack: StackName = "local",
    save: Annotated[
        Path | None, typer.Option("--save", file_okay=False, help="write the run's report and pictures to this folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The course of a run, also while it is going: loss, validation and learning rate."""
    from slipway import plot as drawing
    from slipway.history import read_history
    from slipway.project import open_stack
    from slipway.runs import choose, find_runs

    where = open_stack(stack)
    chosen = choose(where, find_runs(where), run)
    if save:
        _save(where, chosen, save, as_json)
        return
    points = read_history(where, chosen)
    if as_json:
        print_json({"run": chosen.name, "status": chosen.status, "history": points})
    elif out.is_terminal:
        out.print(f"{chosen.name}  {chosen.status}", markup=False)
        out.print(drawing.plots(points, out.width))
    else:
        out.print(drawing.table(points), soft_wrap=True)


def _save(where: "Stack", run: "Run", folder: Path, as_json: bool) -> None:
    from slipway.run_output import save

    saved = [str(path) for path in save(where, run, folder)]
    if as_json:
        print_json(saved)
    else:
        out.print("\n".join(saved), markup=False, soft_wrap=True)


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
