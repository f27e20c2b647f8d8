"""The verbs about money: cost, bill, prices. `slipway.__main__` adds them to the command."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipway.errors import REFUSED, USAGE, SlipwayError
from slipway.options import AsJson, StackName, out, print_json
from slipway.verbs.limits import Max, MaxOf

if TYPE_CHECKING:
    from datetime import date

    from slipway.cost.asking import Past
    from slipway.cost.lines import Estimate
    from slipway.cost.planned import Change
    from slipway.project import Stack

app = typer.Typer()
prices = typer.Typer(help="AWS's list prices as the estimates use them.", no_args_is_help=True)
app.add_typer(prices, name="prices")

Format = Annotated[Literal["table", "json", "markdown"], typer.Option("--format", help="how it is printed")]
UsageFile = Annotated[
    Path | None, typer.Option("--usage", exists=True, dir_okay=False, help="YAML or JSON: name: value")
]
Assume = Annotated[list[str] | None, typer.Option("--assume", metavar="NAME=VALUE", help="one assumption; repeatable")]
Region = Annotated[str, typer.Option("--region", help="of AWS")]


@app.command()
def cost(
    stack: StackName = "local",
    plan: Annotated[
        Path | None,
        typer.Option("--plan", exists=True, dir_okay=False, help="output of pulumi preview --json; AWS is not asked"),
    ] = None,
    deployed: Annotated[bool, typer.Option("--deployed", help="the stack as it is, not as it would be")] = False,
    usage: UsageFile = None,
    assume: Assume = None,
    diff: Annotated[bool, typer.Option("--diff", help="what it changes against what is deployed now")] = False,
    limit_: Max = None,
    max_of: MaxOf = "worst",
    format_: Format = "table",
    as_json: AsJson = False,
    explain: Annotated[bool, typer.Option("--explain", help="where every figure comes from")] = False,
) -> None:
    """What the stack will cost: each run and each month, low, expected and worst. Nothing is deployed."""
    from datetime import date

    from slipway.cost.document import changes_of, document
    from slipway.cost.estimate import estimate
    from slipway.cost.gate import refusal
    from slipway.cost.markdown import markdown
    from slipway.cost.usage import read_usage
    from slipway.cost.view import show_on, view
    from slipway.prices.book import load

    if plan and deployed:
        raise SlipwayError("--plan names a file, --deployed the stack itself; give one of them", USAGE)
    assumed = read_usage(usage, assume or ())
    change, past, where = _planned(stack, plan, deployed)
    book, today = load(), date.today()
    found = estimate(change.after, book, assumed, today, past)
    before = estimate(change.before, book, assumed, today, past)
    facts = document(found, changes_of(before, found) if diff else None)
    if as_json or format_ == "json":
        print_json(facts)
    elif format_ == "markdown":
        print(markdown(facts, explain=explain))
    else:
        show_on(out, view(facts, explain=explain))
    if where and not deployed:
        _keep(where, found, change)
    if limit_ is not None and (said := refusal(found, limit_, max_of)):
        raise SlipwayError(said, REFUSED)


def _planned(stack: str, plan: Path | None, deployed: bool) -> "tuple[Change, Past, Stack | None]":
    from rich.console import Console

    from slipway.cost.asking import Past
    from slipway.cost.planning import exported, from_file, previewed

    if plan:
        return from_file(plan), Past(why="AWS is not asked with --plan"), None
    from slipway.cost.past import past_runs
    from slipway.project import open_stack
    from slipway.signals import interruptible

    where = open_stack(stack)
    with interruptible(), Console(stderr=True).status(f"planning {stack}"):
        change = exported(where) if deployed else previewed(where)
        return change, past_runs(where), where


def _keep(where: "Stack", found: "Estimate", change: "Change") -> None:
    """For `slipway bill`; whoever may only read the backend gets the estimate all the same."""
    from slipway.cost.records import cloud_now, fingerprint, keep
    from slipway.prices.book import load
    from slipway.state.files import state_files

    try:
        keep(state_files(where), where, found, fingerprint(change.after, load()), cloud_now(where))
    except Exception as error:  # of the backend or its client; the estimate itself is not in doubt
        print(f"slipway: the estimate was not kept for `slipway bill`: {error}", file=sys.stderr)


@app.command()
def bill(
    stack: StackName = "local",
    since: Annotated[str, typer.Option("--since", metavar="YYYY-MM-DD", help="default: the first of this month")] = "",
    format_: Format = "table",
    as_json: AsJson = False,
) -> None:
    """What the stack has cost by AWS's Cost Explorer, beside the estimates; each run, and 1,000 predictions."""
    from rich.console import Console

    from slipway.bill.compare import document
    from slipway.bill.reading import read_bill
    from slipway.bill.view import markdown, view
    from slipway.cost.view import show_on
    from slipway.project import open_stack

    begin = _day(since) if since else None
    with Console(stderr=True).status(f"asking AWS about {stack}"):
        facts = document(read_bill(open_stack(stack), begin))
    if as_json or format_ == "json":
        print_json(facts)
    elif format_ == "markdown":
        print(markdown(facts))
    else:
        show_on(out, view(facts))


def _day(text: str) -> "date":
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SlipwayError(f"--since is {text!r}; give a day, for example 2026-11-01", USAGE) from None


@prices.command()
def refresh(
    region: Annotated[list[str] | None, typer.Option("--region", help="repeatable; default: all in the book")] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, help="write the book here; default: the one that is used")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read the book's prices from AWS's Pricing API and show what changed; needs pricing:GetProducts."""
    import json
    from datetime import date

    import boto3

    from slipway.prices.api import CLIENT_REGION, read_region
    from slipway.prices.book import FILE
    from slipway.prices.refresh import PricesUnreadableError, refreshed
    from slipway.prices.write import save

    raw = json.loads(FILE.read_text())
    client = boto3.client("pricing", region_name=CLIENT_REGION)
    place = out_file or FILE
    try:
        book, diff = refreshed(raw, region or list(raw["prices"]), lambda name: read_region(client, name), date.today())
        save(place, book)
    except PricesUnreadableError as error:
        raise SlipwayError(str(error)) from None
    except OSError as error:
        raise SlipwayError(f"cannot write {place}: {error.strerror}; name a file by --out") from None
    if as_json:
        print_json({"file": str(place), "as_of": book["as_of"], **diff.counts(), "lines": diff.lines()})
        return
    for line in diff.lines():
        out.print(line, markup=False, soft_wrap=True)
    counted = ", ".join(f"{count} {name}" for name, count in diff.counts().items())
    out.print(f"{counted}; written to {place}", markup=False, soft_wrap=True)


@prices.command("show")
def show_price(
    key: Annotated[str, typer.Argument(help="for example Training:ml.g5.xlarge, Serverless:2048, S3:Storage")],
    region: Region = "us-east-1",
    as_json: AsJson = False,
) -> None:
    """One price, and where it comes from."""
    from datetime import date

    from slipway.cost.lines import rate
    from slipway.prices.book import PriceMissing, load

    try:
        price = load().price(region, key)
    except PriceMissing as error:
        raise SlipwayError(str(error)) from None
    facts = {
        "region": region,
        "key": key,
        "usd": str(price.usd),
        "unit": price.unit,
        "as_of": price.as_of.isoformat(),
        "source": price.source,
        "derived": price.derived,
        "old": price.is_old(date.today()),
    }
    if as_json:
        print_json(facts)
    else:
        out.print(f"{key} in {region}: {rate(price)}", markup=False, soft_wrap=True)
        out.print(price.origin(date.today()), markup=False, soft_wrap=True)
