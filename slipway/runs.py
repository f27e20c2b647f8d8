"""`slipway runs`: the stack's runs, from the training jobs that AWS still knows and from the registry."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.table import Table

from slipway.errors import USAGE, SlipwayError
from slipway.invoke import served_artifact
from slipway.leaks import own_name
from slipway.project import Stack
from slipway.registry import Package, packages
from slipway.searches import tuning_jobs

HEADLINES = ("test_accuracy", "test_rmse", "test_reconstruction")
"""The metric that a run of each task is known by."""
LATEST, SERVED = "latest", "served"
SUGGESTIONS = 3


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run. `approval` is the registry's word, empty when the run did not pass; `reason` why it failed."""

    name: str
    status: str
    created: datetime
    seconds: float | None = None
    billable_seconds: float | None = None
    """Of one instance; spot bills less than it ran."""
    instance: str = ""
    instances: int = 1
    spot: bool = False
    metrics: dict[str, str] = field(default_factory=dict)
    approval: str = ""
    served: bool = False
    reason: str = ""
    output: str = ""
    """S3 URI of the archive with its report and metrics.json."""
    made_of: dict[str, str] = field(default_factory=dict)
    """Its image, and the S3 URI of each of its channels."""

    @property
    def going(self) -> bool:
        """Whether its job has not ended yet."""
        return self.status in ("InProgress", "Stopping")


def find_runs(stack: Stack) -> list[Run]:
    """Every run of the stack, newest first."""
    registered = {package.run: package for package in packages(stack)}
    served = _served(stack)
    found = {run.name: run for run in _jobs(stack, registered, served)}
    for package in registered.values():
        if package.run not in found:
            found[package.run] = _of_package(package, served)
    return sorted(found.values(), key=lambda run: run.created, reverse=True)


def choose(stack: Stack, runs: list[Run], word: str) -> Run:
    """The run that `word` means: latest, served, a name, or its beginning (with or without the stack's prefix).

    Raises SlipwayError, with the names that come near, when there is none or more than one.
    """
    if not runs:
        message = f"stack {stack.name} has no run; make one: slipway train --stack {stack.name}"
        raise SlipwayError(message, USAGE)
    short = {run.name: run.name.removeprefix(f"{stack.prefix}-") for run in runs}
    found = [run for run in runs if word in (run.name, LATEST if run is runs[0] else "", SERVED if run.served else "")]
    found = found or [run for run in runs if run.name.startswith(word) or short[run.name].startswith(word)]
    if len(found) == 1:
        return found[0]
    if found:
        raise SlipwayError(f"{word!r} begins the names of {len(found)} runs: {', '.join(map(_name, found))}", USAGE)
    if word == SERVED:
        raise SlipwayError(f"no run of stack {stack.name} is served now; name one: slipway runs", USAGE)
    near = difflib.get_close_matches(word, [*short, *short.values()], n=SUGGESTIONS, cutoff=0.5)
    nearest = [run for run in runs if run.name in near or short[run.name] in near] or runs[:SUGGESTIONS]
    names = ", ".join(map(_name, nearest))
    raise SlipwayError(
        f"stack {stack.name} has no run {word!r}; there are {LATEST}, {SERVED}, {names}: slipway runs", USAGE
    )


def _name(run: Run) -> str:
    return run.name


def _served(stack: Stack) -> str:
    try:
        return served_artifact(stack)
    except SlipwayError:
        return ""  # no endpoint: nothing is served


def _jobs(stack: Stack, registered: dict[str, Package], served: str) -> Iterator[Run]:
    sagemaker = stack.client("sagemaker")
    for name in [*_own_jobs(stack), *_tuned_jobs(stack)]:
        job = sagemaker.describe_training_job(TrainingJobName=name)
        package = registered.get(name)
        resources = job.get("ResourceConfig", {})
        yield Run(
            name=name,
            status=job["TrainingJobStatus"],
            created=job["CreationTime"],
            seconds=job.get("TrainingTimeInSeconds"),
            billable_seconds=job.get("BillableTimeInSeconds"),
            instance=f"{resources.get('InstanceCount', 1)} x {resources.get('InstanceType', '')}",
            instances=resources.get("InstanceCount", 1),
            spot=job.get("EnableManagedSpotTraining", False),
            metrics=package.metrics if package else _metrics(job),
            approval=package.status if package else "",
            served=job.get("ModelArtifacts", {}).get("S3ModelArtifacts", "") == served != "",
            reason=job.get("FailureReason", "").splitlines()[0] if job.get("FailureReason") else "",
            output=f"{job['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{name}/output/output.tar.gz",
            made_of=_made_of(job),
        )


def _made_of(job: dict[str, Any]) -> dict[str, str]:
    channels = {
        f"channel {one['ChannelName']}": one["DataSource"].get("S3DataSource", {}).get("S3Uri", "")
        for one in job.get("InputDataConfig", [])
    }
    return {"image": job.get("AlgorithmSpecification", {}).get("TrainingImage", "")} | channels


def _own_jobs(stack: Stack) -> list[str]:
    pages = stack.client("sagemaker").get_paginator("list_training_jobs").paginate(NameContains=f"{stack.prefix}-")
    names = (job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"])
    return [name for name in names if own_name(stack.prefix, name)]


def _tuned_jobs(stack: Stack) -> list[str]:
    """The training jobs of the stack's tuning jobs."""
    sagemaker = stack.client("sagemaker")
    return [
        job["TrainingJobName"]
        for tuning in tuning_jobs(stack)
        for page in sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            HyperParameterTuningJobName=tuning
        )
        for job in page["TrainingJobSummaries"]
    ]


def _metrics(job: dict[str, Any]) -> dict[str, str]:
    return {
        metric["MetricName"].replace(":", "_"): f"{metric['Value']:.6g}"
        for metric in job.get("FinalMetricDataList", [])
    }


def _of_package(package: Package, served: str) -> Run:
    """A run whose job AWS no longer knows."""
    return Run(
        name=package.run,
        status="Completed",
        created=package.created,
        metrics=package.metrics,
        approval=package.status,
        served=package.artifact == served != "",
        output=f"{package.artifact.rpartition('/')[0]}/output.tar.gz",
    )


def headline(run: Run) -> str:
    """The run's main metric and its value, as `accuracy 0.9972`; a metric of its own where it has none of ours."""
    names = [*HEADLINES, *(name for name in run.metrics if name.startswith("test_")), *run.metrics]
    name = next((name for name in names if name in run.metrics), "")
    return f"{name.removeprefix('test_')} {run.metrics[name]}" if name else ""


def table(runs: list[Run]) -> Table:
    """The runs as people read them."""
    shown = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("run", "status", "created", "took", "on", "reached", "approval", ""):
        shown.add_column(column, no_wrap=column == "run", justify="right" if column == "took" else "left")
    for run in runs:
        shown.add_row(
            run.name,
            run.status,
            f"{run.created:%Y-%m-%d %H:%M}",
            "" if run.seconds is None else f"{run.seconds:.0f} s",
            run.instance,
            headline(run),
            run.approval or run.reason,
            "[green]served[/]" if run.served else "",
        )
    return shown
