"""`slipway export ...`. Each verb imports what it needs when it runs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.options import AsJson, StackName, print_json

if TYPE_CHECKING:
    from slipway.export.deployed import Deployed
    from slipway.export.plan import Plan

export = typer.Typer(help="What the stack serves, written down for another place to run it.", no_args_is_help=True)

# Texts: `slipway.export.plan` reads them, and tells every problem at once.
Name = Annotated[str, typer.Option(help="of every object (default: the stack's, or slipway)")]
Namespace = Annotated[str, typer.Option(help="that exists already")]
Image = Annotated[str, typer.Option(help="with the program `serve` (default: the stack's)")]
Model = Annotated[str, typer.Option(help="s3://, https:// or pvc://CLAIM/FOLDER (default: the stack's)")]
Replicas = Annotated[str, typer.Option(metavar="NUMBER", help="pods to begin with; each apply goes back to them")]
Fewest = Annotated[str, typer.Option("--min", metavar="NUMBER", help="pods (default: the stack's, or 1)")]
Most = Annotated[
    str,
    typer.Option("--max", metavar="NUMBER", help="pods; as many as --min: no autoscaler (default: the stack's, or 4)"),
]
Cpu = Annotated[str, typer.Option(help="CPUs of a pod: 2, 1500m (default: of the stack's instance less 1)")]
Memory = Annotated[str, typer.Option(help="of a pod: 4Gi (default: 3/4 of the stack's instance)")]
Gpu = Annotated[
    str, typer.Option(metavar="NUMBER", help="NVIDIA GPUs of a pod (default: the stack's instance's, or 0)")
]
Arch = Annotated[str, typer.Option(help="of the image: amd64, arm64, any (default: amd64)")]
User = Annotated[
    str, typer.Option(metavar="NUMBER", help="user id; 0: root, for an image that needs it (default: 1000)")
]
ScaleOn = Annotated[str, typer.Option(help="queue, cpu or both (default: both)")]
QueueTarget = Annotated[
    str, typer.Option(metavar="NUMBER", help="instances that wait in a pod, on average (default: 16)")
]
Monitor = Annotated[
    str, typer.Option(help="annotations, pod-monitor, service-monitor or none: who scrapes (default: annotations)")
]
Role = Annotated[str, typer.Option(help="ARN of the role that may read the model (EKS, IRSA)")]
FetchImage = Annotated[str, typer.Option(help="with python3, and boto3 for s3:// (default: the image itself)")]
Env = Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the server; again for more")]
EnvSecret = Annotated[str, typer.Option(help="a Secret whose keys become variables")]
Output = Annotated[str, typer.Option("--output", "-o", help="a folder, FILE.yaml, or - for standard output")]


@export.command()
def kubernetes(
    stack: StackName = "local",
    name: Name = "",
    namespace: Namespace = "default",
    image: Image = "",
    model: Model = "",
    replicas: Replicas = "",
    fewest: Fewest = "",
    most: Most = "",
    cpu: Cpu = "",
    memory: Memory = "",
    gpu: Gpu = "",
    arch: Arch = "",
    user: User = "",
    scale_on: ScaleOn = "",
    queue_target: QueueTarget = "",
    monitor: Monitor = "",
    service_account_role: Role = "",
    fetch_image: FetchImage = "",
    env: Env = None,
    env_secret: EnvSecret = "",
    output: Output = "-",
    as_json: AsJson = False,
) -> None:
    """Manifests that run the image and the model of a stack in a Kubernetes cluster.

    With --image, --model, --cpu and --memory no stack is looked at; else it answers what is not given.
    """
    given = {
        "name": name,
        "namespace": namespace,
        "image": image,
        "model": model,
        "replicas": replicas,
        "min": fewest,
        "max": most,
        "cpu": cpu,
        "memory": memory,
        "gpu": gpu,
        "arch": arch,
        "user": user,
        "scale-on": scale_on,
        "queue-target": queue_target,
        "monitor": monitor,
        "service-account-role": service_account_role,
        "fetch-image": fetch_image,
        "env-secret": env_secret,
    }
    _export(given, env or [], stack, output, as_json)


def _export(given: dict[str, str], env: list[str], stack: str, output: str, as_json: bool) -> None:
    from slipway.export.documents import STDOUT, stream, write
    from slipway.export.manifests import manifests

    plan, answer = _planned(given, env, stack)
    objects = manifests(plan)
    written = [] if output == STDOUT else [str(path) for path in write(objects, Path(output))]
    notes = [*(answer.notes if answer else []), *_notes(plan)]
    if as_json:
        read_from = stack if answer else None
        print_json({"stack": read_from, "written": written, "notes": notes, "manifests": objects})
        return
    print("\n".join(written) if written else stream(objects), end="\n" if written else "")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _planned(given: dict[str, str], env: list[str], stack: str) -> "tuple[Plan, Deployed | None]":
    """The plan, with what the stack answers where something required is not given."""
    from slipway.errors import SlipwayError
    from slipway.export.plan import REQUIRED, read_plan

    if all(given[option] for option in REQUIRED):
        return read_plan(given, env), None
    from slipway.export.deployed import deployed

    try:
        answer = deployed(stack)
    except SlipwayError as error:
        return read_plan(given, env, unknown=f"stack {stack} cannot tell: {error}"), None
    options = answer.options | {option: text for option, text in given.items() if text}
    unknown = f"stack {stack} does not tell"
    return read_plan(options, [*answer.environment, *env], answer.region, unknown), answer


def _notes(plan: "Plan") -> list[str]:
    notes = []
    if plan.scales and plan.scale_on != "cpu":
        notes.append("the autoscaler's queue metric comes from prometheus-adapter: slipway export adapter-rule")
    if plan.monitor.endswith("-monitor"):
        notes.append("the monitor is an object of the Prometheus operator; without it, apply refuses it")
    if ":" not in plan.image.rpartition("/")[2]:
        notes.append(f"image {plan.image} has no tag: two pods may run two versions")
    return notes


@export.command("adapter-rule")
def adapter_rule(as_json: AsJson = False) -> None:
    """Values of the Helm chart prometheus-adapter that show the autoscaler the servers' queue."""
    from slipway.export.documents import document
    from slipway.export.scaling import adapter_rule

    if as_json:
        print_json(adapter_rule())
    else:
        print(document(adapter_rule()), end="")
