"""`slipway demo`: the product's whole job on this machine, shown step by step.

data in S3 -> training job -> endpoint -> answers -> teardown -> proof. It brings an embedded AWS and a Pulumi state of
its own in a folder that goes when it ends, however it ends, so it disturbs nothing and leaves nothing.
"""

import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from slipway import draw
from slipway.deploy import Deployment, up
from slipway.down import down
from slipway.engine import Engine
from slipway.errors import INTERRUPTED, SlipwayError
from slipway.invoke import ask, read_manifest
from slipway.local import LocalAws
from slipway.plugin import ensure_plugin
from slipway.project import Stack, open_stack, root
from slipway.signals import interruptible, uninterruptible
from slipway.verify import verify
from slipway.view import Steps

STACK = "local"
SHOWN_DIGITS = 4
LATENCY_CALLS = 200
REAL_STACK = "dev"
# Of all that a stack has, what people meet by name in AWS's console.
NAMED = {
    "aws:s3/bucket:Bucket": "bucket",
    "aws:iam/role:Role": "role",
    "aws:ecr/repository:Repository": "image repository",
    "aws:sagemaker/trainingJob:TrainingJob": "training job",
    "aws:sagemaker/model:Model": "model",
    "aws:sagemaker/endpoint:Endpoint": "endpoint",
}
Example = dict[str, Any]


def demo(console: Console) -> None:
    """The whole way. Raises SlipwayError when a step fails or anything is left at the end."""
    started = time.monotonic()
    scratch = root() / ".slipway"
    scratch.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=scratch))
    aws = LocalAws(folder / "aws")
    try:
        with interruptible(), Steps(console) as steps:
            stack = _start(aws, steps)
            deployment = up(stack, steps)
            verify(stack, steps)
            outputs = Engine(stack).outputs()
            examples = read_manifest(stack, outputs["artifact"])["examples"]
            picture = _predictions(console, stack, outputs["endpoint"], examples)
            served_after = time.monotonic() - started
            steps.note(picture)
            _latency(stack, outputs["endpoint"], examples[0], steps)
            steps.note(_names(console, stack, deployment))
            left = down(stack, steps)
            with steps.step("stop") as step:
                aws.stop()
                step.result = "the embedded AWS and all its processes have ended"
    except KeyboardInterrupt:
        raise SlipwayError("interrupted; nothing was left running", INTERRUPTED) from None
    finally:
        # Ctrl-C ends here too: first the processes, then their folder, and no second Ctrl-C in between.
        with uninterruptible():
            aws.stop()
            shutil.rmtree(folder, ignore_errors=True)
    if left:
        raise SlipwayError("left behind:\n" + "\n".join(f"  {item.kind} {item.name}" for item in left))
    console.print(_verdict(served_after, time.monotonic() - started), soft_wrap=True)


def _start(aws: LocalAws, steps: Steps) -> Stack:
    with steps.step("embedded AWS") as step:
        step.show("starting")
        running = aws.start(port=0)
        stack = open_stack(STACK, aws)
        ensure_plugin(stack.environment)
        Engine(stack).ensure_stack()
        step.result = f"{running.url}, no account, no docker; Pulumi's state in a temporary folder"
    return stack


def _predictions(console: Console, stack: Stack, endpoint: str, examples: list[Example]) -> RenderableType:
    """Held-out digits, drawn, each with what the endpoint says it is."""
    shown = examples[:SHOWN_DIGITS]
    predictions = json.loads(ask(stack.client("sagemaker-runtime"), endpoint, _body(*shown)).body)["predictions"]
    cells: list[RenderableType] = []
    for example, prediction in zip(shown, predictions, strict=True):
        highest = max(max(row) for row in example["instance"])
        verdict = f"says {prediction['label']} ({prediction['score']:.0%}), is {example['target']}"
        if console.is_terminal:
            right = prediction["label"] == example["target"]
            caption = Text(verdict, "green" if right else "bold red")
            cells.append(Group(*draw.blocks(example["instance"], highest), caption))
        else:
            cells.append("\n".join([*draw.characters(example["instance"], highest), verdict, ""]))
    title = "Digits that the model never saw, and what the endpoint says they are"
    if console.is_terminal:
        return Panel(Columns(cells, padding=(0, 4)), title=title, expand=False, padding=(1, 2))
    return "\n".join(["", title, "", *[str(cell) for cell in cells]])


def _body(*examples: Example) -> bytes:
    return json.dumps({"instances": [example["instance"] for example in examples]}).encode()


def _latency(stack: Stack, endpoint: str, example: Example, steps: Steps) -> None:
    with steps.step("latency") as step:
        runtime, body = stack.client("sagemaker-runtime"), _body(example)
        times_ms = []
        for number in range(LATENCY_CALLS):
            times_ms.append(ask(runtime, endpoint, body).seconds * 1000)
            step.show(f"{number + 1} of {LATENCY_CALLS} calls")
        p50 = statistics.median(times_ms)
        p99 = statistics.quantiles(times_ms, n=100)[98]
        step.result = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms over {LATENCY_CALLS} calls by boto3, one after the other"


def _names(console: Console, stack: Stack, deployment: Deployment) -> RenderableType:
    """What exists now, and what the same stack would be called in a real account."""
    real = f"{stack.project}-{REAL_STACK}"
    rows = [
        (label, name, name.replace(stack.prefix, real))
        for kind, label in NAMED.items()
        for name in deployment.made.get(kind, [])
    ]
    title = f"What exists now, and what `pulumi up --stack {REAL_STACK}` calls it in a real account"
    if not console.is_terminal:
        return "\n".join(["", title, *[f"  {label:<16} {here:<40} {there}" for label, here, there in rows], ""])
    table = Table(title=title, title_justify="left", title_style="", box=None, header_style="dim")
    for column in ("", "here", f"stack {REAL_STACK}"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return Padding(table, (1, 0))


def _verdict(served_after: float, total: float) -> Text:
    return Text(
        f"Trained, deployed and answering after {served_after:.1f} s; removed, with nothing left, after {total:.1f} s.",
        "bold green",
    )
