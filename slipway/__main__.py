"""The `slipway` command line.

Each verb imports what it needs when it runs: `slipway --help` needs neither boto3 nor the rest.
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from slipway.ci.cli import ci
from slipway.errors import FAILED, SlipwayError
from slipway.export.cli import export
from slipway.options import AsJson, StackName, out, print_json
from slipway.verbs.money import app as money_verbs
from slipway.verbs.preflight import app as preflight_verbs
from slipway.verbs.runs import app as run_verbs
from slipway.verbs.spending import app as spending_verbs
from slipway.verbs.teardown import app as teardown_verbs

app = typer.Typer(
    help="From a PyTorch model to an autoscaling SageMaker endpoint: everything besides `pulumi up`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
local = typer.Typer(help="The embedded AWS on this machine.", no_args_is_help=True)
app.add_typer(local, name="local")
app.add_typer(ci, name="ci")
app.add_typer(export, name="export")
app.add_typer(run_verbs)
app.add_typer(teardown_verbs)
app.add_typer(money_verbs)
app.add_typer(spending_verbs)
app.add_typer(preflight_verbs)


@app.command()
def demo() -> None:
    """The whole way on this machine: train, deploy, answer, tear down, prove it."""
    from slipway.demo import demo

    demo(out)


@local.command()
def start(port: Annotated[int, typer.Option(help="port on 127.0.0.1; 0: a free one")] = 4588) -> None:
    """Start it, empty, in the background; and make the stack `local` in an empty Pulumi state."""
    from slipway.engine import Engine
    from slipway.local import LocalAws, home_of
    from slipway.plugin import ensure_plugin
    from slipway.project import open_stack, root

    aws = LocalAws(home_of(root()))
    running = aws.start(port)
    try:
        stack = open_stack("local", aws)
        ensure_plugin(stack.environment)
        Engine(stack).ensure_stack()
    except BaseException:
        aws.stop()
        raise
    out.print(f"embedded AWS at {running.url} (pid {running.pid})")
    out.print('use it in this shell:  eval "$(slipway local env)"  then  pulumi up', markup=False)


@local.command()
def stop() -> None:
    """Stop it, with every job and server it runs; its data and the local stacks' state go with it."""
    from slipway.local import LocalAws, home_of
    from slipway.project import root

    stopped = LocalAws(home_of(root())).stop()
    out.print(f"stopped (pid {stopped.pid})" if stopped else "not running")


@local.command()
def status(as_json: AsJson = False) -> None:
    """Whether it runs, where, and what it runs. Exit code 1 when it does not."""
    from slipway.local import LocalAws, home_of
    from slipway.project import root

    aws = LocalAws(home_of(root()))
    running = aws.running()
    facts = {"running": running is not None} | (aws.health(running) if running else {})
    if as_json:
        print_json(facts)
    else:
        for name, value in facts.items():
            out.print(f"{name:<12} {value}", markup=False)
    if not running:
        raise typer.Exit(FAILED)


@local.command()
def env() -> None:
    """Shell lines that point every AWS client, and Pulumi, to it: eval "$(slipway local env)"."""
    import shlex

    from slipway.local import STRAY_SETTINGS, LocalAws, home_of, tool_folders
    from slipway.project import root

    settings = LocalAws(home_of(root())).settings()
    print(f"unset {' '.join(STRAY_SETTINGS)}")
    for name, value in settings.items():
        print(f"export {name}={shlex.quote(value)}")
    print(f'export PATH={shlex.quote(os.pathsep.join(tool_folders()))}:"$PATH"')


@local.command("logs")
def local_logs(lines: Annotated[int, typer.Option("-n", help="how many lines")] = 50) -> None:
    """The embedded AWS's own log (those of jobs and endpoints: slipway logs)."""
    from slipway.local import LocalAws, home_of
    from slipway.project import root

    out.print(LocalAws(home_of(root())).log_tail(lines), markup=False)


