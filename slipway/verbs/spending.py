"""The verbs that stop spending and go on: stop, start, resume, extend. `slipway.__main__` adds them to the command."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipway.errors import INTERRUPTED, USAGE, SlipwayError
from slipway.options import AsJson, StackName, out, print_json

if TYPE_CHECKING:
    from slipway.project import Stack
    from slipway.spending import Answer

app = typer.Typer()
UNLIMITED = "none"


@app.command("stop")
def stop_(
    stack: StackName = "local",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: AsJson = False,
) -> None:
    """End everything of a stack that bills by the hour; what is needed to bring it back is kept."""
    from slipway.project import open_stack
    from slipway.spending import stop

    where = open_stack(stack)
    if _is_prod(where) and not yes:
        _ask(where)
    _show(_walked(where, "stop", lambda show: stop(where, show), as_json), as_json)


@app.command("start")
def start_(stack: StackName = "local", as_json: AsJson = False) -> None:
    """Bring back a stack that was stopped by hand, by office hours, or because nobody asked its endpoint."""
    from slipway.project import open_stack
    from slipway.spending import start

    where = open_stack(stack)
    _show(_walked(where, "start", lambda show: start(where, show), as_json), as_json)


@app.command("resume")
def resume_(
    stack: StackName = "local",
    budget: Annotated[float | None, typer.Option("--budget", min=0.01, help="USD, for the rest of this month")] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="no limit for the rest of this month")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring back a stack that was stopped for whatever reason, and prove that it answers as before."""
    from slipway.project import open_stack
    from slipway.spending import resume
    from slipway.verify import verify

    if budget is not None and anyway:
        raise SlipwayError("--budget gives this month a limit and --anyway none; give one of them", USAGE)
    where = open_stack(stack)
    limit = UNLIMITED if anyway else "" if budget is None else f"{budget:.2f}"
    answer = _walked(where, "resume", lambda show: resume(where, show, limit), as_json)
    with _steps(as_json) as steps:
        proven = verify(where, steps)
    _show(answer | {"proven": {one.check: one.saw for one in proven}}, as_json)


@app.command("extend")
def extend_(
    duration: Annotated[str, typer.Argument(metavar="DURATION", help="90m, 4h, 2d")],
    stack: StackName = "local",
    as_json: AsJson = False,
) -> None:
    """Give a stack more time before it is stopped."""
    from slipway.project import open_stack
    from slipway.spending import extend, hours_of

    hours = hours_of(duration)
    answer = extend(open_stack(stack), hours)
    if as_json:
        print_json(answer)
    else:
        out.print(f"stack {stack} ends at {answer['ends']}")
        if answer["reason"] == "expired":
            out.print(f"it is stopped still; bring it back: {answer['back']}", markup=False)


def _is_prod(where: "Stack") -> bool:
    """By its preset; on a real account only, as for `slipway down`."""
    import yaml

    config = yaml.safe_load((where.root / f"Pulumi.{where.name}.yaml").read_text()) or {}
    return not where.local and config.get("config", {}).get("slipway:preset") == "prod"


def _ask(where: "Stack") -> None:
    if not sys.stdin.isatty():
        raise SlipwayError(f"stack {where.name} is prod; give --yes to stop it without a question", USAGE)
    if typer.prompt(f"Type the stack's name to stop everything of {where.prefix}") != where.name:
        raise SlipwayError("not the stack's name; nothing was stopped", USAGE)


def _steps(as_json: bool) -> Any:
    from rich.console import Console

    from slipway.view import Steps

    return Steps(Console(stderr=True) if as_json else out)


def _walked(where: "Stack", title: str, act: Any, as_json: bool) -> "Answer":
    from slipway.signals import interruptible

    try:
        with interruptible(), _steps(as_json) as steps, steps.step(title) as step:
            answer: Answer = act(step.show)
            step.result = "; ".join(answer["did"]) or f"nothing to do: it is {answer['phase']}"
            return answer
    except KeyboardInterrupt:
        message = f"interrupted; the guardian goes on with it by itself. Again: slipway {title} --stack {where.name}"
        raise SlipwayError(message, INTERRUPTED) from None


def _show(answer: "Answer", as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    limit = f" of {answer['limit_usd']} USD" if answer["limit_usd"] else ""
    out.print(f"{answer['phase']}; spent in {answer['month']}, instances only: {answer['spent_usd']} USD{limit}")
    if answer["unpriced"]:
        out.print(f"not counted, no price known: {', '.join(answer['unpriced'])}")
    if answer["back"]:
        out.print(f"bring it back: {answer['back']}", markup=False)
