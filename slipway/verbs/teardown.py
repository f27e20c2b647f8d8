"""The verbs that take things away: down and leaks. `slipway.__main__` adds them to the command."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipway.errors import FAILED, INTERRUPTED, USAGE, SlipwayError
from slipway.options import AsJson, StackName, out, print_json

if TYPE_CHECKING:
    from slipway.leaks import Leftover
    from slipway.project import Stack
    from slipway.teardown.worth import Worth

app = typer.Typer()
REAL = "is on a real account; give --yes"
Yes = Annotated[bool, typer.Option("--yes", help="do not ask; for a stack of preset prod see --name")]
Name = Annotated[str, typer.Option("--name", help="the stack's name once more: the answer to the question, for CI")]


@app.command()
def down(stack: StackName = "local", yes: Yes = False, name: Name = "") -> None:
    """Remove everything of a stack, then prove that nothing is left. Killed at any moment, it may be run again."""
    from slipway.down import down, refuse_protected
    from slipway.project import open_stack
    from slipway.signals import interruptible
    from slipway.teardown.recorded import alone, protected, recorded
    from slipway.view import Steps

    where = open_stack(stack)
    if is_prod(where):
        refuse_protected(where, protected(recorded(where)))
    confirm(where, yes=yes, name=name)
    try:
        with interruptible(), Steps(out) as steps, alone(where, steps):
            left = down(where, steps)
    except KeyboardInterrupt:
        message = f"interrupted; some of {where.prefix} is left. Go on with: slipway down --stack {stack}"
        raise SlipwayError(message, INTERRUPTED) from None
    if left:
        raise SlipwayError("left behind:\n" + "\n".join(f"  {item.kind} {item.name}" for item in left))


@app.command()
def leaks(
    stack: StackName = "local",
    remove: Annotated[bool, typer.Option("--remove", help="remove them, and look again")] = False,
    yes: Yes = False,
    name: Name = "",
    as_json: AsJson = False,
) -> None:
    """What of a stack exists in AWS, in a state file or not, and what it costs. Exit code 1 when there is anything."""
    from slipway.leaks import find_leaks
    from slipway.project import open_stack
    from slipway.records import find_records
    from slipway.teardown.worth import worths

    where = open_stack(stack)
    if remove:
        refuse_living(where)
    left = find_leaks(where)
    priced = worths(where, left)
    removed: list[Leftover] = []
    if remove and left:
        if not as_json:
            show(where, left, priced)
        confirm(where, yes=yes, name=name)
        kept = remove_shown(where, left, quiet=as_json)
        removed = [one for one in left if one not in kept]
        left, priced = kept, worths(where, kept)
    records = find_records(where)
    if as_json:
        print_json(facts(where, left, priced) | {"records": [vars(one) for one in records]} | removed_facts(removed))
    else:
        show(where, left, priced)
        if records:
            out.print(f"kept as records, without cost: {len(records)} (run logs, models); slipway down removes them")
    if left:
        raise typer.Exit(FAILED)


def is_prod(stack: "Stack") -> bool:
    """Whether the stack's configuration says prod, or protects it."""
    import yaml

    document = yaml.safe_load((stack.root / f"Pulumi.{stack.name}.yaml").read_text()) or {}
    config = document.get("config") or {}
    return config.get("slipway:preset") == "prod" or str(config.get("slipway:protect", "")).lower() == "true"


def confirm(stack: "Stack", *, yes: bool, name: str) -> None:
    """Ask for the stack's name before anything of a real account goes. Raises SlipwayError unless that is the answer.

    For prod --yes is no answer, on whichever cloud: whoever removes it has to name it.
    """
    prod = is_prod(stack)
    if name:
        _same(stack, name)
    elif prod or not (stack.local or yes):
        if not sys.stdin.isatty():
            why = f"is prod, for which --yes is not enough; give --name {stack.name}" if prod else REAL
            raise SlipwayError(f"stack {stack.name} {why} to remove it without a question", USAGE)
        _same(stack, typer.prompt(f"Type the stack's name to remove everything of {stack.prefix}"))


def _same(stack: "Stack", name: str) -> None:
    if name != stack.name:
        raise SlipwayError(f"{name!r} is not the stack's name, which is {stack.name!r}; nothing was removed", USAGE)


def refuse_living(stack: "Stack") -> None:
    """What Pulumi knows is no leak: to remove that behind its back would leave a state of things that are gone."""
    from slipway.teardown.recorded import recorded, resources

    known = len(resources(recorded(stack)))
    if known:
        raise SlipwayError(
            f"stack {stack.name} is up: {known} resources in its state; nothing was removed. "
            f"To remove it with everything else of its name: slipway down --stack {stack.name}",
            USAGE,
        )


def remove_shown(stack: "Stack", left: "list[Leftover]", *, quiet: bool) -> "list[Leftover]":
    """Remove them as a list of steps (on standard error when standard output is JSON); returns what is still there."""
    from rich.console import Console

    from slipway.down import check, remove_left
    from slipway.signals import interruptible
    from slipway.view import Steps

    try:
        with interruptible(), Steps(Console(stderr=True, highlight=False) if quiet else out) as steps:
            remove_left(stack, left, steps)
            return check(stack, steps)
    except KeyboardInterrupt:
        message = (
            f"interrupted; some of {stack.prefix} is left. Go on with: slipway leaks --remove --stack {stack.name}"
        )
        raise SlipwayError(message, INTERRUPTED) from None


def show(stack: "Stack", left: "list[Leftover]", priced: "list[Worth]") -> None:
    """A line for each thing, what is most expensive first, and the sum."""
    from slipway.teardown.worth import in_words, usd

    pairs = sorted(zip(left, priced, strict=True), key=lambda pair: (-(pair[1].usd_month or 0), pair[0]))
    for item, worth in pairs:
        cost = "no price known" if worth.usd_month is None else f"USD {usd(worth.usd_month)}/month"
        line = f"{item.kind:<24} {cost:>20}  {item.name}  ({worth.reason}; found by {item.how})"
        out.print(line, markup=False, soft_wrap=True)
    if left:
        out.print(f"{len(left)} left of {stack.prefix}: {in_words(priced)}")
    else:
        out.print(f"none: nothing of {stack.prefix} exists")


def facts(stack: "Stack", left: "list[Leftover]", priced: "list[Worth]") -> dict[str, Any]:
    """The same figures for programs; amounts are decimal texts, null where no price is known."""
    from slipway.teardown.worth import total

    known, unknown = total(priced)
    items = [
        vars(item) | {"usd_month": None if worth.usd_month is None else str(worth.usd_month), "reason": worth.reason}
        for item, worth in zip(left, priced, strict=True)
    ]
    return {"stack": stack.name, "leaks": items, "usd_month": str(known), "without_price": unknown}


def removed_facts(removed: "list[Leftover]") -> dict[str, Any]:
    return {"removed": [vars(one) for one in removed]} if removed else {}
