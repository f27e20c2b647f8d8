"""`pulumi up` and `destroy` seen as the few things a person waits for: resources, image, training, endpoint.

The engine reports single resources. Which of the four is under way is told by the first resource of each.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from slipway.engine import Diagnostic, Engine, Event, ResourceEvent
from slipway.logs import Tail, run_source
from slipway.project import Stack
from slipway.view import Steps

# The first resource of each stretch, in the order in which the program makes them.
TRAINING_JOB = "aws:sagemaker/trainingJob:TrainingJob"
STRETCHES = {
    "aws:codebuild/project:Project": "image",
    TRAINING_JOB: "training",
    "aws:sagemaker/model:Model": "endpoint",
}

VERDICT = "gate="  # the line of a run's log that says what it came to


@dataclass
class Deployment:
    """What an `up` made: Pulumi type -> names in AWS, and how many resources changed."""

    made: dict[str, list[str]] = field(default_factory=dict)
    changed: int = 0


def up(stack: Stack, steps: Steps, *options: str, follow: bool = False) -> Deployment:
    """Run `pulumi up`, with further options of Pulumi's, on the stack, shown step by step.

    With `follow` every line of a run's log stays on the terminal, otherwise the newest only.
    Raises SlipwayError with the engine's own error, which carries a failed build's or run's reason and log tail.
    """
    watch = _Watch(stack, steps, follow)
    try:
        for event in Engine(stack).run("up", *options):
            watch.see(event)
    except BaseException:
        watch.finish(failed=True)
        raise
    watch.finish(failed=False)
    return watch.deployment


def destroy(stack: Stack, show: Callable[[str], None]) -> int:
    """Run `pulumi destroy`; returns how many resources were deleted."""
    deleted = 0
    for event in Engine(stack).run("destroy"):
        if isinstance(event, ResourceEvent) and event.type.startswith("aws:") and event.phase == "done":
            deleted += 1
            show(f"{deleted} deleted, last: {event.name}")
    return deleted


class _Watch:
    """Turns the engine's events into steps."""

    def __init__(self, stack: Stack, steps: Steps, follow: bool) -> None:
        self.deployment = Deployment()
        self._follow = follow
        self._stack = stack
        self._steps = steps
        self._step = steps.begin("resources")
        self._tail: Tail | None = None

    def see(self, event: Event) -> None:
        if isinstance(event, ResourceEvent):
            self._resource(event)
        elif isinstance(event, Diagnostic):
            if event.ephemeral:
                self._step.show(event.message.splitlines()[0])
        elif self._step.title == "training":
            self._training_lines()

    def _resource(self, event: ResourceEvent) -> None:
        if not event.type.startswith("aws:"):
            return
        stretch = STRETCHES.get(event.type)
        if event.phase == "begun" and stretch and stretch != self._step.title and event.change != "delete":
            self._next(stretch)
        if event.phase == "done" and event.id and event.change != "delete":
            self.deployment.made.setdefault(event.type, []).append(event.id)
            if event.change != "same":
                self.deployment.changed += 1
            if self._step.title == "resources":
                self._step.show(f"{sum(map(len, self.deployment.made.values()))} so far, last: {event.name}")

    def _next(self, title: str) -> None:
        self._summarize()
        self._steps.end(self._step)
        self._step = self._steps.begin(title)

    def _training_lines(self) -> None:
        """What the run has logged since the last look."""
        if self._tail is None:
            runs = self.deployment.made.get(TRAINING_JOB)
            if not runs:
                return
            self._tail = Tail(self._stack, run_source(self._stack, runs[-1]))
        for line in self._tail.new_lines():
            self._steps.line(self._step, line.message, keep=self._follow)
            if line.message.startswith(VERDICT):
                self._step.result = line.message

    def _summarize(self) -> None:
        made = self.deployment.made
        if self._step.title == "resources":
            self._step.result = f"{sum(map(len, made.values()))} in place: bucket, data, roles, image repository"
        elif self._step.title == "image":
            self._step.result = "built by CodeBuild from this checkout" if self._step.detail else "as it was"
        elif self._step.title == "training":
            self._training_lines()
            self._step.result = self._step.result or self._step.detail or "this run was there already"
        elif self._step.title == "endpoint":
            self._step.result = ", ".join(made.get("aws:sagemaker/endpoint:Endpoint", [])) + " with its scaling"

    def finish(self, *, failed: bool) -> None:
        if not failed:
            self._summarize()
        self._steps.end(self._step, failed=failed)