@app.command()
def invoke(
    file: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="json, csv, npy, png or jpeg; without it a held-out example"),
    ] = None,
    stack: StackName = "local",
    content_type: Annotated[str, typer.Option(help="of the file, when its name does not tell")] = "",
    accept: Annotated[str, typer.Option(help="application/json, text/csv or application/x-npy")] = "application/json",
) -> None:
    """Ask the endpoint."""
    from slipway.invoke import ask, content_type_of, read_manifest, served_artifact
    from slipway.project import open_stack

    where = open_stack(stack)
    if file:
        body, kind = file.read_bytes(), content_type or content_type_of(file)
    else:
        example = read_manifest(where, served_artifact(where))["examples"][0]
        body, kind = json.dumps({"instances": [example["instance"]]}).encode(), "application/json"
        print(f"held-out example, target {example['target']}", file=sys.stderr)
    answer = ask(where.client("sagemaker-runtime"), where.prefix, body, kind, accept)
    sys.stdout.buffer.write(answer.body + (b"\n" if sys.stdout.isatty() or accept != "application/x-npy" else b""))
    print(f"{answer.seconds * 1000:.1f} ms, variant {answer.variant}", file=sys.stderr)


@app.command()
def logs(
    stack: StackName = "local",
    run: Annotated[str, typer.Option(help="a run's name, or latest")] = "",
    endpoint: Annotated[bool, typer.Option("--endpoint", help="the endpoint's servers")] = False,
    build: Annotated[bool, typer.Option("--build", help="the image's builds")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until Ctrl-C")] = False,
) -> None:
    """The log of a run (the latest unless told otherwise), of the endpoint, or of the image's build."""
    from slipway.logs import build_source, endpoint_source, read, run_source
    from slipway.project import open_stack

    where = open_stack(stack)
    if endpoint:
        source = endpoint_source(where)
    elif build:
        source = build_source(where)
    else:
        source = run_source(where, run or "latest")
    lines = 0
    for line in read(where, source, follow):
        print(line.message, flush=True)
        lines += 1
    if not lines:
        stream = f" in a stream {source.stream_prefix}..." if source.stream_prefix else ""
        raise SlipwayError(f"nothing is logged in {source.group}{stream}; what exists: slipway leaks --stack {stack}")


@app.command()
def init(
    stack: StackName = "dev",
    region: Annotated[str, typer.Option(help="where the state is kept; default: the stack's own region")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a home for Pulumi's state in the account (bucket and key), and the stack in it. Again: nothing changes."""
    from slipway.state.init import init

    home = init(stack, region, (lambda text: None) if as_json else lambda text: out.print(text, soft_wrap=True))
    facts = {"backend_url": home.backend_url, "secrets_provider": home.secrets_provider}
    if as_json:
        print_json({"stack": stack, "bucket": home.bucket, "key": home.key, "made": home.made, **facts})
    else:
        print(f"export PULUMI_BACKEND_URL='{home.backend_url}'")


@app.command()
def unlock(stack: StackName = "local") -> None:
    """Release the stack's lock if its owner is known to have ended; a lock in use is never released."""
    from slipway.locks import release_stale
    from slipway.project import open_stack

    released = release_stale(open_stack(stack))
    for verdict in released:
        out.print(f"released the lock of {verdict.lock.owner}: {verdict.reason}", markup=False, soft_wrap=True)
    if not released:
        out.print(f"stack {stack} is not locked")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Whether this machine has what is needed, and the command that mends what it lacks."""
    from dataclasses import asdict

    from slipway.doctor import examine

    findings = examine()
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        marks = {True: "[green]✓[/]", None: "[yellow]-[/]", False: "[red]✗[/]"}
        for finding in findings:
            mend = "" if finding.ok else f"   [dim]{finding.mend}[/]"
            out.print(f"{marks[finding.ok]} {finding.what:<24} {finding.found}{mend}", soft_wrap=True)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(FAILED)


def main() -> None:
    """Run a verb; its errors are sentences, not tracebacks."""
    try:
        app()
    except SlipwayError as error:
        sys.exit(_say(str(error), error.exit_code))
    except BrokenPipeError:
        # The reader of our output went away (slipway logs | head).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if not (sentence := aws_sentence(error)):
            raise
        sys.exit(_say(sentence, FAILED))


def aws_sentence(error: Exception) -> str:
    """What a refusal by AWS, or a failure to reach it, means for the user; empty for any other error."""
    if "botocore" not in sys.modules:  # nothing has talked to AWS, and importing it here would cost 0.1 s
        return ""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    if isinstance(error, NoCredentialsError):
        return "no AWS credentials; set AWS_PROFILE or run `aws configure sso`. What else is missing: slipway doctor"
    return f"AWS: {error}" if isinstance(error, (BotoCoreError, ClientError)) else ""


def _say(message: str, exit_code: int) -> int:
    with contextlib.suppress(BrokenPipeError):
        print(f"slipway: {message}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    main()
