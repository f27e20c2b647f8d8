"""What runs and bills for a stack besides its endpoint: found, stopped, and waited for until it bills no more.

The guardian's schedules are switched off first: one of them might start something meanwhile.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from slipway.errors import SlipwayError
from slipway.leaks import own_name
from slipway.project import Stack
from slipway.searches import BY_NAME, RUNNING, is_own_job, pages
from slipway.teardown.arns import is_gone

STOPPING_SECONDS = 20 * 60  # two minutes of grace, then the upload of what the job has made
ENDPOINT_SECONDS = 60 * 60  # SageMaker gives a model's download and start as long
POLL_SECONDS = 0.2
MOVING = ("Creating", "Updating", "SystemUpdating", "RollingBack")
"""An endpoint in these states cannot be deleted."""
Show = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class JobKind:
    """SageMaker's calls for one kind of job."""

    words: str
    call: str
    """The middle of list_..._jobs, describe_..._job and stop_..._job."""
    name: str
    """The argument with the job's name; <name> without Name begins the members of its answers."""

    @property
    def stem(self) -> str:
        return self.name.removesuffix("Name")


KINDS = (
    # First what starts others.
    JobKind(words="tuning job", call="hyper_parameter_tuning", name="HyperParameterTuningJobName"),
    JobKind(words="training job", call="training", name="TrainingJobName"),
    JobKind(words="transform job", call="transform", name="TransformJobName"),
    JobKind(words="processing job", call="processing", name="ProcessingJobName"),
)


@dataclass(frozen=True, kw_only=True)
class Job:
    kind: JobKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.words} {self.name}"


def running_jobs(stack: Stack) -> list[Job]:
    """The stack's jobs that bill now, by name or by their tags."""
    return [Job(kind=kind, name=name) for kind in KINDS for name in _running(stack, kind)]


def _running(stack: Stack, kind: JobKind) -> Iterator[str]:
    sagemaker = stack.client("sagemaker")
    for status in RUNNING:
        for entry in pages(sagemaker, f"list_{kind.call}_jobs", f"{kind.stem}Summaries", StatusEquals=status):
            name, arn = entry[kind.name], entry[f"{kind.stem}Arn"]
            if own_name(stack.prefix, name) or is_own_job(stack, arn):
                yield name


def stop_jobs(stack: Stack, jobs: list[Job], show: Show) -> None:
    """Stop them and wait until AWS bills none. Raises SlipwayError when one has not stopped in time."""
    sagemaker = stack.client("sagemaker")
    for job in jobs:
        show(f"stopping {job}")
        _unless_gone(getattr(sagemaker, f"stop_{job.kind.call}_job"), **{job.kind.name: job.name})
    deadline = time.monotonic() + STOPPING_SECONDS
    for job in jobs:
        while _status(sagemaker, job) in RUNNING:
            if time.monotonic() > deadline:
                raise SlipwayError(f"{job} has not stopped after {STOPPING_SECONDS // 60} min; run this again later")
            show(f"waiting for {job} to stop")
            time.sleep(POLL_SECONDS)


def _status(sagemaker: Any, job: Job) -> str:
    """Empty when it is gone."""
    found = _unless_gone(getattr(sagemaker, f"describe_{job.kind.call}_job"), **{job.kind.name: job.name})
    return str(found.get(f"{job.kind.stem}Status", ""))


def _unless_gone(call: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    """The call's answer; that the thing is gone, or has ended by itself, is no error."""
    try:
        return call(**arguments)
    except ClientError as error:
        ended = error.response["Error"]["Code"] == "ValidationException" and "status" in str(error)
        if is_gone(error) or ended:
            return {}
        raise


def end_warm_pools(stack: Stack, show: Show) -> int:
    """Let go of the instances that are kept for the next job; returns of how many jobs."""
    sagemaker = stack.client("sagemaker")
    kept = [
        entry["TrainingJobName"]
        for entry in pages(sagemaker, "list_training_jobs", "TrainingJobSummaries", WarmPoolStatusEquals="Available")
        if own_name(stack.prefix, entry["TrainingJobName"])
    ]
    for name in kept:
        show(f"ending the warm pool of {name}")
        _unless_gone(
            sagemaker.update_training_job, TrainingJobName=name, ResourceConfig={"KeepAlivePeriodInSeconds": 0}
        )
    return len(kept)


def stop_builds(stack: Stack, show: Show) -> int:
    """Stop the builds of the stack's images; returns how many ran."""
    codebuild, stopped = stack.client("codebuild"), 0
    for thing in BY_NAME["build project"](stack):
        if own_name(stack.prefix, thing.name):
            ids = codebuild.list_builds_for_project(projectName=thing.identity)["ids"]  # the newest hundred
            builds = codebuild.batch_get_builds(ids=ids)["builds"] if ids else []
            for build in (one for one in builds if one["buildStatus"] == "IN_PROGRESS"):
                show(f"stopping build {build['id']}")
                codebuild.stop_build(id=build["id"])
                stopped += 1
    return stopped


def disable_schedules(stack: Stack, show: Show) -> int:
    """Switch the stack's schedules off, each as it is; returns how many were on."""
    scheduler, disabled = stack.client("scheduler"), 0
    for thing in BY_NAME["schedule"](stack):
        if own_name(stack.prefix, thing.name):
            group = thing.identity.rpartition("/")[0]
            found = scheduler.get_schedule(Name=thing.name, GroupName=group)
            if found["State"] == "ENABLED":
                show(f"switching off schedule {thing.name}")
                known = scheduler.meta.service_model.operation_model("UpdateSchedule").input_shape.members
                same = {key: value for key, value in found.items() if key in known}
                scheduler.update_schedule(**(same | {"State": "DISABLED"}))
                disabled += 1
    return disabled


def settle_endpoints(stack: Stack, show: Show) -> None:
    """Wait until none of the stack's endpoints is on its way: such a one cannot be deleted."""
    deadline = time.monotonic() + ENDPOINT_SECONDS
    while moving := [name for name, status in _endpoints(stack) if status in MOVING]:
        if time.monotonic() > deadline:
            raise SlipwayError(
                f"endpoint {moving[0]} has not settled after {ENDPOINT_SECONDS // 60} min; try again later"
            )
        show(f"waiting for endpoint {moving[0]}, which is on its way and cannot be deleted yet")
        time.sleep(POLL_SECONDS)


def _endpoints(stack: Stack) -> list[tuple[str, str]]:
    found = pages(stack.client("sagemaker"), "list_endpoints", "Endpoints", NameContains=stack.prefix)
    return [
        (one["EndpointName"], one["EndpointStatus"]) for one in found if own_name(stack.prefix, one["EndpointName"])
    ]
