"""`slipway ci ...`: the stages. Each imports what it needs when it runs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from slipway.errors import REFUSED, SlipwayError
from slipway.options import StackName
from slipway.options import out as console
from slipway.verbs.limits import Max, MaxOf

ci = typer.Typer(help="The stages of CI/CD; they run on a laptop just as well.", no_args_is_help=True)
pull_request = typer.Typer(help="A stack of its own for a pull request.", no_args_is_help=True)
ci.add_typer(pull_request, name="pull-request")

PolicyPack = Annotated[
    Path | None, typer.Option(exists=True, file_okay=False, help="folder of the policy pack; default infra/policies")
]
Number = Annotated[int, typer.Option(min=1, help="of the pull request")]
Comment = Annotated[bool, typer.Option("--comment", help="tell it there, in one comment (needs GITHUB_TOKEN)")]
Out = Annotated[Path | None, typer.Option(dir_okay=False, help="write the report here instead of showing it")]


@ci.command()
def preview(
    stack: StackName = "local",
    policy_pack: PolicyPack = None,
    out: Out = None,
    comment: Annotated[int, typer.Option(min=0, help="number of the pull request that gets the report; 0: none")] = 0,
    limit: Max = None,
    case: MaxOf = "worst",
) -> None:
    """What `pulumi up` would do and cost, and what the policy says of it. Exit code 3 when that or --max says no."""
    from datetime import date

    from slipway.ci import events
    from slipway.ci.cost import Limit, cost_of
    from slipway.ci.deploy import pack_of
    from slipway.ci.github import GitHub
    from slipway.ci.report import preview_report
    from slipway.project import open_stack

    where = open_stack(stack)
    github = GitHub.of(os.environ) if comment else None
    plan = events.preview(where, pack_of(where, policy_pack))
    cost = cost_of(where, plan, Limit(usd=limit, case=case) if limit is not None else None, date.today())
    report = preview_report(stack, plan, cost.section if cost else "")
    tell(report, out)
    if github:
        github.comment(comment, f"preview of {stack}", report)
    if plan.error:
        raise SlipwayError(plan.error, plan.exit_code)
    if cost and cost.refused:
        raise SlipwayError(cost.refused, REFUSED)


@ci.command()
def deploy(
    stack: StackName = "local",
    policy_pack: PolicyPack = None,
    limit: Max = None,
    case: MaxOf = "worst",
    skip_preflight: Annotated[
        bool, typer.Option("--skip-preflight", help="go on against quotas, missing inputs and taken names")
    ] = False,
) -> None:
    """Plan, ask the policy, look what is in the way, hold the cost against --max, change AWS, prove it.

    A stale lock is released first.
    """
    from slipway.ci.cost import Limit
    from slipway.ci.deploy import deploy, pack_of
    from slipway.project import open_stack
    from slipway.signals import interruptible
    from slipway.view import Steps

    where = open_stack(stack)
    with interruptible(), Steps(console) as steps:
        held = Limit(usd=limit, case=case) if limit is not None else None
        deploy(where, steps, pack_of(where, policy_pack), limit=held, checked=not skip_preflight)


@pull_request.command("open")
def open_(
    number: Number,
    days: Annotated[int, typer.Option(min=1, help="until the nightly stage may remove the stack")] = 7,
    policy_pack: PolicyPack = None,
    comment: Comment = False,
) -> None:
    """Deploy this checkout as the pull request's own stack, and prove it. Again after each push."""
    from slipway.ci import pull_request as stage
    from slipway.ci.github import GitHub
    from slipway.signals import interruptible
    from slipway.view import Steps

    name = stage.stack_name(number)
    github = GitHub.of(os.environ) if comment else None
    report = ""
    try:
        with interruptible(), Steps(console) as steps:
            report = stage.opened_report(stage.opened(number, days, steps, policy_pack), days)
    except SlipwayError as error:
        report = stage.failed_report(name, error)
        raise
    finally:
        if github and report:
            github.comment(number, f"stack {name}", report)
    tell(report, None)


@pull_request.command("close")
def close(number: Number, comment: Comment = False) -> None:
    """Take the pull request's stack down, prove that nothing is left, and forget it."""
    from slipway.ci import pull_request as stage
    from slipway.ci.github import GitHub
    from slipway.signals import interruptible
    from slipway.view import Steps

    github = GitHub.of(os.environ) if comment else None
    with interruptible(), Steps(console) as steps:
        stage.closed(number, steps)
    if github:
        name = stage.stack_name(number)
        github.comment(number, f"stack {name}", stage.closed_report(name))


@ci.command()
def nightly(
    stack: StackName = "local",
    match: Annotated[str, typer.Option(help="look at the stacks with such names only, for example pr-*")] = "*",
    remove: Annotated[bool, typer.Option("--remove", help="take expired stacks down")] = False,
    out: Out = None,
) -> None:
    """Drift, leaks and expired stacks in the backend that holds STACK. Exit code 3 when somebody must act."""
    from datetime import date

    from slipway.ci.nightly import nightly, nightly_report
    from slipway.project import open_stack
    from slipway.signals import interruptible
    from slipway.view import Steps

    with interruptible(), Steps(console) as steps:
        findings = nightly(open_stack(stack), steps, date.today(), match=match, take_down=remove)
    tell(nightly_report(findings), out)
    if findings.exit_code:
        raise typer.Exit(findings.exit_code)


def tell(report: str, place: Path | None) -> None:
    """Show a report, or write it to a file; and add it to the job's summary, where there is one."""
    from slipway.ci.github import add_to_summary

    add_to_summary(report)
    if place:
        place.write_text(report)
    else:
        print(report)
